package connect

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// masked is what a Secret prints as.
const masked = "***"

// maxSecretBytes bounds what is read from a secret's file.
const maxSecretBytes = 64 << 10

// Secret is a text that must not be seen: a password, a token, a key. It prints as
// "***", or as nothing when it is empty, through fmt with every verb, slog, JSON,
// TOML and error texts, also inside other structs.
//
// In a configuration file and in the environment it is written as the text itself
// or as "file:" and the absolute path of a file that holds it, such as a mounted
// Kubernetes or Docker secret:
//
//	password = "file:/run/secrets/db-password"
//
// The file is read once, when the configuration is loaded; line ends at its end
// do not count.
//
// The zero value is the empty secret. Compare with [Secret.Equal], not ==.
type Secret struct {
	// A pointer, since fmt shows the fields of a struct that it reaches through an
	// unexported field without asking for its methods: it then shows an address.
	text *string
}

// NewSecret returns a Secret of a text as it is, without reading files.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text. Do not log it, nor put it into an error.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether two secrets have the same text. It is not meant to check
// what a stranger sent: its time depends on the texts.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String returns "***", or "" for the empty secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return masked
}

// GoString is String in quotes.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format prints String whatever the verb.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text) // fmt ignores such errors as well
}

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns String, for JSON and TOML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text, or reads the file that "file:/path" names. Its
// errors name the file and never the text.
func (s *Secret) UnmarshalText(text []byte) error {
	path, inFile := strings.CutPrefix(string(text), "file:")
	if !inFile {
		*s = NewSecret(string(text))
		return nil
	}
	if !filepath.IsAbs(path) {
		return errors.New(`a secret in a file needs an absolute path, as in "file:/run/secrets/name"`)
	}
	content, err := readSecret(path)
	if err != nil {
		return fmt.Errorf("secret in a file: %w", err)
	}
	*s = NewSecret(content)
	return nil
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	// Bounded, since the path may name anything: a device has no end.
	b, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecretBytes {
		return "", fmt.Errorf("%s holds more than %d bytes", path, maxSecretBytes)
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}
