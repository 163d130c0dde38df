package danubetest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/danube-messaging/danube-connect-go/danubetest/internal/schema"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// RegisterSchema registers a definition as a version of a subject, as a client would,
// and returns what messages carry. The type is bytes, string, number, avro, json_schema
// or protobuf. A definition that the subject has already gives the version that it has.
// It is an error when the definition cannot be read, and when it breaks the subject's
// compatibility mode.
func (b *Broker) RegisterSchema(subject, schemaType, definition string) (id uint64, version uint32, err error) {
	b.do(func(c *core) {
		s, v, _, rerr := c.register(&schemapb.RegisterSchemaRequest{
			Subject: subject, SchemaType: schemaType, SchemaDefinition: []byte(definition), CreatedBy: "danubetest",
		})
		if rerr != nil {
			err = fmt.Errorf("danubetest: register schema of %q: %w", subject, rerr)
			return
		}
		id, version = s.id, v.number
	})
	return id, version, err
}

// SetCompatibility sets the compatibility mode of a subject: none, backward, which is
// what new subjects have, forward or full. It is an error when there is no such subject.
func (b *Broker) SetCompatibility(subject, mode string) (err error) {
	m, ok := schema.ModeOf(mode)
	if !ok {
		return fmt.Errorf("danubetest: set compatibility of %q: mode %q: want none, backward, forward or full", subject, mode)
	}
	b.do(func(c *core) {
		s := c.schemas.subjects[subject]
		if s == nil {
			err = fmt.Errorf("danubetest: set compatibility: there is no schema subject %q", subject)
			return
		}
		s.mode = m
	})
	return err
}

// SetTopicSchema says what a topic, or all partitions of one, demand of their messages.
// It is an error when there is no such topic, and when nobody has registered the subject.
func (b *Broker) SetTopicSchema(topic string, s TopicSchema) (err error) {
	if s.Policy < SchemaWarn || s.Policy > SchemaEnforce {
		return fmt.Errorf("danubetest: set topic schema: policy %d is unknown", s.Policy)
	}
	b.do(func(c *core) {
		topics := c.find(topic)
		switch {
		case len(topics) == 0:
			err = fmt.Errorf("danubetest: set topic schema: %w", errUnknownTopic(topic))
		case c.schemas.subjects[s.Subject] == nil:
			err = fmt.Errorf("danubetest: set topic schema: there is no schema subject %q", s.Subject)
		default:
			for _, t := range topics {
				t.schema.TopicSchema = s
				t.schema.store()
			}
		}
	})
	return err
}

// SchemaInfo is one version of a schema in the registry.
type SchemaInfo struct {
	Subject string
	// ID is the subject's; it and Version are what messages carry.
	ID            uint64
	Version       uint32
	Type          string
	Definition    string // as it was registered; empty for bytes, string and number
	Compatibility string // of the subject
	// Deleted versions cannot be had by their number any more.
	Deleted bool
}

// Schemas returns all versions in the registry, by subject and number.
func (b *Broker) Schemas() (list []SchemaInfo) {
	b.do(func(c *core) {
		for _, name := range slices.Sorted(maps.Keys(c.schemas.subjects)) {
			s := c.schemas.subjects[name]
			for _, v := range s.versions {
				list = append(list, SchemaInfo{name, s.id, v.number, v.def.Kind.String(), v.def.Text, s.mode.String(), v.deleted})
			}
		}
	})
	return list
}
