package danubetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest/internal/schema"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// schemaService is the schema registry on the wire. Every broker answers for all of it,
// but for what is about one topic.
type schemaService struct {
	schemapb.UnimplementedSchemaRegistryServer
	*network
}

// RegisterSchema adds a version to a subject, and the subject when that does not exist.
// A definition that the subject has already gives the version that it has, also when
// that was deleted. INTERNAL when it cannot be read and when it breaks the subject's
// compatibility mode; CANCELLED, as a reset stream, for an Avro type with a bad name.
func (s *schemaService) RegisterSchema(ctx context.Context, req *schemapb.RegisterSchemaRequest) (*schemapb.RegisterSchemaResponse, error) {
	resp := new(schemapb.RegisterSchemaResponse)
	in := Call{Method: MethodRegisterSchema, Subject: req.GetSubject()}
	err := s.call(ctx, &in, req, func(c *core) error {
		sub, v, isNew, err := c.register(req)
		if err != nil {
			return errRegistry("register schema", err)
		}
		resp.SchemaId, resp.Version, resp.IsNewVersion, resp.Fingerprint = sub.id, v.number, isNew, v.def.Fingerprint
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// GetSchema returns a version by the subject's id; without a number the latest, deleted
// or not. NOT_FOUND when there is none.
func (s *schemaService) GetSchema(ctx context.Context, req *schemapb.GetSchemaRequest) (resp *schemapb.GetSchemaResponse, err error) {
	in := Call{Method: MethodGetSchema}
	err = s.call(ctx, &in, req, func(c *core) error {
		if sub := c.schemas.byID[req.GetSchemaId()]; sub != nil {
			v := sub.latest()
			if req.Version != nil {
				v = sub.version(req.GetVersion())
			}
			if v != nil {
				resp = v.wire(sub)
				return nil
			}
		}
		return status.Errorf(codes.NotFound, "Schema not found for ID: %d", req.GetSchemaId())
	})
	return resp, err
}

// GetLatestSchema returns the latest version of a subject, deleted or not. NOT_FOUND
// when there is no such subject.
func (s *schemaService) GetLatestSchema(ctx context.Context, req *schemapb.GetLatestSchemaRequest) (resp *schemapb.GetSchemaResponse, err error) {
	in := Call{Method: MethodGetLatestSchema, Subject: req.GetSubject()}
	err = s.call(ctx, &in, req, func(c *core) error {
		sub := c.schemas.subjects[req.GetSubject()]
		if sub == nil {
			return status.Errorf(codes.NotFound, "Schema not found for subject: %s", req.GetSubject())
		}
		resp = sub.latest().wire(sub)
		return nil
	})
	return resp, err
}

// ListVersions lists the versions that were not deleted. NOT_FOUND when there is no such
// subject.
func (s *schemaService) ListVersions(ctx context.Context, req *schemapb.ListVersionsRequest) (*schemapb.ListVersionsResponse, error) {
	resp := new(schemapb.ListVersionsResponse)
	in := Call{Method: MethodListVersions, Subject: req.GetSubject()}
	err := s.call(ctx, &in, req, func(c *core) error {
		sub := c.schemas.subjects[req.GetSubject()]
		if sub == nil {
			return status.Errorf(codes.NotFound, "Subject not found: %s", req.GetSubject())
		}
		for _, v := range sub.versions {
			if !v.deleted {
				resp.Versions = append(resp.Versions, &schemapb.SchemaVersionInfo{
					Version: v.number, CreatedAt: uint64(v.at.Unix()), CreatedBy: v.by, Description: v.description,
					Fingerprint: v.def.Fingerprint, SchemaId: sub.id,
				})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// ListSubjects lists the subjects by name. Those with a '/' in their names are missing,
// as the real broker takes them for parts of others.
func (s *schemaService) ListSubjects(ctx context.Context, req *schemapb.ListSubjectsRequest) (*schemapb.ListSubjectsResponse, error) {
	resp := new(schemapb.ListSubjectsResponse)
	in := Call{Method: MethodListSubjects}
	err := s.call(ctx, &in, req, func(c *core) error {
		for _, name := range slices.Sorted(maps.Keys(c.schemas.subjects)) {
			if name == "" || strings.Contains(name, "/") {
				continue
			}
			sub := c.schemas.subjects[name]
			v := sub.latest()
			resp.Subjects = append(resp.Subjects, &schemapb.SubjectSummary{
				Subject: name, SchemaType: v.def.Kind.String(), LatestVersion: v.number,
				CompatibilityMode: sub.mode.String(), SchemaId: sub.id, Tags: slices.Clone(v.tags),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CheckCompatibility compares a definition with the latest version of a subject, by the
// subject's mode unless the request names one that is known. INTERNAL when there is no
// such subject, and when the definition cannot be read.
func (s *schemaService) CheckCompatibility(ctx context.Context, req *schemapb.CheckCompatibilityRequest) (*schemapb.CheckCompatibilityResponse, error) {
	resp := new(schemapb.CheckCompatibilityResponse)
	in := Call{Method: MethodCheckCompatibility, Subject: req.GetSubject()}
	err := s.call(ctx, &in, req, func(c *core) error {
		const doing = "check compatibility"
		def, err := schema.Parse(req.GetSchemaType(), req.GetNewSchemaDefinition())
		if err != nil {
			return errRegistry(doing, err)
		}
		sub := c.schemas.subjects[req.GetSubject()]
		if sub == nil {
			return errRegistry(doing, errNoSubject(req.GetSubject()))
		}
		mode := sub.mode
		if m, ok := schema.ModeOf(req.GetCompatibilityMode()); ok {
			mode = m
		}
		resp.Errors = schema.Problems(sub.latest().def, def, mode)
		resp.IsCompatible = len(resp.Errors) == 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// SetCompatibilityMode changes the mode of a subject. INVALID_ARGUMENT for a mode that
// is unknown, INTERNAL when there is no such subject.
func (s *schemaService) SetCompatibilityMode(ctx context.Context, req *schemapb.SetCompatibilityModeRequest) (*schemapb.SetCompatibilityModeResponse, error) {
	in := Call{Method: MethodSetCompatibilityMode, Subject: req.GetSubject()}
	err := s.call(ctx, &in, req, func(c *core) error {
		mode, ok := schema.ModeOf(req.GetCompatibilityMode())
		if !ok {
			return status.Errorf(codes.InvalidArgument, "Invalid compatibility mode: %s", req.GetCompatibilityMode())
		}
		sub := c.schemas.subjects[req.GetSubject()]
		if sub == nil {
			return errRegistry("set compatibility mode", errNoSubject(req.GetSubject()))
		}
		sub.mode = mode
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &schemapb.SetCompatibilityModeResponse{
		Success: true, Message: "Set compatibility mode to " + req.GetCompatibilityMode() + " for subject " + req.GetSubject(),
	}, nil
}

// DeleteSchemaVersion deletes a version, and succeeds when there is none. The latest
// version is still the latest then, new versions are compared with it, and its number
// is not given out again; nobody can have it by its number, payloads checked against
// it are refused, and registering it again does not bring it back.
func (s *schemaService) DeleteSchemaVersion(ctx context.Context, req *schemapb.DeleteSchemaVersionRequest) (*schemapb.DeleteSchemaVersionResponse, error) {
	in := Call{Method: MethodDeleteSchemaVersion, Subject: req.GetSubject()}
	err := s.call(ctx, &in, req, func(c *core) error {
		if sub := c.schemas.subjects[req.GetSubject()]; sub != nil {
			if v := sub.version(req.GetVersion()); v != nil {
				v.deleted = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &schemapb.DeleteSchemaVersionResponse{
		Success: true, Message: fmt.Sprintf("Deleted version %d for subject %s", req.GetVersion(), req.GetSubject()),
	}, nil
}
