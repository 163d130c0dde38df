package danubetest

import (
	"context"
	"slices"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// TopicLookup says where a topic is served: always here.
//
// INVALID_ARGUMENT when the name is not /namespace/topic, NOT_FOUND when there is no
// such topic; the base name of a partitioned topic is none.
func (s *discoveryService) TopicLookup(ctx context.Context, req *pb.TopicLookupRequest) (*pb.TopicLookupResponse, error) {
	in := Call{Method: MethodTopicLookup, Topic: req.GetTopic(), RequestID: req.GetRequestId()}
	err := s.b.call(ctx, &in, req, func(c *core) error {
		t, err := c.topicFor(req.GetTopic())
		if err == nil && t == nil {
			err = errNoTopicLookup(req.GetTopic())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	url := s.b.urlFor(ctx)
	return &pb.TopicLookupResponse{
		RequestId:    req.GetRequestId(),
		ResponseType: pb.TopicLookupResponse_Connect,
		ConnectUrl:   url,
		BrokerUrl:    url,
	}, nil
}

// TopicPartitions lists the topics behind a name: the topic itself, or its
// partitions in lexicographic order (10 before 2), or nothing.
func (s *discoveryService) TopicPartitions(ctx context.Context, req *pb.TopicLookupRequest) (*pb.TopicPartitionsResponse, error) {
	resp := &pb.TopicPartitionsResponse{RequestId: req.GetRequestId()}
	in := Call{Method: MethodTopicPartitions, Topic: req.GetTopic(), RequestID: req.GetRequestId()}
	err := s.b.call(ctx, &in, req, func(c *core) error {
		if _, err := c.topicFor(req.GetTopic()); err != nil {
			return err
		}
		for _, t := range c.find(req.GetTopic()) {
			resp.Partitions = append(resp.Partitions, t.name)
		}
		slices.Sort(resp.Partitions)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
