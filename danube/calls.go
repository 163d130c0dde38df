package danube

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// anySeed asks one seed after the other until one answers, each time beginning with
// another. read tells what an error of ask means. Where no seed answers, one more broker is
// asked that is none. Only its answer counts: by now its address may be somebody else's.
func (c *Client) anySeed(ctx context.Context, op, topic string, read func(error) verdict, ask func(context.Context, endpoint, *grpc.ClientConn) error) error {
	start := int(c.router.next.Add(1) - 1)
	var last *Error
	for i := range c.seeds {
		seed := c.seeds[(start+i)%len(c.seeds)]
		err := c.ask(ctx, op, topic, seed, read, ask)
		if err == nil || errors.Is(err, errUnknownTopic) || errors.Is(err, ErrClosed) {
			return err
		}
		errors.As(err, &last)
		if ownContext(ctx, err) || last.class == classFatal {
			return last
		}
	}
	other, ok := c.router.another()
	if !ok {
		return last
	}
	err := c.ask(ctx, op, topic, other, read, ask)
	if err == nil || ownContext(ctx, err) {
		return err
	}
	var failed *Error
	if errors.As(err, &failed) && failed.class == classFatal {
		c.router.unlearn(other)
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
