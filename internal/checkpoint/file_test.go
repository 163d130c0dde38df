package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path, "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestOffsetsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	f := open(t, path)
	if got, err := f.Load(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("a new checkpoint holds %v (%v)", got, err)
	}
	for _, save := range [][]Entry{
		{{"b", "1"}, {"", "start <&> end"}},
		{{"b", "2"}, {"\xff\x00", "\x80binary"}},
	} {
		if err := f.Save(t.Context(), save); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(t.Context(), nil); err == nil {
		t.Error("Save after Close succeeded")
	}
	got, err := open(t, path).Load(t.Context())
	want := []Entry{{"", "start <&> end"}, {"b", "2"}, {"\xff\x00", "\x80binary"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	left, err := filepath.Glob(path + ".tmp*")
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v (%v)", left, err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	f := open(t, path)
	if _, err := Open(path, "c"); err == nil || !strings.Contains(err.Error(), path+".lock") {
		t.Errorf("a second Open: %v, want an error that names the lock", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestDamageIsAnErrorWithAWayOut(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "offsets")
	f := open(t, path)
	if err := f.Save(t.Context(), []Entry{{"p", "123456"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{
		"empty":          {},
		"cut":            good[:len(good)-10],
		"cut in half":    good[:len(good)/2],
		"a digit":        bytes.Replace(good, []byte("123456"), []byte("123457"), 1),
		"appended":       append(bytes.Clone(good), "x\n"...),
		"another format": []byte("{}"),
		"newer version":  bytes.Replace(good, []byte("checkpoint 1"), []byte("checkpoint 2"), 1),
	}
	for name, data := range damaged {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "offsets")
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path, "c")
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove it") {
				t.Errorf("got %v, want an error that names the file and the way out", err)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
				t.Errorf("the damaged file was changed (%v)", err)
			}
		})
	}
	if _, err := Open(path, "other"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("the checkpoint of another connector: %v", err)
	}
}

func TestAFailedSaveLeavesTheOldFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sub")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f := open(t, filepath.Join(dir, "offsets"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(t.Context(), []Entry{{"p", "1"}}); err == nil {
		t.Error("Save into a directory that is gone succeeded")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(format + "\n{\"connector\":\"c\",\"offsets\":[]}\nsha256:0\n"))
	f.Add([]byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parse(data); err == nil && !bytes.HasPrefix(data, []byte(format)) {
			t.Errorf("%q was accepted", data)
		}
	})
}
