// Package checkpoint keeps a source's offsets in a file over restarts.
package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Entry is the newest offset of one source partition.
type Entry struct {
	Partition, Value string
}

// File is a checkpoint in one file. A save replaces the file as a whole: after a
// crash at any moment it holds the offsets of the save before or of this one. One
// process at a time may have it open. It is safe for concurrent use.
type File struct {
	path  string
	owner string

	mu      sync.Mutex
	lock    *lock
	entries map[string]string
}

// format is the first word of the file, with the version of what follows.
const format = "danube-connect-checkpoint 1"

// document is the file's middle; before it stands the format, after it a checksum.
type document struct {
	Connector string    `json:"connector"`
	Offsets   []written `json:"offsets"`
}

// written is an offset in the file. What is no text is in base64.
type written struct {
	Partition       string `json:"partition,omitempty"`
	PartitionBase64 []byte `json:"partition_base64,omitempty"`
	Value           string `json:"value,omitempty"`
	ValueBase64     []byte `json:"value_base64,omitempty"`
}

// Open opens or creates the checkpoint of a connector. A file that is damaged, of
// another connector or of a newer version is an error that says what can be done.
func Open(path, connector string) (*File, error) {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to // else the link would be replaced
	}
	l, err := acquire(path + ".lock")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("checkpoint %s: its directory does not exist, create it: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	f := &File{path: path, owner: connector, lock: l, entries: make(map[string]string)}
	if err := f.read(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return f, nil
}

func (f *File) read() error {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	doc, err := parse(data)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w; restore it from a copy, or remove it to start from the beginning, which publishes everything again", f.path, err)
	}
	if doc.Connector != f.owner {
		return fmt.Errorf("checkpoint %s is of connector %q, this one is %q: give each its own file, or remove it to start from the beginning", f.path, doc.Connector, f.owner)
	}
	for _, w := range doc.Offsets {
		f.entries[text(w.Partition, w.PartitionBase64)] = text(w.Value, w.ValueBase64)
	}
	return nil
}

// parse reads a whole file.
func parse(data []byte) (document, error) {
	head, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok || string(head) != format {
		if strings.HasPrefix(string(head), "danube-connect-checkpoint ") {
			return document{}, fmt.Errorf("it has the format %q, this program knows %q", head, format)
		}
		return document{}, errors.New("it is not a checkpoint, or its beginning is damaged")
	}
	body, sum, ok := cutLast(rest)
	if !ok || string(sum) != checksum(data[:len(head)+1+len(body)+1]) {
		return document{}, errors.New("it is damaged: its checksum does not match")
	}
	var doc document
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return document{}, fmt.Errorf("it is damaged: %w", err)
	}
	return doc, nil
}

// cutLast splits "body\nsum\n".
func cutLast(data []byte) (body, sum []byte, ok bool) {
	data, ok = bytes.CutSuffix(data, []byte("\n"))
	if !ok {
		return nil, nil, false
	}
	i := bytes.LastIndexByte(data, '\n')
	if i < 0 {
		return nil, nil, false
	}
	return data[:i], data[i+1:], true
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func text(s string, b []byte) string {
	if len(b) > 0 {
		return string(b)
	}
	return s
}

// Load returns the saved offsets, in the order of their partitions' names.
func (f *File) Load(context.Context) ([]Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sorted(), nil
}

func (f *File) sorted() []Entry {
	entries := make([]Entry, 0, len(f.entries))
	for p, v := range f.entries {
		entries = append(entries, Entry{p, v})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Partition, b.Partition) })
	return entries
}

// Save adds the newest offsets of some partitions; those of the others stay. When
// it returns nil, they are on disk.
func (f *File) Save(_ context.Context, changed []Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock == nil {
		return fmt.Errorf("checkpoint %s: closed", f.path)
	}
	for _, e := range changed {
		f.entries[e.Partition] = e.Value
	}
	data, err := f.encode()
	if err == nil {
		err = replace(f.path, data)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", f.path, err)
	}
	return nil
}

func (f *File) encode() ([]byte, error) {
	doc := document{Connector: f.owner, Offsets: make([]written, 0, len(f.entries))}
	for _, e := range f.sorted() {
		var w written
		if utf8.ValidString(e.Partition) {
			w.Partition = e.Partition
		} else {
			w.PartitionBase64 = []byte(e.Partition)
		}
		if utf8.ValidString(e.Value) {
			w.Value = e.Value
		} else {
			w.ValueBase64 = []byte(e.Value)
		}
		doc.Offsets = append(doc.Offsets, w)
	}
	var b bytes.Buffer
	b.WriteString(format + "\n")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil { // ends with a newline
		return nil, err
	}
	b.WriteString(checksum(b.Bytes()) + "\n")
	return b.Bytes(), nil
}

// temporary is the name under which a file is written before it takes its place. It
// is always the same, so that what a killed process has left is written over.
func temporary(path string) string { return path + ".tmp" }

// replace puts data in the place of a file: on disk before it gets the name, and
// the name on disk before it returns.
func replace(path string, data []byte) (err error) {
	tmp, err := os.OpenFile(temporary(path), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name()) // the old file is as it was
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Close lets another process have the file. Closing twice is fine.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock == nil {
		return nil
	}
	l := f.lock
	f.lock = nil
	return l.release()
}
