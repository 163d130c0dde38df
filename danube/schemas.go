package danube

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// Schemas is the schema registry of the cluster. Every broker serves it, so a call
// goes to one seed after the other, and is repeated, with backoff, until one
// answers or ctx ends.
//
// A subject has an id and versions from 1 on. What a version says never changes, so
// Get and Latest answer from a cache (4096 schemas, 16 MiB); the latest version of a
// subject is believed for 30 seconds, and that there is no such schema for 5.
//
// It is safe for concurrent use.
type Schemas struct {
	client *Client
	cache  schemaCache
}

// Schemas returns the schema registry. All calls return the same one.
func (c *Client) Schemas() *Schemas { return &c.schemas }

// RegisterOptions are what may be said about a new version. Description and Tags are
// free text.
type RegisterOptions struct {
	Description string
	CreatedBy   string // default: "danube-connect-go"
	Tags        []string
}

// Register registers a definition as a new version of a subject, which is created
// with the mode CompatibilityBackward if it does not exist. A definition that the
// subject has already, in any version, gives that version and isNew false; so does
// a call that had to be repeated because its first answer was lost.
//
// Errors: ErrIncompatible; ErrInvalid for a definition that the broker cannot read.
// A version that was deleted is not registered again: see DeleteVersion.
func (s *Schemas) Register(ctx context.Context, subject string, t SchemaType, definition string, opts RegisterOptions) (info SchemaInfo, isNew bool, err error) {
	if err := checkSubject(subject); err != nil {
		return SchemaInfo{}, false, err
	}
	// The broker's keys are paths, and it lists subjects by their first part.
	if strings.ContainsFunc(subject, func(r rune) bool { return r <= ' ' || r == '/' }) {
		return SchemaInfo{}, false, invalid("schema subject %q: a new subject must not have '/' or white space in its name", subject)
	}
	if err := t.check(); err != nil {
		return SchemaInfo{}, false, err
	}
	if definition == "" && t.hasText() {
		return SchemaInfo{}, false, invalid("schema subject %q: the %s definition is empty", subject, t)
	}
	if opts.CreatedBy == "" {
		opts.CreatedBy = "danube-connect-go"
	}
	var resp *schemapb.RegisterSchemaResponse
	err = s.call(ctx, "register a schema of "+subject, func(ctx context.Context, r schemapb.SchemaRegistryClient) (err error) {
		resp, err = r.RegisterSchema(ctx, &schemapb.RegisterSchemaRequest{
			Subject: subject, SchemaType: string(t), SchemaDefinition: []byte(definition),
			Description: opts.Description, CreatedBy: opts.CreatedBy, Tags: opts.Tags,
		})
		return err
	})
	s.cache.forget(subject, 0)
	if err != nil {
		return SchemaInfo{}, false, err
	}
	if !t.hasText() {
		definition = ""
	}
	return SchemaInfo{
		ID: SchemaID{ID: resp.GetSchemaId(), Version: resp.GetVersion()}, Subject: subject, Type: t, Definition: definition,
		Fingerprint: resp.GetFingerprint(), Description: opts.Description, CreatedBy: opts.CreatedBy, Tags: slices.Clone(opts.Tags),
	}, resp.GetIsNewVersion(), nil
}

// Get returns one version of a schema, such as a message names. ErrNotFound: the
// registry does not have it.
func (s *Schemas) Get(ctx context.Context, id SchemaID) (info SchemaInfo, err error) {
	if id.Version == 0 {
		return SchemaInfo{}, invalid("schema %d: versions begin at 1, got 0", id.ID)
	}
	err = s.client.untilAnswered(ctx, "get a schema", "", func(ctx context.Context) error {
		info, err = s.get(ctx, id)
		return err
	})
	return info, err
}

// Latest returns the latest version of a subject. ErrNotFound: there is no such
// subject. A version that another client has registered shows after 30 seconds at
// most; one of this client at once.
func (s *Schemas) Latest(ctx context.Context, subject string) (info SchemaInfo, err error) {
	if err := checkSubject(subject); err != nil {
		return SchemaInfo{}, err
	}
	err = s.client.untilAnswered(ctx, "get the latest schema of "+subject, "", func(ctx context.Context) error {
		info, err = s.latest(ctx, subject, false)
		return err
	})
	return info, err
}

// get is Get with one attempt at each seed.
func (s *Schemas) get(ctx context.Context, id SchemaID) (SchemaInfo, error) {
	key := schemaKey{id: id}
	return s.cache.do(ctx, key, false, func() ([]*schemaEntry, error) {
		var resp *schemapb.GetSchemaResponse
		err := s.once(ctx, "get a schema", func(ctx context.Context, r schemapb.SchemaRegistryClient) (err error) {
			resp, err = r.GetSchema(ctx, &schemapb.GetSchemaRequest{SchemaId: id.ID, Version: &id.Version})
			return err
		})
		return entriesOf(key, resp, err)
	})
}

// latest is Latest with one attempt at each seed; with fresh, without the cache.
func (s *Schemas) latest(ctx context.Context, subject string, fresh bool) (SchemaInfo, error) {
	key := schemaKey{subject: subject}
	return s.cache.do(ctx, key, fresh, func() ([]*schemaEntry, error) {
		var resp *schemapb.GetSchemaResponse
		err := s.once(ctx, "get the latest schema of "+subject, func(ctx context.Context, r schemapb.SchemaRegistryClient) (err error) {
			resp, err = r.GetLatestSchema(ctx, &schemapb.GetLatestSchemaRequest{Subject: subject})
			return err
		})
		return entriesOf(key, resp, err)
	})
}

