package danubetest

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

type namespaceAdmin struct {
	adminpb.UnimplementedNamespaceAdminServer
	*network
}

// CreateNamespace creates a namespace, which has no limits. NOT_FOUND when it exists.
func (s *namespaceAdmin) CreateNamespace(ctx context.Context, req *adminpb.NamespaceRequest) (*adminpb.NamespaceResponse, error) {
	in := Call{Method: MethodCreateNamespace, Namespace: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		if c.namespaces[req.GetName()] {
			return status.Errorf(codes.NotFound, "Unable to create the namespace: namespace %s already exists", req.GetName())
		}
		c.namespaces[req.GetName()] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.NamespaceResponse{Success: true}, nil
}

// DeleteNamespace deletes a namespace without topics. NOT_FOUND when it does not exist
// or has some; those of a namespace whose name begins with this one count as its own.
func (s *namespaceAdmin) DeleteNamespace(ctx context.Context, req *adminpb.NamespaceRequest) (*adminpb.NamespaceResponse, error) {
	in := Call{Method: MethodDeleteNamespace, Namespace: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		refuse := func(why string) error {
			return status.Errorf(codes.NotFound, "Unable to delete the namespace %s due to %s", req.GetName(), why)
		}
		switch {
		case !c.namespaces[req.GetName()]:
			return refuse("Namespace " + req.GetName() + " does not exists.")
		case len(c.inNamespace(req.GetName())) > 0:
			return refuse("Can't delete and non empty namespace: " + req.GetName())
		}
		delete(c.namespaces, req.GetName())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &adminpb.NamespaceResponse{Success: true}, nil
}

// GetNamespaceTopics lists the names of the topics of a namespace, and of those whose
// names begin with its name.
func (s *namespaceAdmin) GetNamespaceTopics(ctx context.Context, req *adminpb.NamespaceRequest) (*adminpb.TopicListResponse, error) {
	resp := new(adminpb.TopicListResponse)
	in := Call{Method: MethodGetNamespaceTopics, Namespace: req.GetName()}
	err := s.call(ctx, &in, req, func(c *core) error {
		resp.Topics = c.inNamespace(req.GetName())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// inNamespace returns the names of the topics of a namespace. As everywhere it is the
// beginning of the name that counts with TrapPrefix.
func (c *core) inNamespace(name string) (list []string) {
	for topic := range c.topics {
		if ns, _ := splitTopic(topic); ns == name || c.trap(TrapPrefix) && strings.HasPrefix(ns, name) {
			list = append(list, topic)
		}
	}
	slices.Sort(list)
	return list
}
