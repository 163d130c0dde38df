package danubetest

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// schemaTopic finds the topic of a request about its schema: only the broker that has
// it can answer.
func (c *core) schemaTopic(in *Call) (*topic, error) {
	t := c.topics[in.Topic]
	if t == nil || !t.on(in.node) {
		return nil, status.Errorf(codes.NotFound, "Topic '%s' not found on this broker", in.Topic)
	}
	return t, nil
}

func schemaPolicyOf(name string) (SchemaPolicy, error) {
	for p := SchemaWarn; p <= SchemaEnforce; p++ {
		if strings.EqualFold(name, p.String()) {
			return p, nil
		}
	}
	return 0, status.Errorf(codes.InvalidArgument, "Invalid validation policy: '%s'. Must be 'none', 'warn', or 'enforce'", name)
}

func onOff(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// ConfigureTopicSchema says what a topic demands of its messages, for good.
// INVALID_ARGUMENT for a policy that is unknown; NOT_FOUND when nobody has registered the
// subject, and when the topic is not on this broker.
func (s *schemaService) ConfigureTopicSchema(ctx context.Context, req *schemapb.ConfigureTopicSchemaRequest) (*schemapb.ConfigureTopicSchemaResponse, error) {
	in := Call{Method: MethodConfigureTopicSchema, Topic: req.GetTopicName(), Subject: req.GetSchemaSubject()}
	resp := &schemapb.ConfigureTopicSchemaResponse{Success: true}
	err := s.call(ctx, &in, req, func(c *core) error {
		p, err := schemaPolicyOf(req.GetValidationPolicy())
		if err != nil {
			return err
		}
		if c.schemas.subjects[req.GetSchemaSubject()] == nil {
			return status.Errorf(codes.NotFound, "Schema subject '%s' not found in registry: %v", req.GetSchemaSubject(), errNoSubject(req.GetSchemaSubject()))
		}
		t, err := c.schemaTopic(&in)
		if err != nil {
			return err
		}
		t.schema.TopicSchema = TopicSchema{req.GetSchemaSubject(), p, req.GetEnablePayloadValidation()}
		t.schema.store()
		resp.Message = fmt.Sprintf("Topic '%s' configured with schema '%s', validation policy '%s', payload validation %s",
			t.name, t.schema.Subject, p.title(), onOff(t.schema.CheckPayload))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// store keeps what is configured for the next broker.
func (t *topicSchema) store() {
	cfg := t.TopicSchema
	t.stored = &cfg
}

// UpdateTopicValidationPolicy changes the policy of a topic. INVALID_ARGUMENT for one that
// is unknown; NOT_FOUND when the topic is not on this broker. FAILED_PRECONDITION while the
// topic has no subject, and then the policy is in force all the same, until the topic
// moves.
func (s *schemaService) UpdateTopicValidationPolicy(ctx context.Context, req *schemapb.UpdateTopicValidationPolicyRequest) (*schemapb.UpdateTopicValidationPolicyResponse, error) {
	in := Call{Method: MethodUpdateTopicValidationPolicy, Topic: req.GetTopicName()}
	resp := &schemapb.UpdateTopicValidationPolicyResponse{Success: true}
	err := s.call(ctx, &in, req, func(c *core) error {
		p, err := schemaPolicyOf(req.GetValidationPolicy())
		if err != nil {
			return err
		}
		t, err := c.schemaTopic(&in)
		if err != nil {
			return err
		}
		t.schema.Policy, t.schema.CheckPayload = p, req.GetEnablePayloadValidation()
		if t.schema.Subject == "" {
			return status.Errorf(codes.FailedPrecondition, "Topic '%s' has no schema subject configured. Use ConfigureTopicSchema first.", t.name)
		}
		t.schema.store()
		resp.Message = fmt.Sprintf("Validation policy updated to '%s', payload validation %s", p.title(), onOff(t.schema.CheckPayload))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// GetTopicSchemaConfig says what a topic demands. The id of its schema is always 0, as
// it is on the real broker. NOT_FOUND when the topic is not on this broker.
func (s *schemaService) GetTopicSchemaConfig(ctx context.Context, req *schemapb.GetTopicSchemaConfigRequest) (resp *schemapb.GetTopicSchemaConfigResponse, err error) {
	in := Call{Method: MethodGetTopicSchemaConfig, Topic: req.GetTopicName()}
	err = s.call(ctx, &in, req, func(c *core) error {
		t, err := c.schemaTopic(&in)
		if err != nil {
			return err
		}
		resp = &schemapb.GetTopicSchemaConfigResponse{
			SchemaSubject: t.schema.Subject, ValidationPolicy: t.schema.Policy.String(), EnablePayloadValidation: t.schema.CheckPayload,
		}
		return nil
	})
	return resp, err
}
