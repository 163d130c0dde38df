package connect

import (
	"fmt"
	"strings"
)

// ConfigError is one thing that is wrong in the configuration. Loading reports
// all of them at once as [ConfigErrors]; a connector may return one from
// Initialize. It ends the connector, exit code 2.
type ConfigError struct {
	// Key is the key as in the file, with its table: "retry.max_retries".
	Key string
	// Value is what was given, empty when nothing was. Secrets are "***".
	Value string
	// Source is where the value came from: "connector.toml:12", "environment
	// variable BATCH_SIZE", "code" or "default"; empty when it came from nowhere.
	Source string
	// Problem says what is wrong and what is expected.
	Problem string
	// Hint is a possible way out, such as the nearest known key; may be empty.
	Hint string
}

// Error returns one line: key, value, source, problem and hint.
func (e *ConfigError) Error() string { return "configuration: " + e.line() }

func (e *ConfigError) line() string {
	var b strings.Builder
	b.WriteString(e.Key)
	if e.Value != "" {
		if b.Len() > 0 {
			b.WriteString(" = ")
		}
		fmt.Fprintf(&b, "%q", e.Value)
	}
	if e.Source != "" {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("(" + e.Source + ")")
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// ConfigErrors is everything that is wrong in the configuration. [LoadConfig] and
// [Config.Validate] return it.
type ConfigErrors []*ConfigError

// Error lists the problems, one line each.
func (e ConfigErrors) Error() string {
	switch len(e) {
	case 0:
		return "configuration: no problems"
	case 1:
		return e[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d problems:", len(e))
	for _, p := range e {
		b.WriteString("\n  " + p.line())
	}
	return b.String()
}

// Unwrap returns the problems, for errors.As.
func (e ConfigErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, p := range e {
		errs[i] = p
	}
	return errs
}

// orNil makes an empty list a nil error.
func (e ConfigErrors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
