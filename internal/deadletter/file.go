package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"unicode/utf8"
)

// File appends dead letters to a file, one line of JSON each. It is safe for
// concurrent use.
type File struct {
	path string

	mu   sync.Mutex
	f    *os.File
	torn bool // the last line may be half a line
}

// line is one dead letter in the file.
type line struct {
	Headers       map[string]string `json:"headers"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	Key           string            `json:"key,omitempty"`
	KeyBase64     []byte            `json:"key_base64,omitempty"`
	SchemaID      *uint64           `json:"schema_id,omitempty"`
	SchemaVersion *uint32           `json:"schema_version,omitempty"`
	Payload       *string           `json:"payload,omitempty"`
	PayloadBase64 []byte            `json:"payload_base64,omitempty"`
}

// OpenFile opens or creates the file to append to. A last line that was cut off by a
// crash is closed first, so that it spoils no other.
func OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // payloads may be anything
	if err != nil {
		return nil, fmt.Errorf("dead letter file: %w", err)
	}
	if err := endLine(f); err != nil {
		return nil, errors.Join(fmt.Errorf("dead letter file %s: %w", path, err), f.Close())
	}
	if err := syncParent(path); err != nil {
		return nil, errors.Join(fmt.Errorf("dead letter file %s: %w", path, err), f.Close())
	}
	return &File{path: path, f: f}, nil
}

// endLine moves to the end, where a new line begins.
func endLine(f *os.File) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, end-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = f.WriteString("\n")
	return err
}

// syncParent makes a new file's name last over a power failure.
func syncParent(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system can
	return d.Close()
}

// Write appends letters; when it returns nil they are on disk.
func (f *File) Write(letters ...*Letter) error {
	var data []byte
	for _, l := range letters {
		text, err := json.Marshal(l.line())
		if err != nil {
			return fmt.Errorf("dead letter file %s: %w", f.path, err)
		}
		data = append(append(data, text...), '\n')
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return fmt.Errorf("dead letter file %s: %w", f.path, os.ErrClosed)
	}
	if err := f.append(data); err != nil {
		return fmt.Errorf("dead letter file %s: %w", f.path, err)
	}
	return nil
}

// append writes whole lines and sees them to the disk.
func (f *File) append(data []byte) error {
	if f.torn {
		if err := endLine(f.f); err != nil {
			return err
		}
		f.torn = false
	}
	start, err := f.f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err = f.f.Write(data); err == nil {
		err = f.f.Sync()
	}
	if err != nil {
		f.torn = f.f.Truncate(start) != nil // half a line would spoil the next
	}
	return err
}

func (l *Letter) line() line {
	m := l.Message
	out := line{Headers: l.Headers(), Attributes: l.Attributes()}
	if utf8.ValidString(m.Key) {
		out.Key = m.Key
	} else {
		out.KeyBase64 = []byte(m.Key)
	}
	if m.Schema != nil {
		out.SchemaID, out.SchemaVersion = &m.Schema.ID, &m.Schema.Version
	}
	if utf8.Valid(m.Payload) {
		text := string(m.Payload)
		out.Payload = &text
	} else {
		out.PayloadBase64 = m.Payload
	}
	return out
}

// Close closes the file. Closing twice is fine.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
