package danube

import (
	"context"
	"errors"
	"fmt"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// SchemaRef names the schema that a producer writes with: a subject of the registry,
// in its latest version or as the other fields say. It is looked up for each session
// of the producer, and its id goes with every message. So a new latest version counts
// from the next session on: a producer that can only write one version should pin it.
type SchemaRef struct {
	// Subject is the name in the registry; empty for no schema.
	Subject string
	// Version is the version to write with; 0 for the latest.
	Version uint32
	// MinVersion is the least that the latest version must be; 0 for any.
	MinVersion uint32
}

func (r SchemaRef) check() error {
	switch {
	case r == SchemaRef{}:
		return nil
	case r.Subject == "":
		return invalid("Schema has a version and no subject")
	case r.Version > 0 && r.MinVersion > 0:
		return invalid("Schema %s: Version %d and MinVersion %d: give one of them", r.Subject, r.Version, r.MinVersion)
	}
	return checkSubject(r.Subject)
}

// wire is what CreateProducer takes; the broker looks at the subject only.
func (r SchemaRef) wire() *danubepb.SchemaReference {
	ref := &danubepb.SchemaReference{Subject: r.Subject}
	switch {
	case r.Subject == "":
		return nil
	case r.Version > 0:
		ref.VersionRef = &danubepb.SchemaReference_PinnedVersion{PinnedVersion: r.Version}
	case r.MinVersion > 0:
		ref.VersionRef = &danubepb.SchemaReference_MinVersion{MinVersion: r.MinVersion}
	default:
		ref.VersionRef = &danubepb.SchemaReference_UseLatest{UseLatest: true}
	}
	return ref
}

// resolve finds the version that a reference means, with one attempt at each seed.
func (s *Schemas) resolve(ctx context.Context, r SchemaRef) (SchemaID, error) {
	latest, err := s.latest(ctx, r.Subject, false)
	if err == nil && max(r.Version, r.MinVersion) > latest.ID.Version {
		latest, err = s.latest(ctx, r.Subject, true) // it may be newer than what we remember
	}
	if err != nil {
		return SchemaID{}, err
	}
	switch {
	case max(r.Version, r.MinVersion) > latest.ID.Version:
		return SchemaID{}, &Error{Op: "find the schema " + r.Subject, Reason: ErrNotFound, class: classFatal,
			Err: fmt.Errorf("version %d is not registered: the latest is %d", max(r.Version, r.MinVersion), latest.ID.Version)}
	case r.Version == 0 || r.Version == latest.ID.Version:
		return latest.ID, nil
	}
	info, err := s.get(ctx, SchemaID{ID: latest.ID.ID, Version: r.Version})
	return info.ID, err
}

// resolveSchema finds what the messages of the lane's next session carry. A producer
// that had a session is not ended by a registry that has forgotten its subject.
func (l *lane) resolveSchema() error {
	c := l.p.client
	if l.p.cfg.Schema.Subject == "" {
		return nil
	}
	id, err := c.schemas.resolve(l.ctx, l.p.cfg.Schema)
	switch {
	case err == nil:
		l.schema = &id
	case l.schema == nil || !isFatal(err):
		return err
	default:
		c.log.Error("danube: the schema of a producer is not found any more; its messages go on carrying what was found before",
			"topic", l.topic, "producer", l.name, "subject", l.p.cfg.Schema.Subject, "id", l.schema.ID, "version", l.schema.Version, "error", err)
	}
	return nil
}

// stamp puts the schema on the message that is sent next.
func (l *lane) stamp() {
	id := l.schema
	if l.override != nil {
		id = l.override
	}
	if id == nil {
		l.msg.SchemaId, l.msg.SchemaVersion = nil, nil
		return
	}
	l.msg.SchemaId, l.msg.SchemaVersion = &id.ID, &id.Version
}
