package danubetest

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest/internal/schema"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// SchemaPolicy is what becomes of messages that do not fit the schema of their topic.
type SchemaPolicy int

// The policies.
const (
	// SchemaWarn takes messages without a schema, or with that of another subject, and
	// refuses those whose schema id nobody has registered, or whose payload was looked at
	// and does not fit. It is what a new topic has.
	SchemaWarn SchemaPolicy = iota
	// SchemaNone takes everything.
	SchemaNone
	// SchemaEnforce takes only messages with a schema of the topic's subject, and none
	// at all while the topic has no subject.
	SchemaEnforce
)

// String returns the policy's name on the wire.
func (p SchemaPolicy) String() string {
	switch p {
	case SchemaWarn:
		return "warn"
	case SchemaNone:
		return "none"
	case SchemaEnforce:
		return "enforce"
	}
	return "unknown"
}

// title is the policy's name in texts and metrics.
func (p SchemaPolicy) title() string {
	return map[SchemaPolicy]string{SchemaWarn: "Warn", SchemaNone: "None", SchemaEnforce: "Enforce"}[p]
}

// TopicSchema is what a topic demands of its messages.
type TopicSchema struct {
	// Subject is whose schemas they are written with. The first producer that names a
	// subject decides where nobody has configured one.
	Subject string
	Policy  SchemaPolicy
	// CheckPayload has payloads checked, unless Policy is SchemaNone.
	CheckPayload bool
}

// topicSchema is what a topic knows of its schema.
type topicSchema struct {
	TopicSchema
	stored  *TopicSchema      // what the registry's methods have set; outlives the broker
	created string            // the subject that it was created with: shown, and no more
	first   map[uint64]uint32 // the version that came first with a schema id; payloads are checked against that one for ever
}

// reload is what the next broker knows.
func (t *topicSchema) reload() {
	t.TopicSchema, t.first = TopicSchema{}, nil
	if t.stored != nil {
		t.TopicSchema = *t.stored
	}
}

// errUnregistered is why a topic cannot have a subject.
func errUnregistered(name string) error {
	return fmt.Errorf("Schema subject '%s' not found in registry. Please register schema first.", name) //lint:ignore ST1005 the real broker's text
}

// refer is what CreateProducer does with the schema that a request names. The version
// does not matter to the broker.
func (c *core) refer(t *topic, ref *pb.SchemaReference) error {
	switch name := ref.GetSubject(); {
	case ref == nil || t.schema.Subject == name && name != "":
		return nil
	case t.schema.Subject != "":
		return status.Errorf(codes.FailedPrecondition, "Topic '%s' uses schema subject '%s', cannot use '%s'. Only admin can change topic schema.", t.name, t.schema.Subject, name)
	case c.schemas.subjects[name] == nil:
		return status.Errorf(codes.FailedPrecondition, "Failed to assign schema '%s' to topic '%s': %v. Ensure schema is registered first.", name, t.name, errUnregistered(name))
	default:
		t.schema.Subject = name
		return nil
	}
}

// fits checks a message against its topic's schema.
func (c *core) fits(t *topic, m *pb.StreamMessage) error {
	s := &t.schema
	if s.Policy == SchemaNone {
		return nil
	}
	t.counts.checked[s.Policy]++
	enforce := s.Policy == SchemaEnforce
	refuse := func(format string, args ...any) error { return errPublish(fmt.Sprintf(format, args...)) }
	switch sub := c.schemas.byID[m.GetSchemaId()]; {
	case s.Subject == "":
		if enforce {
			return refuse("Topic %s requires schema but none is configured", t.name)
		}
		return nil
	case m.SchemaId == nil:
		if enforce {
			return refuse("Message missing schema_id for topic %s (expected subject: %s)", t.name, s.Subject)
		}
		c.cfg.logger.Debug("message without a schema", "topic", t.name, "subject", s.Subject)
		return nil
	case sub == nil:
		return refuse("Schema ID %d not found in registry", m.GetSchemaId())
	case sub.name != s.Subject:
		if enforce {
			return refuse("Schema subject mismatch for topic %s: message schema_id=%d belongs to subject '%s', but topic requires '%s'", t.name, sub.id, sub.name, s.Subject)
		}
		c.cfg.logger.Debug("message with another schema", "topic", t.name, "subject", s.Subject, "message", sub.name)
		return nil
	default:
		return c.checkPayload(t, sub, m)
	}
}

func (c *core) checkPayload(t *topic, sub *subject, m *pb.StreamMessage) error {
	s := &t.schema
	if _, ok := s.first[sub.id]; !ok {
		if s.first == nil {
			s.first = make(map[uint64]uint32)
		}
		s.first[sub.id] = 1
		if m.SchemaVersion != nil {
			s.first[sub.id] = m.GetSchemaVersion()
		}
	}
	if !s.CheckPayload {
		return nil
	}
	n := s.first[sub.id]
	v := sub.version(n)
	if v == nil {
		return errPublish(fmt.Sprintf("Schema version not found: %s/%d - Schema version %d not found for subject: %s", sub.name, n, n, sub.name))
	}
	err := v.def.Check(m.GetPayload())
	switch {
	case errors.Is(err, schema.ErrPanics):
		return errReset()
	case err != nil:
		return errPublish("Payload validation failed: " + err.Error())
	}
	return nil
}
