package danube_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// subject is a name that nobody else uses.
func (l *lab) subject() string { return strings.TrimPrefix(l.topic(), "/default/") }

const (
	userV1 = `{"type": "record", "name": "User",
	"fields": [{"name": "id", "type": "int"}]}`
	userV2  = `{"type": "record", "name": "User", "fields": [{"name": "id", "type": "int"}, {"name": "mail", "type": ["null", "string"], "default": null}]}`
	userBad = `{"type": "record", "name": "Client", "fields": [{"name": "id", "type": "int"}]}` // brokers of 0.15 miss much else
)

// What is registered comes back as it was, white space included, whatever the broker
// keeps it in.
func TestSchemasOfAllTypes(t *testing.T) {
	onBoth(t, func(l *lab) {
		s := l.open().Schemas()
		for _, tt := range []struct {
			of         danube.SchemaType
			definition string
			want       string
		}{
			{danube.SchemaAvro, userV1, userV1},
			{danube.SchemaJSON, "{ \"type\": \"object\",\n\t\"title\": \"Größe\" }", "{ \"type\": \"object\",\n\t\"title\": \"Größe\" }"},
			{danube.SchemaProtobuf, "syntax = \"proto3\";\nmessage A { string a = 1; }\n", "syntax = \"proto3\";\nmessage A { string a = 1; }\n"},
			{danube.SchemaString, "", ""},
			{danube.SchemaBytes, "dropped", ""},
			{danube.SchemaNumber, "", ""},
		} {
			subject := l.subject()
			opts := danube.RegisterOptions{Description: "what it is", CreatedBy: "me", Tags: []string{"b", "a"}}
			reg, isNew, err := s.Register(l.soon(), subject, tt.of, tt.definition, opts)
			l.must(err)
			if !isNew || reg.ID.ID == 0 || reg.ID.Version != 1 || reg.Definition != tt.want {
				l.Errorf("%s: registered as %+v, new %v", tt.of, reg, isNew)
			}
			got, err := s.Get(l.soon(), reg.ID)
			l.must(err)
			want := reg
			want.Compatibility, want.CreatedAt, want.Tags = danube.CompatibilityBackward, got.CreatedAt, nil
			if got.CreatedAt.IsZero() || !slices.Equal(got.Tags, opts.Tags) {
				l.Errorf("%s: got %+v", tt.of, got)
			}
			if got.Tags = nil; !equalSchemas(got, want) {
				l.Errorf("%s: got %+v, want %+v", tt.of, got, want)
			}
			again, isNew, err := s.Register(l.soon(), subject, tt.of, tt.definition, danube.RegisterOptions{})
			l.must(err)
			if isNew || again.ID != reg.ID {
				l.Errorf("%s: the same again is %+v, new %v", tt.of, again.ID, isNew)
			}
		}
	})
}

func equalSchemas(a, b danube.SchemaInfo) bool {
	tags := slices.Equal(a.Tags, b.Tags)
	a.Tags, b.Tags = nil, nil
	return tags && a.ID == b.ID && a.Subject == b.Subject && a.Type == b.Type && a.Definition == b.Definition && a.Fingerprint == b.Fingerprint &&
		a.Compatibility == b.Compatibility && a.Description == b.Description && a.CreatedBy == b.CreatedBy && a.CreatedAt.Equal(b.CreatedAt)
}

