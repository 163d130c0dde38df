package danubetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest/internal/schema"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// registry is the schema registry. It belongs to the whole cluster and outlives every
// broker.
type registry struct {
	subjects map[string]*subject
	byID     map[uint64]*subject
}

// subject is a schema by name. Its id is that of all its versions.
type subject struct {
	id       uint64
	name     string
	mode     schema.Mode
	versions []*schemaVersion // by number, from 1; none ever leaves
}

// schemaVersion is one definition. One that was deleted can no longer be had by its
// number, and is there in every other way.
type schemaVersion struct {
	number      uint32
	def         *schema.Definition
	at          time.Time
	by          string
	description string
	tags        []string
	deleted     bool
}

func (s *subject) latest() *schemaVersion { return s.versions[len(s.versions)-1] }

// version returns the version of that number, or nil.
func (s *subject) version(n uint32) *schemaVersion {
	if n == 0 || int(n) > len(s.versions) || s.versions[n-1].deleted {
		return nil
	}
	return s.versions[n-1]
}

// register adds a version to a subject, or finds the one that says the same. Errors are
// the texts of the real broker, or schema.ErrPanics.
func (c *core) register(req *schemapb.RegisterSchemaRequest) (s *subject, v *schemaVersion, isNew bool, err error) {
	def, err := schema.Parse(req.GetSchemaType(), req.GetSchemaDefinition())
	if err != nil {
		return nil, nil, false, err
	}
	r := &c.schemas
	s = r.subjects[req.GetSubject()]
	if s == nil {
		s = &subject{id: uint64(len(r.byID)) + 1, name: req.GetSubject()}
	} else {
		for _, v := range s.versions {
			if v.def.Fingerprint == def.Fingerprint {
				return s, v, false, nil
			}
		}
		if p := schema.Problems(s.latest().def, def, s.mode); len(p) > 0 {
			return nil, nil, false, incompatible(fmt.Sprintf("Schema is not compatible with subject '%s' (mode: %s): %s", s.name, s.mode.Title(), strings.Join(p, "; ")))
		}
	}
	v = &schemaVersion{
		number: uint32(len(s.versions)) + 1, def: def, at: c.now,
		by: req.GetCreatedBy(), description: req.GetDescription(), tags: slices.Clone(req.GetTags()),
	}
	s.versions = append(s.versions, v)
	if v.number == 1 {
		r.subjects[s.name], r.byID[s.id] = s, s
	}
	c.changed = true
	return s, v, true, nil
}

// incompatible is why a new version was refused.
type incompatible string

func (e incompatible) Error() string { return string(e) }

// errNoSubject is what the registry's store says about a subject that is not there.
func errNoSubject(name string) error {
	return fmt.Errorf("Schema metadata not found for subject: %s", name) //lint:ignore ST1005 the real broker's text
}

func errRegistry(doing string, err error) error {
	if err == schema.ErrPanics {
		return errReset()
	}
	return status.Errorf(codes.Internal, "Failed to %s: %v", doing, err)
}

// wire is a version as the registry answers with it.
func (v *schemaVersion) wire(s *subject) *schemapb.GetSchemaResponse {
	return &schemapb.GetSchemaResponse{
		SchemaId:          s.id,
		Version:           v.number,
		Subject:           s.name,
		SchemaType:        v.def.Kind.String(),
		SchemaDefinition:  v.def.Wrapped(),
		Description:       v.description,
		CreatedAt:         uint64(v.at.Unix()),
		CreatedBy:         v.by,
		Tags:              slices.Clone(v.tags),
		Fingerprint:       v.def.Fingerprint,
		CompatibilityMode: s.mode.String(),
	}
}
