package danube

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// anySeed asks one seed after the other until one answers, each time beginning with
// another, and then one more broker that is none. read tells what an error of ask means.
func (c *Client) anySeed(ctx context.Context, op, topic string, read func(error) verdict, ask func(context.Context, endpoint, *grpc.ClientConn) error) error {
	start := int(c.router.next.Add(1) - 1)
	var last *Error
	for i := range len(c.seeds) + 1 {
		at, ok := c.seeds[(start+i)%len(c.seeds)], true
		if i == len(c.seeds) {
			at, ok = c.router.another()
		}
		if !ok {
			break
		}
		err := c.ask(ctx, op, topic, at, read, ask)
		if err == nil || errors.Is(err, errUnknownTopic) || errors.Is(err, ErrClosed) {
			return err
		}
		errors.As(err, &last)
		if ownContext(ctx, err) || last.class == classFatal {
			break
		}
	}
	return last
}

// ask makes one call at one broker. Its error is an *Error, or errUnknownTopic.
func (c *Client) ask(ctx context.Context, op, topic string, at endpoint, read func(error) verdict, ask func(context.Context, endpoint, *grpc.ClientConn) error) error {
	conn, err := c.conn(at)
	if err != nil {
		return err
	}
	// Our own backoff decides when to try. Only a connection that has failed: in one
	// that is being set up this races with gRPC itself (1.85).
	if conn.GetState() == connectivity.TransientFailure {
		conn.ResetConnectBackoff()
	}
	call, cancel := context.WithTimeout(ctx, c.cfg.Timeouts.Control)
	defer cancel()
	err = ask(call, at, conn)
	if err == nil || errors.Is(err, errUnknownTopic) {
		return err
	}
	err = c.security.hint(err)
	v := read(err)
	if ownContext(ctx, err) {
		v.class = classNone
	}
	return v.failure(op, topic, at, err)
}

// untilAnswered tries, with backoff, until there is an answer, or an error that is
// for good, or ctx ends.
func (c *Client) untilAnswered(ctx context.Context, op, topic string, try func(context.Context) error) error {
	wait := c.backoff()
	var last error
	for {
		err := try(ctx)
		if err == nil || isFatal(err) {
			return err
		}
		if ownContext(ctx, err) {
			if last == nil {
				last = err
			}
			return gaveUp(op, topic, ctx, last)
		}
		last = err
		d := wait.Next()
		c.log.Warn("danube: no answer yet", "asked", op, "topic", topic, "retry_in", d, "error", err)
		if !sleep(ctx, d) {
			return gaveUp(op, topic, ctx, last)
		}
	}
}
