package danubetest

import (
	"context"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// CreateProducer registers a producer, and its topic when that does not exist.
//
//   - INVALID_ARGUMENT when the name is not /namespace/topic, or when a topic is to be
//     created with an unknown dispatch strategy.
//   - UNAVAILABLE when the namespace does not exist, and when another broker has the topic
//     or none has it; with [WithClusterCreate] also when this request has created it.
//   - NOT_FOUND when the topic does not exist and topics are not created.
//   - ALREADY_EXISTS when a plain topic and partitions would have the same base name.
//   - FAILED_PRECONDITION when the topic has the other dispatch strategy, or another
//     schema subject, or none yet and nobody has registered the request's.
//   - RESOURCE_EXHAUSTED when the topic has as many producers as it may; see [WithLimits].
//
// The same name on the same topic gives the same id, whoever asks. The access mode is
// ignored, and so is the version of the schema. The request that creates the topic does
// not give it its schema; the next one that names the subject does.
func (s *producerService) CreateProducer(ctx context.Context, req *pb.ProducerRequest) (*pb.ProducerResponse, error) {
	resp := &pb.ProducerResponse{RequestId: req.GetRequestId(), ProducerName: req.GetProducerName()}
	in := Call{
		Method:    MethodCreateProducer,
		Topic:     req.GetTopicName(),
		Producer:  req.GetProducerName(),
		RequestID: req.GetRequestId(),
	}
	err := s.call(ctx, &in, req, func(c *core) error {
		p, err := c.createProducer(in.node, req)
		if err == nil {
			resp.ProducerId = p.id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *core) createProducer(n *node, req *pb.ProducerRequest) (*producer, error) {
	name := req.GetTopicName()
	want, known := dispatchOf(req.GetDispatchStrategy())
	t, err := c.topicOn(n, name)
	if err != nil {
		return nil, err
	}
	switch {
	case t == nil && !c.cfg.autoCreate:
		return nil, errNoTopic(name)
	case t == nil && !known:
		return nil, errDispatchMissing()
	case t == nil:
		if t, err = c.addTopic(name, want, c.placeNew(n)); err != nil {
			return nil, err
		}
		t.schema.created = req.GetSchemaRef().GetSubject()
		if c.cfg.clusterCreate {
			return nil, errRedoLookup()
		}
	case known && t.dispatch != want:
		return nil, errDispatchMismatch()
	default:
		if err := c.refer(t, req.GetSchemaRef()); err != nil {
			return nil, err
		}
	}
	p := t.producers[req.GetProducerName()]
	if p == nil {
		if err := c.admitProducer(t); err != nil {
			return nil, err
		}
		p = &producer{id: c.newID(), name: req.GetProducerName(), topic: t}
		t.producers[p.name] = p
		c.producers[p.id] = p
		c.changed = true
	}
	c.leaseProducer(p)
	return p, nil
}

// topicOn returns the topic of a request, nil when there is none. It is an error when
// another broker has it.
func (c *core) topicOn(n *node, name string) (*topic, error) {
	t, err := c.topicFor(name)
	if t != nil && (!t.on(n) || t.draining) {
		return nil, errElsewhere()
	}
	return t, err
}

// topicFor returns the topic of that name, nil when there is none.
func (c *core) topicFor(name string) (*topic, error) {
	if _, ok := splitTopic(name); !ok {
		return nil, errTopicFormat(name)
	}
	return c.topics[name], nil
}

func dispatchOf(d pb.DispatchStrategy) (_ Dispatch, known bool) {
	switch d {
	case pb.DispatchStrategy_Reliable:
		return Reliable, true
	case pb.DispatchStrategy_NonReliable:
		return NonReliable, true
	}
	return 0, false
}