func TestSchemaVersions(t *testing.T) {
	onBoth(t, func(l *lab) {
		s := l.open().Schemas()
		subject := l.subject()
		for _, miss := range []func() error{
			func() error { _, err := s.Latest(l.soon(), subject); return err },
			func() error { _, err := s.Versions(l.soon(), subject); return err },
			func() error { return s.SetCompatibility(l.soon(), subject, danube.CompatibilityFull) },
			func() error { return s.DeleteVersion(l.soon(), subject, 1) },
			func() error { _, err := s.Get(l.soon(), danube.SchemaID{ID: 1 << 60, Version: 1}); return err },
			func() error {
				_, err := s.CheckCompatibility(l.soon(), subject, danube.SchemaAvro, userV1, "")
				return err
			},
		} {
			l.want(miss(), danube.ErrNotFound)
		}
		_, _, err := s.Register(l.soon(), subject, danube.SchemaAvro, "{", danube.RegisterOptions{})
		l.want(err, danube.ErrInvalid, "Avro")

		v1, _, err := s.Register(l.soon(), subject, danube.SchemaAvro, userV1, danube.RegisterOptions{})
		l.must(err)
		latest, err := s.Latest(l.soon(), subject) // that there was none is forgotten
		l.must(err)
		if latest.ID != v1.ID || latest.CreatedBy != "danube-connect-go" {
			l.Errorf("latest is %+v", latest)
		}
		v2, isNew, err := s.Register(l.soon(), subject, danube.SchemaAvro, userV2, danube.RegisterOptions{})
		l.must(err)
		if !isNew || v2.ID.ID != v1.ID.ID || v2.ID.Version != 2 {
			l.Errorf("second version is %+v, new %v", v2.ID, isNew)
		}
		latest, err = s.Latest(l.soon(), subject)
		l.must(err)
		if latest.ID != v2.ID || latest.Definition != userV2 {
			l.Errorf("latest is %+v", latest)
		}

		_, _, err = s.Register(l.soon(), subject, danube.SchemaAvro, userBad, danube.RegisterOptions{})
		l.want(err, danube.ErrIncompatible)
		check, err := s.CheckCompatibility(l.soon(), subject, danube.SchemaAvro, userBad, "")
		l.must(err)
		if check.Compatible || len(check.Problems) == 0 {
			l.Errorf("another record: %+v", check)
		}
		check, err = s.CheckCompatibility(l.soon(), subject, danube.SchemaAvro, userBad, danube.CompatibilityNone)
		l.must(err)
		if !check.Compatible {
			l.Errorf("under none: %+v", check)
		}
		l.must(s.SetCompatibility(l.soon(), subject, danube.CompatibilityNone))
		v3, _, err := s.Register(l.soon(), subject, danube.SchemaAvro, userBad, danube.RegisterOptions{})
		l.must(err)

		versions, err := s.Versions(l.soon(), subject)
		l.must(err)
		if len(versions) != 3 || versions[0].ID != v1.ID || versions[2].Fingerprint != v3.Fingerprint {
			l.Errorf("versions: %+v", versions)
		}
		subjects, err := s.Subjects(l.soon())
		l.must(err)
		i := slices.IndexFunc(subjects, func(i danube.SubjectInfo) bool { return i.Subject == subject })
		if i < 0 || subjects[i].Latest != v3.ID || subjects[i].Compatibility != danube.CompatibilityNone || subjects[i].Type != danube.SchemaAvro {
			l.Errorf("listed at %d: %+v", i, subjects[max(i, 0)])
		}

		// What was deleted is gone from the cache as well, and cannot be had again.
		_, err = s.Get(l.soon(), v3.ID)
		l.must(err)
		l.must(s.DeleteVersion(l.soon(), subject, 3))
		l.want(s.DeleteVersion(l.soon(), subject, 3), danube.ErrNotFound)
		_, err = s.Get(l.soon(), v3.ID)
		l.want(err, danube.ErrNotFound)
		latest, err = s.Latest(l.soon(), subject)
		l.must(err)
		again, isNew, err := s.Register(l.soon(), subject, danube.SchemaAvro, userBad, danube.RegisterOptions{})
		l.must(err)
		if latest.ID != v3.ID || isNew || again.ID != v3.ID {
			l.Errorf("after its deletion: latest %v, registered as %v, new %v", latest.ID, again.ID, isNew)
		}
	})
}

