package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// topicSchema is what one topic is written with.
type topicSchema struct {
	id    danube.SchemaID
	ref   danube.SchemaRef
	codec Codec
}

// errNoSchema marks that a topic cannot be opened because of its schema, and not for
// its name.
var errNoSchema = errors.New("no schema")

// schemaOf returns what a topic is to be written with, nil for bytes of any kind.
func (rt *SourceRuntime) schemaOf(c ProducerConfig) (*SchemaConfig, error) {
	var found *SchemaConfig
	for i, s := range rt.cfg.Schemas {
		if s.Topic == c.Topic {
			found = &rt.cfg.Schemas[i]
		}
	}
	switch {
	case c.Schema == nil:
		return found, nil
	case found != nil:
		return nil, InvalidConfigf("topic %s has a schema in the configuration and another in code: keep one", c.Topic)
	}
	own := *c.Schema
	if own.Topic = or(own.Topic, c.Topic); own.Topic != c.Topic {
		return nil, InvalidConfigf("the schema of topic %s says that it is for %s", c.Topic, own.Topic)
	}
	var problems ConfigErrors
	own.check(func(key, value, problem string) {
		problems = append(problems, &ConfigError{Key: "schema of " + c.Topic + ": " + key, Value: value, Source: "code", Problem: problem})
	})
	return &own, problems.orNil()
}

// checkSchemas finds schemas for topics that the source will never publish to.
func (rt *SourceRuntime) checkSchemas(configs []ProducerConfig) error {
	wanted := len(rt.cfg.Schemas) > 0
	known := make(map[string]bool)
	for _, c := range configs {
		known[c.Topic] = true
		wanted = wanted || c.Schema != nil
	}
	for i, s := range rt.cfg.Schemas {
		if rt.closed && !known[s.Topic] {
			return ConfigErrors{{Key: fmt.Sprintf("%s[%d].topic", schemasTable, i), Value: s.Topic, Source: rt.cfg.source(schemasTable),
				Problem: "the source does not publish to this topic"}}
		}
	}
	if _, ok := rt.client.(SchemaClient); wanted && !ok {
		return InvalidConfigf("the client given with WithClient has no schema registry: it needs the method Schemas of SchemaClient")
	}
	return nil
}

// openSchema finds the schema of a topic in the registry, or registers it. It waits for
// the registry until ctx ends.
func (rt *SourceRuntime) openSchema(ctx context.Context, c ProducerConfig) (*topicSchema, error) {
	cfg, err := rt.schemaOf(c)
	if cfg == nil || err != nil {
		return nil, err
	}
	entry := "schema of " + c.Topic
	rt.board.Set(entry, "looking up "+cfg.Subject)
	defer rt.board.Set(entry, "")
	info, err := rt.findSchema(ctx, *cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSchema, opened(entry, cfg.Subject, err))
	}
	codec, err := rt.codec(info)
	if err != nil {
		return nil, InvalidConfigf("%w: %s: version %d of %s: %w", errNoSchema, entry, info.ID.Version, info.Subject, err)
	}
	rt.log.Info("topic has a schema", "topic", c.Topic, "subject", info.Subject, "version", info.ID.Version, "type", string(info.Type))
	return &topicSchema{id: info.ID, ref: danube.SchemaRef{Subject: info.Subject, Version: info.ID.Version}, codec: codec}, nil
}

func (rt *SourceRuntime) findSchema(ctx context.Context, cfg SchemaConfig) (danube.SchemaInfo, error) {
	none := danube.SchemaInfo{}
	if cfg.File != "" {
		text, err := os.ReadFile(cfg.File)
		if err != nil {
			return none, InvalidConfigf("schema_file: %w", err)
		}
		cfg.Definition = string(text)
	}
	registry := rt.client.(SchemaClient).Schemas()
	if cfg.registers() {
		info, isNew, err := registry.Register(ctx, cfg.Subject, cfg.Type, cfg.Definition, danube.RegisterOptions{CreatedBy: rt.cfg.ConnectorName})
		if err == nil && isNew {
			rt.log.Info("schema registered", "subject", info.Subject, "version", info.ID.Version, "type", string(info.Type))
		}
		if errors.Is(err, danube.ErrIncompatible) {
			err = InvalidConfig(err)
		}
		return info, err
	}
	info, err := registry.Latest(ctx, cfg.Subject)
	switch {
	case err != nil:
		return none, err
	case max(cfg.Version, cfg.MinVersion) > info.ID.Version:
		return none, InvalidConfigf("version %d is wanted, the latest is %d", max(cfg.Version, cfg.MinVersion), info.ID.Version)
	case cfg.Version > 0 && cfg.Version != info.ID.Version:
		if info, err = registry.Get(ctx, danube.SchemaID{ID: info.ID.ID, Version: cfg.Version}); err != nil {
			return none, err
		}
		info.Subject = cfg.Subject
	}
	switch {
	case cfg.Type != "" && cfg.Type != info.Type:
		return none, InvalidConfigf("schema_type is %s, and version %d of the registry is %s", cfg.Type, info.ID.Version, info.Type)
	case cfg.Definition != "" && !sameDefinition(cfg.Definition, info.Definition):
		return none, InvalidConfigf("the definition is not that of version %d in the registry", info.ID.Version)
	}
	return info, nil
}

// sameDefinition compares two definitions, JSON without regard to its layout.
func sameDefinition(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil {
		return reflect.DeepEqual(x, y)
	}
	return strings.TrimSpace(a) == strings.TrimSpace(b)
}

// codec makes the codec of a schema.
func (rt *SourceRuntime) codec(info danube.SchemaInfo) (c Codec, err error) {
	if create := rt.opts.codecs[info.Type]; create != nil {
		err = rt.protect("codec", func() (err error) {
			c, err = create(info.Definition)
			return err
		})
		return c, err
	}
	switch info.Type {
	case danube.SchemaBytes:
		return bytesCodec{}, nil
	case danube.SchemaString:
		return stringCodec{}, nil
	case danube.SchemaNumber:
		return numberCodec{}, nil
	}
	rt.log.Warn("no codec is given for this type of schema, so payloads are published unchecked; see WithCodec", "subject", info.Subject, "type", string(info.Type))
	if info.Type == danube.SchemaJSON {
		return plainJSON{}, nil
	}
	return noCodec{info.Type}, nil
}

// payload returns what goes on the wire for the record. An error lies in the record.
func (f *flight) payload() ([]byte, error) {
	if f.topic.schema == nil && (f.rec.Value == nil || f.rec.Payload != nil) {
		return f.rec.Payload, nil
	}
	return f.encoded()
}

// encoded makes the payload where the record has none, and checks it.
func (f *flight) encoded() (payload []byte, err error) {
	r, schema := f.rec, f.topic.schema
	payload = r.Payload
	wanted := payload == nil && r.Value != nil
	f.rt.encoding.Add(1)
	defer f.rt.encoding.Add(-1)
	err = f.rt.protect("the codec", func() (err error) {
		if schema == nil {
			payload, err = jsonPayload(r.Value)
			return err
		}
		if wanted {
			if payload, err = schema.codec.Encode(r.Value); err != nil {
				return fmt.Errorf("encode a %T with %v: %w", r.Value, schema, err)
			}
		}
		if err = schema.codec.Validate(payload); err != nil {
			return fmt.Errorf("%w: %v: %w", danube.ErrSchema, schema, err)
		}
		return nil
	})
	return payload, InvalidData(err)
}

func (s *topicSchema) String() string {
	return fmt.Sprintf("schema %s, version %d", s.ref.Subject, s.id.Version)
}
