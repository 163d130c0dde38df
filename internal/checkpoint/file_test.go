package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
	checkLeft(t, path)
}

// checkLeft fails the test unless there are only the checkpoint and its lock.
func checkLeft(t *testing.T, path string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || !slices.Equal(left, []string{path, path + ".lock"}) {
		t.Errorf("there are %v (%v)", left, err)
	}
}

// Whatever a process that was killed in the middle of a save has left, the next save
// takes away: kill after kill must not fill the disk.
func TestAKilledSaveLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	f := open(t, path)
	if err := f.Save(t.Context(), []Entry{{"p", "1"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(temporary(path), []byte("danube-connect-che"), 0o600); err != nil {
		t.Fatal(err)
	}
	f = open(t, path)
	got, err := f.Load(t.Context())
	if want := []Entry{{"p", "1"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	if err := f.Save(t.Context(), []Entry{{"p", "2"}}); err != nil {
		t.Fatal(err)
	}
	checkLeft(t, path)
	data, err := os.ReadFile(path)
	if _, damage := parse(data); err != nil || damage != nil {
		t.Errorf("%v %v:\n%s", err, damage, data)
	}
}

// A link leads to the file: it is not replaced, and two ways to one file are one.
func TestALinkToTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	link := filepath.Join(t.TempDir(), "link")
	f := open(t, path)
	if err := f.Save(t.Context(), []Entry{{"p", "1"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Skip("no links here:", err)
	}
	if _, err := Open(link, "c"); err == nil || !strings.Contains(err.Error(), path+".lock") {
		t.Errorf("a second Open: %v, want an error that names the lock", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open(t, link)
	if err := f.Save(t.Context(), []Entry{{"p", "2"}}); err != nil {
		t.Fatal(err)
	}
	checkLeft(t, path)
	if to, err := os.Readlink(link); err != nil || to != path {
		t.Errorf("the link is now %q (%v)", to, err)
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
	if err := f.Save(t.Context(), []Entry{{"p", "1"}}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Save into a directory that is gone: %v, want an error that names it", err)
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
