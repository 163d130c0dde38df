package danube

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// TopicOptions are what a topic is created with.
type TopicOptions struct {
	// Dispatch is fixed for the topic's life. Default: Reliable.
	Dispatch Dispatch
	// SchemaSubject is the subject that the topic's messages are written with, if any.
	// The broker does not look whether there is such a subject.
	SchemaSubject string
}

func (o TopicOptions) wire() (adminpb.DispatchStrategy, *string) {
	dispatch := adminpb.DispatchStrategy_Reliable
	if o.Dispatch == NonReliable {
		dispatch = adminpb.DispatchStrategy_NonReliable
	}
	if o.SchemaSubject == "" {
		return dispatch, nil
	}
	return dispatch, &o.SchemaSubject
}

// TopicInfo is one topic on the wire, with the suffix of a partition.
type TopicInfo struct {
	Name     string
	Broker   string // the id of its owner; empty while it has none
	Dispatch Dispatch
}

// CreateTopic creates a topic without partitions. In a cluster it gets its owner a
// little later. Errors: ErrExists; ErrConflict when there is a partitioned topic of
// the name, or any topic whose name begins with it; ErrNotFound for the namespace.
func (a *Admin) CreateTopic(ctx context.Context, topic string, opts TopicOptions) error {
	const op = "create topic"
	if err := checkTopic(topic); err != nil {
		return err
	}
	req := &adminpb.NewTopicRequest{Name: topic}
	req.DispatchStrategy, req.SchemaSubject = opts.wire()
	return a.call(ctx, op, topic, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := adminpb.NewTopicAdminClient(conn).CreateTopic(ctx, req)
		return succeeded(resp.GetSuccess(), err)
	})
}

// CreatePartitionedTopic creates a topic of several partitions, up to the first that
// fails: ErrExists when that exists already, ErrConflict when there is a topic of the
// name without partitions, ErrNotFound for the namespace.
func (a *Admin) CreatePartitionedTopic(ctx context.Context, topic string, partitions int, opts TopicOptions) error {
	const op = "create partitioned topic"
	if err := checkTopic(topic); err != nil {
		return err
	}
	if partitions < 1 || partitions > 10000 {
		return invalid("topic %s: %d partitions; want 1 to 10000", topic, partitions)
	}
	if strings.Contains(topic, partitionInfix) {
		return invalid("topic %s: %q is for the names of partitions", topic, partitionInfix)
	}
	req := &adminpb.PartitionedTopicRequest{BaseName: topic, Partitions: uint32(partitions)}
	req.DispatchStrategy, req.SchemaSubject = opts.wire()
	return a.call(ctx, op, topic, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := adminpb.NewTopicAdminClient(conn).CreatePartitionedTopic(ctx, req)
		return succeeded(resp.GetSuccess(), err)
	})
}

// DeleteTopic deletes a topic with all its partitions, its messages and its
// subscriptions; a little later in a cluster. A partition alone cannot be deleted.
//
// Brokers of 0.15 take all partitions of every topic whose name begins with this
// topic's for its own: deleting /default/orders, with partitions or without, would
// delete those of /default/orders-eu. Where there are such, nothing is deleted and
// the error is ErrConflict.
func (a *Admin) DeleteTopic(ctx context.Context, topic string) error {
	const op = "delete topic"
	if err := checkTopic(topic); err != nil {
		return err
	}
	if strings.Contains(topic, partitionInfix) {
		return invalid("topic %s: a partition cannot be deleted alone; delete the topic by its name without %s and what follows", topic, partitionInfix)
	}
	names, err := a.names(ctx, op, topic)
	switch {
	case errors.Is(err, ErrPermission): // this is a service, and not ours to know
	case err != nil:
		return err
	default:
		found := false
		for _, name := range names {
			if _, ours := partitionOf(topic, name); ours {
				found = true
			} else if strings.HasPrefix(name, topic) && strings.Contains(name, partitionInfix) {
				return adminError(op, topic, ErrConflict, "the broker would delete %s as well, since its name begins with the topic's", name)
			}
		}
		if !found {
			return adminError(op, topic, ErrNotFound, "there is no such topic")
		}
	}
	return a.call(ctx, op, topic, func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := adminpb.NewTopicAdminClient(conn).DeleteTopic(ctx, &adminpb.TopicRequest{Name: topic})
		return succeeded(resp.GetSuccess(), err)
	})
}

// Topics lists the topics of a namespace by name, partitions one by one. A namespace
// that does not exist has none.
func (a *Admin) Topics(ctx context.Context, namespace string) ([]TopicInfo, error) {
	if err := checkNamespace(namespace); err != nil {
		return nil, err
	}
	var resp *adminpb.TopicInfoListResponse
	err := a.call(ctx, "list topics of "+namespace, "", func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = adminpb.NewTopicAdminClient(conn).ListNamespaceTopics(ctx, &adminpb.NamespaceRequest{Name: namespace})
		return err
	})
	if err != nil {
		return nil, err
	}
	var topics []TopicInfo
	for _, t := range resp.GetTopics() {
		if strings.HasPrefix(t.GetName(), "/"+namespace+"/") { // the broker adds those of longer names
			topics = append(topics, TopicInfo{Name: t.GetName(), Broker: t.GetBrokerId(), Dispatch: dispatchOf(t.GetDelivery())})
		}
	}
	slices.SortFunc(topics, func(a, b TopicInfo) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(topics, func(a, b TopicInfo) bool { return a.Name == b.Name }), nil
}

func dispatchOf(text string) Dispatch {
	if text == "Reliable" {
		return Reliable
	}
	return NonReliable
}

// names lists the names on the wire in a topic's namespace.
func (a *Admin) names(ctx context.Context, op, topic string) ([]string, error) {
	namespace := strings.Split(topic, "/")[1]
	var resp *adminpb.TopicListResponse
	err := a.call(ctx, op, topic, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = adminpb.NewNamespaceAdminClient(conn).GetNamespaceTopics(ctx, &adminpb.NamespaceRequest{Name: namespace})
		return err
	})
	var names []string
	for _, name := range resp.GetTopics() {
		names = append(names, "/"+strings.TrimPrefix(name, "/"))
	}
	return unique(names), err
}

// onWire lists the names on the wire that are meant by a topic. Where the caller may
// not list topics, it is the name that was given.
func (a *Admin) onWire(ctx context.Context, op, topic string) ([]string, error) {
	names, err := a.names(ctx, op, topic)
	if errors.Is(err, ErrPermission) {
		return []string{topic}, nil
	}
	if err != nil {
		return nil, err
	}
	parts, err := partitionsOf(topic, names)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, adminError(op, topic, ErrNotFound, "there is no such topic")
	}
	wire := make([]string, len(parts))
	for i, n := range parts {
		wire[i] = topic
		if n != NoPartition {
			wire[i] = partitionTopic(topic, n)
		}
	}
	return wire, nil
}
