package danube

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// Subscriptions lists the subscriptions of a topic by name, as DescribeTopic does.
func (a *Admin) Subscriptions(ctx context.Context, topic string) ([]string, error) {
	d, err := a.DescribeTopic(ctx, topic)
	return d.Subscriptions, err
}

// Unsubscribe deletes a subscription with its position and its failure policy. A
// consumer that subscribes later under the name starts with what is published then.
// The broker that owns the topic is asked; it must have the topic loaded.
//
// Errors: ErrNotFound for a topic or a subscription that does not exist; ErrConflict
// while the subscription has a consumer, or when the owner could not be reached.
func (a *Admin) Unsubscribe(ctx context.Context, topic, subscription string) error {
	const op = "unsubscribe from"
	if err := errors.Join(checkTopic(topic), checkName("subscription", subscription)); err != nil {
		return err
	}
	wire, err := a.onWire(ctx, op, topic)
	if err != nil {
		return err
	}
	found := false
	for _, name := range wire {
		t, err := a.describe(ctx, op, name)
		if err != nil {
			return err
		}
		if !slices.Contains(t.GetSubscriptions(), subscription) {
			continue
		}
		found = true
		if err := a.unsubscribe(ctx, op, name, subscription, t.GetBrokerId()); err != nil {
			return err
		}
	}
	if !found {
		return adminError(op, topic, ErrNotFound, "there is no subscription %s", subscription)
	}
	return nil
}

// unsubscribe asks the owner of one topic on the wire, and then, since the address
// that is known of it may not be one for us, all others.
func (a *Admin) unsubscribe(ctx context.Context, op, wire, subscription, owner string) error {
	c := a.client
	return c.untilAnswered(ctx, op, wire, func(ctx context.Context) error {
		brokers, err := a.Brokers(ctx)
		if err != nil && !errors.Is(err, ErrPermission) {
			return err
		}
		var ask []endpoint
		for _, b := range brokers {
			_, hostport, _ := strings.Cut(b.AdminAddress, "://") // its scheme is that of the clients' port
			if e, err := parseEndpoint(hostport); err == nil && b.ID == owner {
				ask = append(ask, e.reachable(c.seeds[0]))
			}
		}
		for _, e := range c.seeds {
			if !slices.Contains(ask, e) {
				ask = append(ask, e)
			}
		}
		var refused, failed error
		for _, at := range ask {
			err := c.ask(ctx, op, wire, at, judgeAdmin, func(ctx context.Context, _ endpoint, conn *grpc.ClientConn) error {
				resp, err := adminpb.NewTopicAdminClient(conn).Unsubscribe(ctx, &adminpb.SubscriptionRequest{Topic: wire, Subscription: subscription})
				return succeeded(resp.GetSuccess(), err)
			})
			switch {
			case err == nil || ownContext(ctx, err):
				return err
			case errors.Is(err, ErrConflict):
				if refused == nil {
					refused = err // what the owner says, and every broker that is not
				}
			case isFatal(err):
				return err
			case failed == nil:
				failed = err
			}
		}
		if refused != nil {
			return refused
		}
		return failed
	})
}