func TestProducerWithSchema(t *testing.T) {
	onBoth(t, func(l *lab) {
		c := l.open()
		s, topic, subject := c.Schemas(), l.topic(), l.subject()
		try := func(ref danube.SchemaRef) error {
			p, err := c.NewProducer(l.soon(), danube.ProducerConfig{Topic: topic, Name: "p", Schema: ref})
			if err == nil {
				l.must(p.Close(l.soon()))
			}
			return err
		}
		l.want(try(danube.SchemaRef{Subject: subject}), danube.ErrNotFound, subject)
		v1, _, err := s.Register(l.soon(), subject, danube.SchemaAvro, userV1, danube.RegisterOptions{})
		l.must(err)
		l.want(try(danube.SchemaRef{Subject: subject, Version: 2}), danube.ErrNotFound, "version 2", "latest is 1")
		l.want(try(danube.SchemaRef{Subject: subject, MinVersion: 2}), danube.ErrNotFound, "version 2")
		l.must(try(danube.SchemaRef{Subject: subject}))
		other := l.open() // registers what c does not know of
		v2, _, err := other.Schemas().Register(l.soon(), subject, danube.SchemaAvro, userV2, danube.RegisterOptions{})
		l.must(err)

		con := l.consumer(c, topic)
		for _, tt := range []struct {
			name string
			ref  danube.SchemaRef
			own  *danube.SchemaID
			want *danube.SchemaID
		}{
			{"min", danube.SchemaRef{Subject: subject, MinVersion: 2}, nil, &v2.ID},
			{"latest", danube.SchemaRef{Subject: subject}, nil, &v2.ID},
			{"pinned to the latest", danube.SchemaRef{Subject: subject, Version: 2}, nil, &v2.ID},
			{"pinned", danube.SchemaRef{Subject: subject, Version: 1}, nil, &v1.ID},
			{"the message's own", danube.SchemaRef{Subject: subject}, &v1.ID, &v1.ID},
			{"only the message's own", danube.SchemaRef{}, &v2.ID, &v2.ID},
			{"none", danube.SchemaRef{}, nil, nil},
		} {
			p := l.producer(c, topic, func(cfg *danube.ProducerConfig) { cfg.Schema = tt.ref })
			_, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte(tt.name), Schema: tt.own})
			l.must(err)
			l.must(p.Close(l.soon()))
			m := l.receive(con, tt.name)[0]
			l.ack(con, m)
			if (m.Schema == nil) != (tt.want == nil) || m.Schema != nil && *m.Schema != *tt.want {
				l.Errorf("%s: came with %v, want %v", tt.name, m.Schema, tt.want)
			}
		}
		l.want(try(danube.SchemaRef{Subject: subject, Version: 3}), danube.ErrNotFound)

		a := l.admin()
		d, err := a.DescribeTopic(l.soon(), topic)
		l.must(err)
		if d.SchemaSubject != subject || d.Schema != v2.ID || d.SchemaType != danube.SchemaAvro || d.Compatibility != danube.CompatibilityBackward {
			l.Errorf("described as %+v", d)
		}

		// The topic belongs to the subject of its first producer.
		second := l.subject()
		_, _, err = s.Register(l.soon(), second, danube.SchemaString, "", danube.RegisterOptions{})
		l.must(err)
		l.want(try(danube.SchemaRef{Subject: second}), danube.ErrConflict, subject)
	})
}

func TestTopicSchemas(t *testing.T) {
	onBoth(t, func(l *lab) {
		c := l.open()
		s, topic, subject := c.Schemas(), l.topic(), l.subject()
		_, err := s.TopicConfig(l.soon(), topic)
		l.want(err, danube.ErrNotFound)
		want := danube.TopicSchema{Subject: subject, Policy: danube.ValidateEnforce}
		l.want(s.ConfigureTopic(l.soon(), topic, want), danube.ErrNotFound)

		p := l.producer(c, topic, func(cfg *danube.ProducerConfig) { cfg.Partitions = 2 })
		l.want(s.ConfigureTopic(l.soon(), topic, want), danube.ErrNotFound, subject)
		l.want(s.UpdateTopicPolicy(l.soon(), topic, danube.ValidateNone, false), danube.ErrConflict)
		got, err := s.TopicConfig(l.soon(), topic)
		l.must(err)
		if got != (danube.TopicSchema{Policy: danube.ValidateWarn}) {
			l.Errorf("a new topic has %+v", got)
		}

		_, _, err = s.Register(l.soon(), subject, danube.SchemaString, "", danube.RegisterOptions{})
		l.must(err)
		l.must(s.ConfigureTopic(l.soon(), topic, want))
		got, err = s.TopicConfig(l.soon(), topic)
		l.must(err)
		if got != want {
			l.Errorf("configured as %+v, want %+v", got, want)
		}
		for range 2 { // both partitions
			_, err = p.Send(l.soon(), &danube.Outgoing{Payload: []byte("no schema")})
			l.want(err, danube.ErrSchema)
		}
		l.must(s.UpdateTopicPolicy(l.soon(), topic, danube.ValidateWarn, true))
		got, err = s.TopicConfig(l.soon(), topic)
		l.must(err)
		want = danube.TopicSchema{Subject: subject, Policy: danube.ValidateWarn, ValidatePayload: true}
		if got != want {
			l.Errorf("changed to %+v, want %+v", got, want)
		}
		_, err = p.Send(l.soon(), &danube.Outgoing{Payload: []byte("taken, and logged")})
		l.must(err)

		// One partition alone has a name of its own; now they differ.
		l.must(s.UpdateTopicPolicy(l.soon(), topic+"-part-1", danube.ValidateNone, false))
		_, err = s.TopicConfig(l.soon(), topic)
		l.want(err, danube.ErrConflict, "-part-1")

	})
}