// entriesOf is what an answer teaches the cache; an error that teaches nothing is
// returned.
func entriesOf(key schemaKey, resp *schemapb.GetSchemaResponse, err error) ([]*schemaEntry, error) {
	if err != nil {
		if isFatal(err) && isNotFound(err) {
			return []*schemaEntry{{key: key, err: err, until: time.Now().Add(missingFor)}}, nil
		}
		return nil, err
	}
	info := schemaInfo(resp)
	if key.subject == "" {
		return []*schemaEntry{{key: key, info: info}}, nil
	}
	// The latest version is no proof that it can still be got by its id: it may have
	// been deleted. So it is kept under its subject only.
	return []*schemaEntry{{key: key, info: info, until: time.Now().Add(latestFor)}}, nil
}

// Versions lists the versions of a subject, in order, without their definitions.
// ErrNotFound: there is no such subject.
func (s *Schemas) Versions(ctx context.Context, subject string) ([]SchemaInfo, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	var resp *schemapb.ListVersionsResponse
	err := s.call(ctx, "list the schema versions of "+subject, func(ctx context.Context, r schemapb.SchemaRegistryClient) (err error) {
		resp, err = r.ListVersions(ctx, &schemapb.ListVersionsRequest{Subject: subject})
		return err
	})
	if err != nil {
		return nil, err
	}
	var versions []SchemaInfo
	for _, v := range resp.GetVersions() {
		versions = append(versions, SchemaInfo{
			ID: SchemaID{ID: v.GetSchemaId(), Version: v.GetVersion()}, Subject: subject, Fingerprint: v.GetFingerprint(),
			Description: v.GetDescription(), CreatedBy: v.GetCreatedBy(), CreatedAt: time.Unix(int64(v.GetCreatedAt()), 0),
		})
	}
	slices.SortFunc(versions, func(a, b SchemaInfo) int { return cmp.Compare(a.ID.Version, b.ID.Version) })
	return versions, nil
}

// Subjects lists the subjects of the registry by name.
func (s *Schemas) Subjects(ctx context.Context) ([]SubjectInfo, error) {
	var resp *schemapb.ListSubjectsResponse
	err := s.call(ctx, "list schema subjects", func(ctx context.Context, r schemapb.SchemaRegistryClient) (err error) {
		resp, err = r.ListSubjects(ctx, &schemapb.ListSubjectsRequest{})
		return err
	})
	if err != nil {
		return nil, err
	}
	var subjects []SubjectInfo
	for _, v := range resp.GetSubjects() {
		subjects = append(subjects, SubjectInfo{
			Subject: v.GetSubject(), Type: SchemaType(v.GetSchemaType()), Latest: SchemaID{ID: v.GetSchemaId(), Version: v.GetLatestVersion()},
			Compatibility: compatibility(v.GetCompatibilityMode()), Tags: v.GetTags(),
		})
	}
	slices.SortFunc(subjects, func(a, b SubjectInfo) int { return strings.Compare(a.Subject, b.Subject) })
	return subjects, nil
}

// call asks the registry until there is an answer.
func (s *Schemas) call(ctx context.Context, op string, ask func(context.Context, schemapb.SchemaRegistryClient) error) error {
	return s.client.untilAnswered(ctx, op, "", func(ctx context.Context) error { return s.once(ctx, op, ask) })
}

// once asks each seed at most once.
func (s *Schemas) once(ctx context.Context, op string, ask func(context.Context, schemapb.SchemaRegistryClient) error) error {
	return s.client.anySeed(ctx, op, "", judgeSchema, func(ctx context.Context, _ endpoint, conn *grpc.ClientConn) error {
		return ask(ctx, schemapb.NewSchemaRegistryClient(conn))
	})
}

func checkSubject(subject string) error {
	if strings.TrimSpace(subject) == "" {
		return invalid("a schema subject has no name")
	}
	return nil
}

// judgeSchema reads an error of the registry, which is INTERNAL for much that is the
// caller's. The fragments are those of 0.15.1.
func judgeSchema(err error) verdict {
	s, _ := status.FromError(err)
	text := s.Message()
	switch s.Code() {
	case codes.NotFound:
		if strings.Contains(text, "not found on this broker") {
			return verdict{class: classSession} // the topic has moved, or is not loaded yet
		}
		return verdict{class: classFatal, reason: ErrNotFound}
	case codes.OutOfRange:
		return verdict{class: classFatal, reason: ErrTooLarge}
	case codes.Internal:
		switch {
		case strings.Contains(text, "not compatible"):
			return verdict{class: classFatal, reason: ErrIncompatible}
		case strings.Contains(text, "Invalid "), strings.Contains(text, "Unknown schema type"):
			return verdict{class: classFatal, reason: ErrInvalid}
		case strings.Contains(text, "not found for subject"):
			return verdict{class: classFatal, reason: ErrNotFound}
		}
		return verdict{class: classTransient, ambiguous: true} // its own store, such as between two leaders
	}
	return judge(rpcLookup, err)
}
