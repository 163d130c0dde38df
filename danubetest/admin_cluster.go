package danubetest

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

type brokerAdmin struct {
	adminpb.UnimplementedBrokerAdminServer
	*network
}

// UnloadTopic moves one topic to another broker; the answer says that it has begun.
// FAILED_PRECONDITION with fewer than two brokers alive, NOT_FOUND when there is no such
// topic or no broker has it.
func (s *topicAdmin) UnloadTopic(ctx context.Context, req *adminpb.TopicRequest) (*adminpb.TopicResponse, error) {
	in := Call{Method: MethodUnloadTopic, Topic: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		alive := 0
		for _, n := range c.nodes {
			if n.alive {
				alive++
			}
		}
		if alive < 2 {
			return status.Error(codes.FailedPrecondition, "Cannot unload topic: single broker cluster detected. Unload requires at least 2 brokers.")
		}
		t := c.topics[req.GetName()]
		if t == nil || t.owner == nil || t.draining || !t.owner.alive {
			return status.Errorf(codes.NotFound, "Unable to unload the topic %s due to no broker assignment", req.GetName())
		}
		c.move(t, c.another(t.owner))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.TopicResponse{Success: true}, nil
}

// ListBrokers lists the brokers that are alive, and the dead ones that still have
// their topics.
func (s *brokerAdmin) ListBrokers(ctx context.Context, req *adminpb.Empty) (*adminpb.BrokerListResponse, error) {
	resp := new(adminpb.BrokerListResponse)
	in := Call{Method: MethodListBrokers}
	err := s.call(ctx, &in, req, func(c *core) error {
		leader := c.leader()
		for _, n := range c.nodes {
			if !n.alive && n.death.slot == 0 {
				continue
			}
			role := "Cluster_Follower"
			if n == leader {
				role = "Cluster_Leader"
			}
			resp.Brokers = append(resp.Brokers, &adminpb.BrokerInfo{
				BrokerId: n.name(), BrokerAddr: n.url, BrokerRole: role, AdminAddr: n.url, MetricsAddr: s.b.metricsAddr(n), BrokerStatus: "active",
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// GetLeaderBroker returns the id of the first broker alive.
func (s *brokerAdmin) GetLeaderBroker(ctx context.Context, req *adminpb.Empty) (*adminpb.BrokerResponse, error) {
	resp := new(adminpb.BrokerResponse)
	in := Call{Method: MethodGetLeaderBroker}
	err := s.call(ctx, &in, req, func(c *core) error {
		resp.Leader = c.leader().name()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// ListNamespaces lists the namespaces by name.
func (s *brokerAdmin) ListNamespaces(ctx context.Context, req *adminpb.Empty) (*adminpb.NamespaceListResponse, error) {
	resp := new(adminpb.NamespaceListResponse)
	in := Call{Method: MethodListNamespaces}
	err := s.call(ctx, &in, req, func(c *core) error {
		resp.Namespaces = slices.Sorted(maps.Keys(c.namespaces))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// leader is the first broker alive; somebody has been asked, so there is one.
func (c *core) leader() *node {
	for _, n := range c.nodes {
		if n.alive {
			return n
		}
	}
	return nil
}
