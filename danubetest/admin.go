package danubetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// The admin services, on the same port as the others. What is not here is answered
// UNIMPLEMENTED.

type topicAdmin struct {
	adminpb.UnimplementedTopicAdminServer
	*network
}

// errAdmin is how the admin service answers every failure: NOT_FOUND, with what it came
// from as text.
func errAdmin(what string, err error) error {
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = fmt.Sprintf("code: '%s', message: %q", codeTexts[s.Code()], s.Message())
	}
	return status.Errorf(codes.NotFound, "Unable to %s due to %s", what, text)
}

// codeTexts are the codes in the words of the real broker's library.
var codeTexts = map[codes.Code]string{
	codes.InvalidArgument: "Client specified an invalid argument",
	codes.AlreadyExists:   "Some entity that we attempted to create already exists",
	codes.Unavailable:     "The service is currently unavailable",
}

func adminDispatch(d adminpb.DispatchStrategy) Dispatch {
	if d == adminpb.DispatchStrategy_NonReliable {
		return NonReliable
	}
	return Reliable
}

// CreateTopic creates one topic. Every failure is NOT_FOUND, also when it exists.
func (s *topicAdmin) CreateTopic(ctx context.Context, req *adminpb.NewTopicRequest) (*adminpb.TopicResponse, error) {
	in := Call{Method: MethodCreateTopic, Topic: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		t, err := c.addTopic(req.GetName(), adminDispatch(req.GetDispatchStrategy()), c.place())
		if err != nil {
			return errAdmin("create the topic "+req.GetName(), err)
		}
		t.schema.created = req.GetSchemaSubject()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.TopicResponse{Success: true}, nil
}

// CreatePartitionedTopic creates the partitions of a topic, up to the first that
// fails. Every failure is NOT_FOUND.
func (s *topicAdmin) CreatePartitionedTopic(ctx context.Context, req *adminpb.PartitionedTopicRequest) (*adminpb.TopicResponse, error) {
	in := Call{Method: MethodCreatePartitionedTopic, Topic: req.GetBaseName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		if n := req.GetPartitions(); n > maxPartitions {
			return errAdmin("create the topic "+req.GetBaseName(), fmt.Errorf("%d partitions: danubetest has %d at most", n, maxPartitions))
		}
		for i := range req.GetPartitions() {
			t, err := c.addTopic(partitionName(req.GetBaseName(), int(i)), adminDispatch(req.GetDispatchStrategy()), c.place())
			if err != nil {
				return errAdmin("create the topic "+partitionName(req.GetBaseName(), int(i)), err)
			}
			t.schema.created = req.GetSchemaSubject()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.TopicResponse{Success: true}, nil
}

// DeleteTopic deletes a topic, or all partitions behind a base name. NOT_FOUND when
// there is none, and for the name of a single partition.
func (s *topicAdmin) DeleteTopic(ctx context.Context, req *adminpb.TopicRequest) (*adminpb.TopicResponse, error) {
	in := Call{Method: MethodDeleteTopic, Topic: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		if strings.Contains(req.GetName(), "-part-") {
			return errAdmin("delete the topic "+req.GetName(), fmt.Errorf("Cannot delete individual partition '%s'. Delete the base topic instead (e.g., if partition is '/default/mytopic-part-0', delete '/default/mytopic').", req.GetName())) //lint:ignore ST1005 the real broker's text
		}
		topics := c.find(req.GetName())
		if len(topics) == 0 {
			return errAdmin("delete the topic "+req.GetName(), errors.New("Unable to find topic: "+req.GetName()))
		}
		for _, t := range topics {
			c.deleteTopic(t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.TopicResponse{Success: true}, nil
}

// ListNamespaceTopics lists the topics of a namespace by name.
func (s *topicAdmin) ListNamespaceTopics(ctx context.Context, req *adminpb.NamespaceRequest) (*adminpb.TopicInfoListResponse, error) {
	resp := new(adminpb.TopicInfoListResponse)
	in := Call{Method: MethodListNamespaceTopics, Namespace: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		for _, t := range c.sorted() {
			if ns, _ := splitTopic(t.name); ns == req.GetName() {
				resp.Topics = append(resp.Topics, &adminpb.TopicInfo{Name: t.name, BrokerId: t.owner.name(), Delivery: t.dispatch.String()})
			}
		}
		slices.SortFunc(resp.Topics, func(a, b *adminpb.TopicInfo) int { return strings.Compare(a.GetName(), b.GetName()) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// DescribeTopic tells about one topic. One that does not exist is described like a
// NonReliable topic that no broker has.
func (s *topicAdmin) DescribeTopic(ctx context.Context, req *adminpb.DescribeTopicRequest) (*adminpb.DescribeTopicResponse, error) {
	resp := &adminpb.DescribeTopicResponse{Name: req.GetName(), Delivery: NonReliable.String()}
	in := Call{Method: MethodDescribeTopic, Topic: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		t := c.topics[req.GetName()]
		if t == nil {
			return nil
		}
		resp.BrokerId, resp.Delivery = t.owner.name(), t.dispatch.String()
		for _, sub := range t.subs {
			resp.Subscriptions = append(resp.Subscriptions, sub.name)
		}
		c.describeSchema(t, resp)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// describeSchema tells about the subject that a topic was created with, whether or not
// it is the one that its messages are checked against.
func (c *core) describeSchema(t *topic, resp *adminpb.DescribeTopicResponse) {
	if t.schema.created == "" {
		return
	}
	name := t.schema.created // a copy: the answer is sent later
	resp.SchemaSubject = &name
	sub := c.schemas.subjects[t.schema.created]
	if sub == nil || sub.latest().deleted {
		return
	}
	id, number := sub.id, sub.latest().number
	kind, mode := sub.latest().def.Kind.String(), strings.ToUpper(sub.mode.String())
	resp.SchemaId, resp.SchemaVersion, resp.SchemaType, resp.CompatibilityMode = &id, &number, &kind, &mode
}
