package danube

import (
	"context"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// TopicDescription is what is known of one topic.
type TopicDescription struct {
	Name string
	// Partitions is how many it has, 0 for a topic that is not partitioned.
	Partitions int
	// Brokers are the ids of the owners, one for each partition, or one; empty where
	// there is none at present.
	Brokers  []string
	Dispatch Dispatch
	// Subscriptions are those of all partitions by name, and those that have only a
	// failure policy yet.
	Subscriptions []string
	// SchemaSubject is what the topic was created with, by CreateTopic or by its first
	// producer; empty for none. What Schemas.ConfigureTopic sets does not show here. The
	// fields below are those of its latest version, zero when the registry does not
	// have it.
	SchemaSubject string
	Schema        SchemaID
	SchemaType    SchemaType
	Compatibility Compatibility
}

// DescribeTopic tells what is known of a topic. ErrNotFound: there is none.
func (a *Admin) DescribeTopic(ctx context.Context, topic string) (TopicDescription, error) {
	const op = "describe topic"
	if err := checkTopic(topic); err != nil {
		return TopicDescription{}, err
	}
	wire, err := a.onWire(ctx, op, topic)
	if err != nil {
		return TopicDescription{}, err
	}
	d := TopicDescription{Name: topic}
	if wire[0] != topic {
		d.Partitions = len(wire)
	}
	for _, name := range wire {
		t, err := a.describe(ctx, op, name)
		if err != nil {
			return TopicDescription{}, err
		}
		d.Brokers = append(d.Brokers, t.GetBrokerId())
		d.Subscriptions = append(d.Subscriptions, t.GetSubscriptions()...)
		d.Dispatch = dispatchOf(t.GetDelivery())
		d.SchemaSubject = t.GetSchemaSubject()
		d.Schema = SchemaID{ID: t.GetSchemaId(), Version: t.GetSchemaVersion()}
		d.SchemaType = SchemaType(t.GetSchemaType())
		d.Compatibility = compatibility(t.GetCompatibilityMode())
	}
	// The broker names a subscription once for each key that it has of it.
	d.Subscriptions = unique(d.Subscriptions)
	return d, nil
}

func (a *Admin) describe(ctx context.Context, op, wire string) (resp *adminpb.DescribeTopicResponse, err error) {
	err = a.call(ctx, op, wire, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = adminpb.NewTopicAdminClient(conn).DescribeTopic(ctx, &adminpb.DescribeTopicRequest{Name: wire})
		return err
	})
	return resp, err
}

// UnloadTopic has the owner of a topic hand it over to another broker: producers and
// consumers follow. It returns when the brokers have accepted, before they have done
// it. A reliable topic whose brokers do not share their storage loses what is not
// delivered yet.
//
// It is also the only repair of a subscription that skipped messages or has gone
// silent (see Consumer): delivery starts again after what was acknowledged last.
//
// Errors: ErrUnsupported when there is no other broker; ErrNotFound.
func (a *Admin) UnloadTopic(ctx context.Context, topic string) error {
	const op = "unload topic"
	if err := checkTopic(topic); err != nil {
		return err
	}
	wire, err := a.onWire(ctx, op, topic)
	if err != nil {
		return err
	}
	for _, name := range wire {
		err := a.call(ctx, op, name, func(ctx context.Context, conn *grpc.ClientConn) error {
			resp, err := adminpb.NewTopicAdminClient(conn).UnloadTopic(ctx, &adminpb.TopicRequest{Name: name})
			return succeeded(resp.GetSuccess(), err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
