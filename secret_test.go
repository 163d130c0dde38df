package connect

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestSecretNeverShows(t *testing.T) {
	type inside struct{ Password Secret }
	type hidden struct{ in inside } // fmt calls no methods behind an unexported field
	s := NewSecret("hunter2")
	var out strings.Builder
	for _, v := range []any{s, &s, []Secret{s}, map[string]Secret{"k": s}, inside{s}, &inside{s}, hidden{inside{s}}, &hidden{inside{s}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		fmt.Fprintln(&out, fmt.Errorf("login: %v", v))
	}
	if err := toml.NewEncoder(&out).Encode(inside{s}); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2"), "104 117 110"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q in\n%s", leak, &out)
		}
	}
	for format, want := range map[string]string{"%v": "***", "%s": "***", "%q": `"***"`, "%#v": `"***"`, "%d": "***"} {
		if got := fmt.Sprintf(format, s); got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
	if got := fmt.Sprintf("%v|%q", Secret{}, Secret{}); got != `|""` {
		t.Errorf("the empty secret prints %s", got)
	}
}

func TestSecretReveal(t *testing.T) {
	if NewSecret("x").Reveal() != "x" || (Secret{}).Reveal() != "" || NewSecret("file:/x").Reveal() != "file:/x" {
		t.Error("Reveal")
	}
	if !NewSecret("").IsZero() || NewSecret("x").IsZero() {
		t.Error("IsZero")
	}
	if !NewSecret("x").Equal(NewSecret("x")) || NewSecret("x").Equal(Secret{}) || !(Secret{}).Equal(NewSecret("")) {
		t.Error("Equal")
	}
}

func TestSecretFromFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	for text, want := range map[string]string{
		"plain":                            "plain",
		"":                                 "",
		write("lf", "hunter2\n"):           "hunter2",
		write("crlf", " spaces stay \r\n"): " spaces stay ",
		write("lines", "a\nb"):             "a\nb",
		write("most", strings.Repeat("x", maxSecretBytes)): strings.Repeat("x", maxSecretBytes),
	} {
		var s Secret
		if err := s.UnmarshalText([]byte(text)); err != nil || s.Reveal() != want {
			t.Errorf("%s: got %q, %v", text, s.Reveal(), err)
		}
	}
	for text, want := range map[string]string{
		"file:relative":           "absolute path",
		"file:":                   "absolute path",
		"file:" + dir + "/absent": "no such file",
		"file:" + dir:             "is a directory",
		write("empty", "\n"):      "is empty",
		"file:/dev/zero":          "more than 65536 bytes",
	} {
		s := NewSecret("before")
		err := s.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want ... %s", text, err, want)
		}
		if s.Reveal() != "before" {
			t.Errorf("%s: the secret changed with an error", text)
		}
	}
}
