package danube

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// CompatibilityResult is what a check of a definition found.
type CompatibilityResult struct {
	Compatible bool
	Problems   []string // as the broker puts them
}

// CheckCompatibility asks whether a definition could be registered as the next
// version of a subject, under a mode or, with "", under the subject's own. Errors:
// ErrNotFound for a subject that does not exist, ErrInvalid for a definition that
// the broker cannot read.
func (s *Schemas) CheckCompatibility(ctx context.Context, subject string, t SchemaType, definition string, mode Compatibility) (CompatibilityResult, error) {
	errs := []error{checkSubject(subject), t.check()}
	req := &schemapb.CheckCompatibilityRequest{Subject: subject, SchemaType: string(t), NewSchemaDefinition: []byte(definition)}
	if mode != "" {
		errs = append(errs, mode.check()) // the broker takes what it does not know for the subject's own
		text := string(mode)
		req.CompatibilityMode = &text
	}
	if err := errors.Join(errs...); err != nil {
		return CompatibilityResult{}, err
	}
	var resp *schemapb.CheckCompatibilityResponse
	err := s.call(ctx, "check a schema of "+subject, func(ctx context.Context, r schemapb.SchemaRegistryClient) (err error) {
		resp, err = r.CheckCompatibility(ctx, req)
		return err
	})
	if err != nil {
		return CompatibilityResult{}, err
	}
	return CompatibilityResult{Compatible: resp.GetIsCompatible(), Problems: resp.GetErrors()}, nil
}

// SetCompatibility sets the mode of a subject. ErrNotFound: there is no such subject.
func (s *Schemas) SetCompatibility(ctx context.Context, subject string, mode Compatibility) error {
	if err := errors.Join(checkSubject(subject), mode.check()); err != nil {
		return err
	}
	// The broker would note a mode for a subject that it does not have before it says
	// so.
	if _, err := s.Latest(ctx, subject); err != nil {
		return err
	}
	err := s.call(ctx, "set the compatibility of "+subject, func(ctx context.Context, r schemapb.SchemaRegistryClient) error {
		_, err := r.SetCompatibilityMode(ctx, &schemapb.SetCompatibilityModeRequest{Subject: subject, CompatibilityMode: string(mode)})
		return err
	})
	s.cache.forget(subject, 0)
	return err
}

// DeleteVersion deletes one version of a subject. ErrNotFound: there is none.
//
// Brokers of 0.15 delete less than it seems: the latest version stays Latest's
// answer and new versions are still compared with it, a definition that was deleted
// is answered with its old version when it is registered again, which Get does not
// find any more, and messages that carry it are refused where payloads are checked.
func (s *Schemas) DeleteVersion(ctx context.Context, subject string, version uint32) error {
	versions, err := s.Versions(ctx, subject) // the broker deletes what it does not have without a word
	if err != nil {
		return err
	}
	found := false
	for _, v := range versions {
		found = found || v.ID.Version == version
	}
	op := "delete a schema version of " + subject
	if !found {
		return &Error{Op: op, Reason: ErrNotFound, Err: fmt.Errorf("there is no version %d", version), class: classFatal}
	}
	err = s.call(ctx, op, func(ctx context.Context, r schemapb.SchemaRegistryClient) error {
		_, err := r.DeleteSchemaVersion(ctx, &schemapb.DeleteSchemaVersionRequest{Subject: subject, Version: version})
		return err
	})
	s.cache.forget(subject, version)
	return err
}

// ConfigureTopic sets the schema that a topic demands of its messages, on all its
// partitions: when one cannot be reached the ones before it are done. Brokers keep it
// over restarts. Errors: ErrNotFound for a topic or a subject that does not exist.
func (s *Schemas) ConfigureTopic(ctx context.Context, topic string, want TopicSchema) error {
	if err := errors.Join(checkTopic(topic), checkSubject(want.Subject), want.Policy.check()); err != nil {
		return err
	}
	return s.eachOwner(ctx, "configure the schema of", topic, func(ctx context.Context, r schemapb.SchemaRegistryClient, wire string) error {
		_, err := r.ConfigureTopicSchema(ctx, &schemapb.ConfigureTopicSchemaRequest{
			TopicName: wire, SchemaSubject: want.Subject, ValidationPolicy: string(want.Policy), EnablePayloadValidation: want.ValidatePayload,
		})
		return err
	})
}

