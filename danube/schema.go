package danube

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// Errors of the schema registry.
var (
	// ErrIncompatible: the new version of a schema breaks the subject's compatibility
	// mode.
	ErrIncompatible = errors.New("incompatible with the subject's latest version")
)

// SchemaType is what a schema is written in.
type SchemaType string

// The types that brokers know.
const (
	SchemaBytes    SchemaType = "bytes"       // anything; there is no definition
	SchemaString   SchemaType = "string"      // UTF-8; there is no definition
	SchemaNumber   SchemaType = "number"      // 4 or 8 bytes; there is no definition
	SchemaAvro     SchemaType = "avro"        // payloads are checked as Avro object container files
	SchemaJSON     SchemaType = "json_schema" // JSON Schema
	SchemaProtobuf SchemaType = "protobuf"    // every version counts as compatible; brokers of 0.15 cannot check payloads
)

func (t SchemaType) check() error {
	if !slices.Contains([]SchemaType{SchemaBytes, SchemaString, SchemaNumber, SchemaAvro, SchemaJSON, SchemaProtobuf}, t) {
		return invalid("schema type %q: want bytes, string, number, avro, json_schema or protobuf", string(t))
	}
	return nil
}

// hasText reports whether schemas of the type have a definition.
func (t SchemaType) hasText() bool { return t != SchemaBytes && t != SchemaString && t != SchemaNumber }

// Compatibility is what a new version of a schema must keep to. Brokers compare it
// with the latest version only, and those of 0.15 miss much: an Avro field may change
// its type.
type Compatibility string

// The compatibility modes.
const (
	CompatibilityNone     Compatibility = "none"     // anything goes, also another type
	CompatibilityBackward Compatibility = "backward" // the new version reads what the old one wrote; a new subject's mode
	CompatibilityForward  Compatibility = "forward"  // the old version reads what the new one writes
	CompatibilityFull     Compatibility = "full"     // both
)

func (c Compatibility) check() error {
	if !slices.Contains([]Compatibility{CompatibilityNone, CompatibilityBackward, CompatibilityForward, CompatibilityFull}, c) {
		return invalid("compatibility %q: want none, backward, forward or full", string(c))
	}
	return nil
}

// ValidationPolicy is what the broker does with messages that do not fit the schema
// of their topic.
type ValidationPolicy string

// The validation policies. Under each but ValidateNone the broker refuses messages
// with a schema id that the registry does not know.
const (
	ValidateNone    ValidationPolicy = "none"    // takes everything
	ValidateWarn    ValidationPolicy = "warn"    // logs messages without a schema, or with that of another subject; a new topic's policy
	ValidateEnforce ValidationPolicy = "enforce" // refuses them
)

func (p ValidationPolicy) check() error {
	if !slices.Contains([]ValidationPolicy{ValidateNone, ValidateWarn, ValidateEnforce}, p) {
		return invalid("validation policy %q: want none, warn or enforce", string(p))
	}
	return nil
}

// SchemaInfo is one version of a schema as the registry has it.
type SchemaInfo struct {
	// ID is what messages carry: the subject's id and the version.
	ID SchemaID
	// Subject is the name that the versions have in common.
	Subject string
	// Type is what Definition is written in.
	Type SchemaType
	// Definition is the text as it was registered, without the wrapper in which
	// brokers deliver it; empty for types that have none.
	Definition string
	// Fingerprint is the broker's hash of the text.
	Fingerprint string
	// Compatibility is the subject's mode when this was read; empty from Register and
	// Versions, which do not say.
	Compatibility Compatibility
	// Description, CreatedBy and Tags are what was given with Register.
	Description, CreatedBy string
	Tags                   []string
	// CreatedAt is when the version was registered, to the second; zero from Register.
	CreatedAt time.Time
}

// SubjectInfo is one subject of the registry.
type SubjectInfo struct {
	Subject       string
	Type          SchemaType    // of the latest version
	Latest        SchemaID      // the latest version
	Compatibility Compatibility // the subject's mode
	Tags          []string      // of the latest version
}

// TopicSchema is what a topic demands of its messages.
type TopicSchema struct {
	// Subject is the schema that messages must be written with; empty for none.
	Subject string
	// Policy is what happens to messages that are not.
	Policy ValidationPolicy
	// ValidatePayload has the broker check each payload against its schema, and refuse
	// what does not fit, unless Policy is ValidateNone.
	ValidatePayload bool
}

func schemaInfo(r *schemapb.GetSchemaResponse) SchemaInfo {
	info := SchemaInfo{
		ID:            SchemaID{ID: r.GetSchemaId(), Version: r.GetVersion()},
		Subject:       r.GetSubject(),
		Type:          SchemaType(r.GetSchemaType()),
		Definition:    definition(r.GetSchemaDefinition()),
		Fingerprint:   r.GetFingerprint(),
		Compatibility: compatibility(r.GetCompatibilityMode()),
		Description:   r.GetDescription(),
		CreatedBy:     r.GetCreatedBy(),
		Tags:          r.GetTags(),
	}
	if s := r.GetCreatedAt(); s > 0 {
		info.CreatedAt = time.Unix(int64(s), 0)
	}
	return info
}

// compatibility reads a mode, which some answers have in capitals.
func compatibility(text string) Compatibility { return Compatibility(strings.ToLower(text)) }

// definition takes the text of a schema out of the JSON in which the broker keeps
// it, such as {"Avro":{"raw_schema":"...","fingerprint":"..."}} or "Bytes". What is
// none of these is returned as it is.
func definition(stored []byte) string {
	var name string
	if json.Unmarshal(stored, &name) == nil && (name == "Bytes" || name == "String" || name == "Number") {
		return ""
	}
	var wrapper map[string]json.RawMessage
	if json.Unmarshal(stored, &wrapper) != nil || len(wrapper) != 1 {
		return string(stored)
	}
	var inner struct {
		Schema *string `json:"raw_schema"`
		Proto  *string `json:"raw_proto"`
	}
	for kind, raw := range wrapper {
		switch {
		case json.Unmarshal(raw, &inner) != nil:
		case (kind == "Avro" || kind == "JsonSchema") && inner.Schema != nil:
			return *inner.Schema
		case kind == "Protobuf" && inner.Proto != nil:
			return *inner.Proto
		}
	}
	return string(stored)
}
