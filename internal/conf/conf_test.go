package conf

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// secret stands for the SDK's type: conf knows secrets by their method.
type secret struct{ s string }

func (s secret) Reveal() string { return s.s }

func (s *secret) UnmarshalText(b []byte) error {
	if string(b) == "refused" {
		return errors.New("not this one")
	}
	s.s = string(b)
	return nil
}

type color int

func (c *color) UnmarshalText(b []byte) error {
	if string(b) != "red" {
		return fmt.Errorf("no such color")
	}
	*c = 1
	return nil
}

type common struct {
	Region string `toml:"region" env:"REGION"`
}

type inner struct {
	Host string `toml:"host" env:"HOST"`
	Port uint16 `toml:"port" env:"PORT" envDefault:"80"`
}

type all struct {
	common   // unexported: out of reach, as for the libraries
	Common   `toml:"-"`
	Text     string            `toml:"text" env:"TEXT"`
	N        int               `toml:"n" env:"N"`
	U        uint              `toml:"u" env:"U"`
	I8       int8              `toml:"i8" env:"I8"`
	F        float64           `toml:"f" env:"F"`
	B        bool              `toml:"b" env:"B"`
	D        time.Duration     `toml:"d" env:"D" envDefault:"3s"`
	T        time.Time         `toml:"t" env:"T"`
	C        color             `toml:"c" env:"C"`
	P        *int              `toml:"p" env:"P"`
	Pass     secret            `toml:"pass" env:"PASS"`
	Passes   []secret          `toml:"passes" env:"PASSES"`
	Tags     []string          `toml:"tags" env:"TAGS"`
	Waits    []time.Duration   `toml:"waits" env:"WAITS"`
	Labels   map[string]string `toml:"labels" env:"LABELS"`
	Free     map[string]any    `toml:"free"`
	Any      any               `toml:"any"`
	In       inner             `toml:"in" envPrefix:"IN_"`
	Ptr      *inner            `toml:"ptr" envPrefix:"PTR_"`
	Routes   []inner           `toml:"routes"`
	ByName   map[string]inner  `toml:"by_name"`
	EnvOnly  string            `toml:"-" env:"ENV_ONLY"`
	Untagged string
	Renamed  string `toml:"custom,omitempty" env:"-"`
	hidden   string //lint:ignore U1000 must be left alone
}

type Common struct {
	Zone string `toml:"zone" env:"ZONE"`
}

func vars(list ...string) Lookup {
	m := make(map[string]string)
	for _, v := range list {
		name, value, _ := strings.Cut(v, "=")
		m[name] = value
	}
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

func fill(t *testing.T, dst any, text string, lookup Lookup) (Result, []string) {
	t.Helper()
	r := Fill(dst, "", mustParse(t, text).Top(), lookup)
	var lines []string
	for _, p := range r.Problems {
		lines = append(lines, fmt.Sprintf("%s=%s (%s) %s; %s", p.Key, p.Value, p.Source, p.Problem, p.Hint))
	}
	for _, n := range r.Unknown {
		lines = append(lines, "unknown "+n.Path)
	}
	return r, lines
}

func TestFillFromFile(t *testing.T) {
	dst := all{Text: "default", Untagged: "kept"}
	_, problems := fill(t, &dst, `
text = "hello"
n = -2_000_000_000
u = 4_000_000_000
i8 = -128
f = 1
b = true
d = "1m"
t = 2026-01-02T03:04:05Z
c = "red"
p = 0
pass = "hunter2"
passes = ["a", "b"]
tags = ["x", "y"]
waits = ["1s", "2s"]
labels = { a = "1" }
any = [1, { b = 2 }]
UNTAGGED = "u"
custom = "r"
by_name.first = { host = "h" }

[free]
x = 1
[free.y]
z = [1, "mixed"]

[in]
host = "inside"
[ptr]
port = 9

[[routes]]
host = "one"
[[routes]]
host = "two"
port = 2
`, nil)
	if problems != nil {
		t.Fatalf("%q", problems)
	}
	zero := 0
	want := all{
		Text: "hello", N: -2_000_000_000, U: 4_000_000_000, I8: -128, F: 1, B: true, D: time.Minute,
		T: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), C: 1, P: &zero,
		Pass: secret{"hunter2"}, Passes: []secret{{"a"}, {"b"}}, Tags: []string{"x", "y"},
		Waits: []time.Duration{time.Second, 2 * time.Second}, Labels: map[string]string{"a": "1"},
		Free:     map[string]any{"x": int64(1), "y": map[string]any{"z": []any{int64(1), "mixed"}}},
		Any:      []any{int64(1), map[string]any{"b": int64(2)}},
		In:       inner{Host: "inside", Port: 80},
		Ptr:      &inner{Port: 9},
		Routes:   []inner{{Host: "one"}, {Host: "two", Port: 2}},
		ByName:   map[string]inner{"first": {Host: "h"}},
		Untagged: "u", Renamed: "r",
	}
	if !reflect.DeepEqual(dst, want) {
		t.Errorf("got  %+v\nwant %+v", dst, want)
	}
}