// UpdateTopicPolicy changes how a topic that has a schema treats messages, on all its
// partitions. ErrConflict: the topic has no schema, see ConfigureTopic.
func (s *Schemas) UpdateTopicPolicy(ctx context.Context, topic string, policy ValidationPolicy, validatePayload bool) error {
	if err := errors.Join(checkTopic(topic), policy.check()); err != nil {
		return err
	}
	const op = "change the validation policy of"
	// Without a schema the broker would change the policy before it answers that it
	// cannot.
	has, err := s.TopicConfig(ctx, topic)
	if err != nil {
		return err
	}
	if has.Subject == "" {
		return &Error{Op: op, Topic: topic, Reason: ErrConflict, Err: errors.New("the topic has no schema: configure it first"), class: classFatal}
	}
	return s.eachOwner(ctx, op, topic, func(ctx context.Context, r schemapb.SchemaRegistryClient, wire string) error {
		_, err := r.UpdateTopicValidationPolicy(ctx, &schemapb.UpdateTopicValidationPolicyRequest{
			TopicName: wire, ValidationPolicy: string(policy), EnablePayloadValidation: validatePayload,
		})
		return err
	})
}

// TopicConfig returns what a topic demands of its messages. ErrNotFound: there is no
// such topic. ErrConflict: its partitions differ.
func (s *Schemas) TopicConfig(ctx context.Context, topic string) (TopicSchema, error) {
	if err := checkTopic(topic); err != nil {
		return TopicSchema{}, err
	}
	const op = "get the schema of"
	var first *TopicSchema
	var differs error
	err := s.eachOwner(ctx, op, topic, func(ctx context.Context, r schemapb.SchemaRegistryClient, wire string) error {
		resp, err := r.GetTopicSchemaConfig(ctx, &schemapb.GetTopicSchemaConfigRequest{TopicName: wire})
		if err != nil {
			return err
		}
		has := TopicSchema{Subject: resp.GetSchemaSubject(), Policy: ValidationPolicy(resp.GetValidationPolicy()), ValidatePayload: resp.GetEnablePayloadValidation()}
		if first == nil {
			first = &has
		} else if has != *first && differs == nil {
			differs = &Error{Op: op, Topic: wire, Reason: ErrConflict, Err: fmt.Errorf("it has %+v, the partitions before it %+v: configure the topic again", has, *first), class: classFatal}
		}
		return nil
	})
	if err != nil {
		return TopicSchema{}, err
	}
	return *first, differs
}

// eachOwner asks the owner of each partition of a topic in turn: these calls are for
// topics that the asked broker has loaded.
func (s *Schemas) eachOwner(ctx context.Context, op, topic string, ask func(ctx context.Context, r schemapb.SchemaRegistryClient, wire string) error) error {
	c := s.client
	done := 0
	return c.untilAnswered(ctx, op, topic, func(ctx context.Context) error {
		// Asked each time: a topic that is deleted meanwhile is not waited for.
		parts, err := c.router.partitions(ctx, topic)
		if err != nil {
			return err
		}
		if len(parts) == 0 {
			return &Error{Op: op, Topic: topic, Reason: ErrNotFound, Err: errors.New("there is no such topic"), class: classFatal}
		}
		for ; done < len(parts); done++ {
			wire := topic
			if n := parts[done]; n != NoPartition {
				wire = partitionTopic(topic, n)
			}
			at, err := c.router.lookup(ctx, wire)
			if err != nil {
				return err
			}
			err = c.ask(at.context(ctx), op, wire, at.dial, judgeSchema, func(ctx context.Context, _ endpoint, conn *grpc.ClientConn) error {
				return ask(ctx, schemapb.NewSchemaRegistryClient(conn), wire)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
