package danubetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Permission is one thing that a principal may do.
type Permission int

// The permissions that brokers ask for.
const (
	Lookup          Permission = iota + 1 // lookups
	Produce                               // CreateProducer and SendMessage
	Consume                               // Subscribe; for the whole cluster, ReceiveMessages, Ack and Nack
	ManageTopic                           // the admin service, on topics
	ManageNamespace                       // the admin service, on namespaces
	ManageSchema                          // the schema registry; GetSchema and ListSubjects for the whole cluster
	ManageBroker                          // the admin service, on brokers
)

var permissionNames = []string{"", "Lookup", "Produce", "Consume", "ManageTopic", "ManageNamespace", "ManageSchema", "ManageBroker"}

// String returns the permission's name in texts.
func (p Permission) String() string {
	if p < 1 || int(p) >= len(permissionNames) {
		return "unknown"
	}
	return permissionNames[p]
}

// ParsePermission returns the permission of that name, see [Permission.String]. Upper and
// lower case do not matter.
func ParsePermission(name string) (Permission, error) {
	for p := Lookup; p <= ManageBroker; p++ {
		if strings.EqualFold(p.String(), name) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("permission %q: want one of %s", name, strings.Join(permissionNames[1:], ", "))
}

// Grant lets a principal do something somewhere.
type Grant struct {
	// Topic is where: a topic on the wire, /namespace/topic, which may be a partition.
	Topic string
	// Namespace is where: every topic in it. With neither it is the whole cluster.
	Namespace   string
	Permissions []Permission
}

// WithGrants makes the brokers refuse what nobody was granted, with PERMISSION_DENIED
// `no binding grants`, and grants something to a principal; it needs [WithTokens] or
// [WithTokenVerifier]. Principals that are named with no grant at all may do nothing.
//
// With [TrapGrants], ReceiveMessages, Ack and Nack ask for Consume on the whole cluster: who
// has it on a topic can subscribe and gets nothing.
func WithGrants(principal string, grants ...Grant) Option {
	return func(c *config) error {
		for _, g := range grants {
			if g.Topic != "" && g.Namespace != "" {
				return fmt.Errorf("grant of %q: want a topic, a namespace or neither", principal)
			}
			for _, p := range g.Permissions {
				if p < Lookup || p > ManageBroker {
					return fmt.Errorf("grant of %q: permission %d is unknown", principal, p)
				}
			}
		}
		if c.grants == nil {
			c.grants = make(map[string][]Grant)
		}
		c.grants[principal] = append(c.grants[principal], grants...)
		return nil
	}
}

// WithAdmins names principals that may do everything; the others need [WithGrants] then.
func WithAdmins(principals ...string) Option {
	return func(c *config) error {
		c.admins = append(c.admins, principals...)
		return nil
	}
}

func (c *config) checkSecurity() error {
	if !c.authenticate && (c.grants != nil || c.admins != nil) {
		return errors.New("grants: they need principals: use WithTokens or WithTokenVerifier")
	}
	return nil
}

// resource is what a permission is asked for.
type resource struct {
	kind, name string // Topic, Namespace, SchemaSubject or Cluster
}

func (r resource) String() string {
	if r.kind == "Cluster" {
		return r.kind
	}
	return fmt.Sprintf("%s(%q)", r.kind, r.name)
}

// needed is what a request has to be granted; none for some.
func needed(in *Call) (p Permission, r resource) {
	topic, cluster, subject := resource{"Topic", in.Topic}, resource{kind: "Cluster"}, resource{"SchemaSubject", in.Subject}
	switch in.Method {
	case MethodTopicLookup, MethodTopicPartitions:
		return Lookup, topic
	case MethodCreateProducer, MethodSendMessage:
		return Produce, topic
	case MethodSubscribe:
		return Consume, topic
	case MethodReceiveMessages, MethodAck, MethodNack:
		return Consume, cluster
	case MethodRegisterSchema, MethodGetLatestSchema, MethodListVersions, MethodCheckCompatibility, MethodSetCompatibilityMode, MethodDeleteSchemaVersion:
		return ManageSchema, subject
	case MethodGetSchema, MethodListSubjects:
		return ManageSchema, cluster
	case MethodConfigureTopicSchema, MethodUpdateTopicValidationPolicy, MethodGetTopicSchemaConfig:
		return ManageSchema, topic
	case MethodListNamespaceTopics:
		return ManageTopic, resource{"Namespace", in.Namespace}
	case MethodCreateNamespace, MethodDeleteNamespace, MethodGetNamespaceTopics:
		return ManageNamespace, resource{"Namespace", in.Namespace}
	case MethodListNamespaces:
		return ManageNamespace, cluster
	case MethodListBrokers, MethodGetLeaderBroker:
		return ManageBroker, cluster
	case MethodHealthCheck, MethodListSegmentDescriptors, MethodDelivery:
		return 0, cluster
	}
	return ManageTopic, topic
}

// allow checks what a request may do.
func (c *core) allow(in *Call) error {
	if c.cfg.grants == nil && c.cfg.admins == nil || in.internal || slices.Contains(c.cfg.admins, in.Principal) {
		return nil
	}
	p, r := needed(in)
	switch in.Method {
	case MethodReceiveMessages, MethodAck, MethodNack:
		if !c.trap(TrapGrants) {
			r = resource{"Topic", in.Topic}
		}
	}
	if p == 0 {
		return nil
	}
	for _, g := range c.cfg.grants[in.Principal] {
		if slices.Contains(g.Permissions, p) && g.covers(r) {
			return nil
		}
	}
	return status.Errorf(codes.PermissionDenied, "no binding grants %s on %s for service_account:%s", p, r, in.Principal)
}

// namespaceOf is the first part of a path.
func namespaceOf(path string) string {
	ns, _, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	return ns
}

// covers reports whether a grant is for a resource. A schema subject is looked up as if
// it were a topic.
func (g Grant) covers(r resource) bool {
	switch {
	case g.Topic == "" && g.Namespace == "":
		return true
	case r.kind == "Topic" || r.kind == "SchemaSubject":
		if g.Topic != "" {
			return g.Topic == r.name
		}
		return g.Namespace == namespaceOf(r.name)
	case r.kind == "Namespace":
		return g.Namespace != "" && g.Namespace == r.name
	}
	return false
}
