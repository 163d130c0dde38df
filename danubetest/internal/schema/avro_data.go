package schema

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// avroMagic begins an Avro object container file.
const avroMagic = "Obj\x01"

// maxAvroBlock bounds what a compressed block may become.
const maxAvroBlock = 64 << 20

// checkFile reads the first value of an Avro object container file: with the schema in
// the file, and that schema has to fit t. The broker asks for no more, and takes nothing
// else than such files.
func (t *avroType) checkFile(data []byte) error {
	r := avroReader{bytes.NewReader(data)}
	if string(r.take(len(avroMagic))) != avroMagic {
		return errors.New("wrong magic in header")
	}
	meta := make(map[string]string)
	err := r.blocks(func() error {
		k, err := r.bytes()
		if err != nil {
			return err
		}
		v, err := r.bytes()
		meta[string(k)] = string(v)
		return err
	})
	sync := r.take(16)
	if err != nil || len(sync) < 16 {
		return errors.New("the header is cut off")
	}
	writer, _, err := parseAvro([]byte(meta["avro.schema"]))
	if err != nil {
		return errors.New("no schema in the header")
	}
	if !t.resolves(writer, make(map[avroPair]bool)) {
		return fmt.Errorf("what was written as %s cannot be read as %s", canonical(writer.json), canonical(t.json))
	}
	for r.Len() > 0 {
		n, err := r.long()
		block, berr := r.bytes()
		if err != nil || berr != nil || !bytes.Equal(r.take(16), sync) {
			return errors.New("a block is cut off")
		}
		if n == 0 {
			continue
		}
		switch meta["avro.codec"] {
		case "", "null":
		case "deflate":
			if block, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(block)), maxAvroBlock)); err != nil {
				return fmt.Errorf("deflate: %w", err)
			}
		default:
			return fmt.Errorf("codec %q is not known", meta["avro.codec"])
		}
		return writer.skip(avroReader{bytes.NewReader(block)}, 0)
	}
	return errors.New("no data found")
}

// avroPair is a reader's type and a writer's.
type avroPair struct{ t, w *avroType }

// resolves reports whether a reader with schema t can read what was written with w. What
// is in seen is being looked at already: both have themselves in them.
func (t *avroType) resolves(w *avroType, seen map[avroPair]bool) bool {
	if t.kind == "ref" {
		t = t.names[t.name]
	}
	if w.kind == "ref" {
		w = w.names[w.name]
	}
	if seen[avroPair{t, w}] {
		return true
	}
	seen[avroPair{t, w}] = true
	kind, written := t.kind, w.kind
	if t.base != "" {
		kind = t.base
	}
	if w.base != "" {
		written = w.base
	}
	switch {
	case kind == "union":
		return slices.ContainsFunc(t.members, func(m *avroType) bool { return m.resolves(w, seen) })
	case written == "union":
		return slices.ContainsFunc(w.members, func(m *avroType) bool { return t.resolves(m, seen) })
	case kind != written:
		return slices.Contains(avroWidens[kind], written) || kind == "float" && (written == "int" || written == "long")
	case kind == "array" || kind == "map":
		return t.of.resolves(w.of, seen)
	case kind == "fixed":
		return t.size == w.size
	case kind != "record":
		return true
	}
	for _, f := range t.fields {
		i := slices.IndexFunc(w.fields, func(o avroField) bool { return o.name == f.name })
		if i < 0 && !f.hasDefault || i >= 0 && !f.typ.resolves(w.fields[i].typ, seen) {
			return false
		}
	}
	return true
}

// maxAvroDepth bounds how deep a value may be.
const maxAvroDepth = 100

// skip reads one value.
func (t *avroType) skip(r avroReader, depth int) error {
	if depth > maxAvroDepth {
		return errors.New("the value is too deep")
	}
	kind := t.kind
	if t.base != "" {
		kind = t.base
	}
	switch kind {
	case "null":
		return nil
	case "boolean":
		if b := r.take(1); len(b) < 1 || b[0] > 1 {
			return errors.New("not a boolean")
		}
		return nil
	case "int", "long":
		_, err := r.long()
		return err
	case "float":
		return r.skip(4)
	case "double":
		return r.skip(8)
	case "fixed":
		return r.skip(t.size)
	case "bytes", "string":
		b, err := r.bytes()
		if err == nil && kind == "string" && !utf8.Valid(b) {
			err = errors.New("a string is not UTF-8")
		}
		return err
	case "enum":
		n, err := r.long()
		if err == nil && (n < 0 || n >= int64(len(t.symbols))) {
			err = errors.New("an enum has no such symbol")
		}
		return err
	case "union":
		n, err := r.long()
		if err != nil || n < 0 || n >= int64(len(t.members)) {
			return errors.New("a union has no such member")
		}
		return t.members[n].skip(r, depth+1)
	case "array":
		return r.blocks(func() error { return t.of.skip(r, depth+1) })
	case "map":
		return r.blocks(func() error {
			if _, err := r.bytes(); err != nil {
				return err
			}
			return t.of.skip(r, depth+1)
		})
	case "ref":
		return t.names[t.name].skip(r, depth)
	}
	for _, f := range t.fields { // a record
		if err := f.typ.skip(r, depth+1); err != nil {
			return err
		}
	}
	return nil
}

type avroReader struct{ *bytes.Reader }

var errCutOff = errors.New("the data is cut off")

// take returns the next n bytes, or fewer at the end.
func (r avroReader) take(n int) []byte {
	b := make([]byte, min(n, r.Len()))
	io.ReadFull(r, b) // cannot fail
	return b
}

func (r avroReader) skip(n int64) error {
	if n < 0 || n > int64(r.Len()) {
		return errCutOff
	}
	_, err := r.Seek(n, io.SeekCurrent)
	return err
}

// long reads an integer: zigzag, as encoding/binary has it.
func (r avroReader) long() (int64, error) {
	n, err := binary.ReadVarint(r)
	if err != nil {
		return 0, errCutOff
	}
	return n, nil
}

func (r avroReader) bytes() ([]byte, error) {
	n, err := r.long()
	if err != nil || n < 0 || n > int64(r.Len()) {
		return nil, errCutOff
	}
	return r.take(int(n)), nil
}

// blocks reads what an array or a map has.
func (r avroReader) blocks(each func() error) error {
	for {
		n, err := r.long()
		if err != nil || n == 0 {
			return err
		}
		if n < 0 { // the size in bytes follows
			if _, err := r.long(); err != nil {
				return err
			}
			if n = -n; n < 0 {
				return errCutOff
			}
		}
		for before := r.Len(); n > 0; n-- {
			if err := each(); err != nil {
				return err
			}
			if r.Len() == before {
				break // none of them takes any room
			}
		}
	}
}