func TestFillFromEnvironment(t *testing.T) {
	dst := all{Text: "default", Tags: []string{"d"}, N: 3}
	r, problems := fill(t, &dst, "text = \"file\"\nn = 4\nd = \"9s\"\n[in]\nhost = \"file\"", vars(
		"TEXT=env", "N=", "U=7", "I8=-1", "F=0.5", "B=1", "T=2026-01-02T03:04:05Z", "C=red", "P=5", "PASS=hunter2",
		"PASSES=a,b", "TAGS=x,y", "WAITS=1s,2s", "LABELS=a:1,b:2", "IN_HOST=h", "IN_PORT=1", "PTR_HOST=out of reach",
		"ENV_ONLY=e", "ZONE=z", "REGION=out of reach", "HOST=not this", "UNTAGGED=not this", "RENAMED=not this"))
	if problems != nil {
		t.Fatalf("%q", problems)
	}
	five := 5
	want := all{
		Common: Common{"z"},
		Text:   "env", N: 4, U: 7, I8: -1, F: 0.5, B: true, D: 9 * time.Second,
		T: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), C: 1, P: &five,
		Pass: secret{"hunter2"}, Passes: []secret{{"a"}, {"b"}}, Tags: []string{"x", "y"},
		Waits: []time.Duration{time.Second, 2 * time.Second}, Labels: map[string]string{"a": "1", "b": "2"},
		In: inner{"h", 1}, EnvOnly: "e",
	}
	if !reflect.DeepEqual(dst, want) {
		t.Errorf("got  %+v\nwant %+v", dst, want)
	}
	for path, source := range map[string]string{
		"text": "environment variable TEXT", "n": "a.toml:2", "in.host": "environment variable IN_HOST", "f": "environment variable F",
	} {
		if r.Set[path] != source {
			t.Errorf("%s comes from %s, not %s", path, r.Set[path], source)
		}
	}
	if s, ok := r.Set["b2"]; ok {
		t.Errorf("b2 comes from %s", s)
	}
}

// The library stops at 32 bits for int and uint.
func TestWideIntegersFromEnvironment(t *testing.T) {
	var dst all
	_, problems := fill(t, &dst, "", vars(fmt.Sprint("N=", math.MinInt), fmt.Sprint("U=", uint(math.MaxUint))))
	if problems != nil || dst.N != math.MinInt || dst.U != math.MaxUint {
		t.Errorf("got %d, %d, %q", dst.N, dst.U, problems)
	}
}

// An envDefault is a default: weaker than the file, even where the file says zero.
func TestEnvDefaultIsWeakerThanFile(t *testing.T) {
	var dst all
	if _, problems := fill(t, &dst, "d = \"0s\"\n[in]\nport = 0", vars()); problems != nil || dst.D != 0 || dst.In.Port != 0 {
		t.Errorf("got %v and %d, %q", dst.D, dst.In.Port, problems)
	}
	dst = all{D: time.Hour}
	if _, problems := fill(t, &dst, "", vars()); problems != nil || dst.D != time.Hour || dst.In.Port != 80 {
		t.Errorf("got %v and %d, %q", dst.D, dst.In.Port, problems)
	}
}

// The environment option file holds a file's name, but a user may mistake it for
// the secret itself.
func TestSecretInsteadOfItsFile(t *testing.T) {
	var dst struct {
		Pass secret `toml:"pass" env:"PASS,file"`
	}
	_, got := fill(t, &dst, "", vars("PASS=hunter2"))
	if len(got) != 1 || strings.Contains(got[0], "hunter2") {
		t.Errorf("got %q", got)
	}
	path := t.TempDir() + "/pass"
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, got := fill(t, &dst, "", vars("PASS="+path)); got != nil || dst.Pass.s != "x" {
		t.Errorf("got %q, %q", dst.Pass.s, got)
	}
}

func TestFillNode(t *testing.T) {
	top := mustParse(t, "scalar = 5\n[in]\nhost = \"h\"\nport = \"x\"\nmore = 1\n[[routes]]\nhost = \"a\"\n[free]\nx = 1\n").Top()
	var in inner
	problems := FillNode(&in, "in", find(t, top, "in"), vars("HOST=env"))
	if len(problems) != 2 || problems[0].Key != "in.port" || problems[1].Key != "in.more" || in.Host != "env" {
		t.Errorf("got %+v, %+v", problems, in)
	}
	var routes []inner
	if problems := FillNode(&routes, "routes", find(t, top, "routes"), nil); problems != nil || len(routes) != 1 || routes[0].Host != "a" {
		t.Errorf("got %+v, %+v", problems, routes)
	}
	var free map[string]any
	if problems := FillNode(&free, "free", find(t, top, "free"), nil); problems != nil || free["x"] != int64(1) {
		t.Errorf("got %+v, %+v", problems, free)
	}
	if problems := FillNode(&in, "scalar", find(t, top, "scalar"), nil); len(problems) != 1 || problems[0].Problem != "expected a table [scalar], got a whole number" {
		t.Errorf("got %+v", problems)
	}
	if problems := FillNode(&free, "absent", nil, nil); problems != nil {
		t.Errorf("got %+v", problems)
	}
	in = inner{}
	if problems := FillNode(&in, "absent", nil, vars("HOST=env")); problems != nil || in != (inner{"env", 80}) {
		t.Errorf("got %+v, %+v", problems, in)
	}
	for _, dst := range []any{nil, in, (*map[string]any)(nil)} {
		if problems := FillNode(dst, "x", find(t, top, "free"), nil); len(problems) != 1 {
			t.Errorf("%T: got %+v", dst, problems)
		}
	}
}
