package danubetest

import (
	"context"
	"slices"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// TopicLookup says where a topic is served: Connect when it is here, else Redirect to
// the broker that has it, dead or alive, see [TrapDeadOwner]. Behind a proxy both answer with the proxy as
// connect_url.
//
// INVALID_ARGUMENT when the name is not /namespace/topic, NOT_FOUND when there is no
// such topic, or none has it because it is moving; the base name of a partitioned topic
// is none. With [TrapPrefix] a topic that is not on this broker is found by the beginning
// of its name, and another with it.
func (s *discoveryService) TopicLookup(ctx context.Context, req *pb.TopicLookupRequest) (*pb.TopicLookupResponse, error) {
	resp := &pb.TopicLookupResponse{RequestId: req.GetRequestId(), ResponseType: pb.TopicLookupResponse_Redirect}
	in := Call{Method: MethodTopicLookup, Topic: req.GetTopic(), RequestID: req.GetRequestId()}
	var owner *node
	err := s.call(ctx, &in, req, func(c *core) error {
		t, err := c.topicFor(req.GetTopic())
		if err != nil {
			return err
		}
		if c.trap(TrapPrefix) && (t == nil || t.owner != in.node) {
			t = c.firstLike(req.GetTopic())
		}
		if t == nil || t.owner == nil || !t.owner.alive && !c.trap(TrapDeadOwner) {
			return errNoTopicLookup(req.GetTopic())
		}
		owner = t.owner
		if owner == in.node && t.name == req.GetTopic() {
			resp.ResponseType = pb.TopicLookupResponse_Connect
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	resp.ConnectUrl, resp.BrokerUrl = owner.urlsFor(ctx)
	if in.to != "" {
		resp.ResponseType, resp.ConnectUrl, resp.BrokerUrl = pb.TopicLookupResponse_Redirect, in.to, in.to
	}
	resp.Proxy = resp.ConnectUrl != resp.BrokerUrl
	return resp, nil
}

// firstLike returns what a broker finds that does not have a topic: the first that begins
// with the name among those of the first broker, then of the second.
func (c *core) firstLike(name string) (first *topic) {
	for _, like := range c.beginning(name) {
		t := c.topics[like]
		if t.owner != nil && (first == nil || t.owner.id < first.owner.id) {
			first = t
		}
	}
	return first
}

// TopicPartitions lists the topics behind a name: the topic itself, or its
// partitions in lexicographic order (10 before 2, see [TrapListing]), or nothing. Every
// broker knows.
func (s *discoveryService) TopicPartitions(ctx context.Context, req *pb.TopicLookupRequest) (*pb.TopicPartitionsResponse, error) {
	resp := &pb.TopicPartitionsResponse{RequestId: req.GetRequestId()}
	in := Call{Method: MethodTopicPartitions, Topic: req.GetTopic(), RequestID: req.GetRequestId()}
	err := s.call(ctx, &in, req, func(c *core) error {
		if _, err := c.topicFor(req.GetTopic()); err != nil {
			return err
		}
		if c.topics[req.GetTopic()] == nil && c.trap(TrapPrefix) {
			resp.Partitions = c.beginning(req.GetTopic())
		} else {
			for _, t := range c.find(req.GetTopic()) {
				resp.Partitions = append(resp.Partitions, t.name)
			}
		}
		if c.trap(TrapListing) {
			slices.Sort(resp.Partitions)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
