package connect

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

type printSettings struct {
	Prefix  string        `toml:"prefix" env:"PRINT_PREFIX"`
	Every   time.Duration `toml:"every" env:"PRINT_EVERY" envDefault:"5s"`
	Token   Secret        `toml:"token" env:"PRINT_TOKEN"`
	Targets []struct {
		URL string `toml:"url"`
	} `toml:"targets"`
	invalid error
}

func (s *printSettings) Validate() error { return s.invalid }

func loadWith(text string, env []string, settings ...Settings) (Config, error) {
	return LoadConfig(LoadOptions{
		File: "a.toml", ReadFile: files(text), LookupEnv: variables(env...), Settings: settings,
	})
}

func TestSettingsInATable(t *testing.T) {
	s := printSettings{Prefix: "default"}
	c, err := loadWith("[print]\ntoken = \"hunter2\"\n[[print.targets]]\nurl = \"u\"\n", []string{"PRINT_PREFIX=env"},
		Settings{Table: "print", Dst: &s})
	if err != nil {
		t.Fatal(err)
	}
	if s.Prefix != "env" || s.Every != 5*time.Second || s.Token.Reveal() != "hunter2" || len(s.Targets) != 1 || s.Targets[0].URL != "u" {
		t.Errorf("got %+v", s)
	}
	if got := c.unreadTables(); len(got) != 0 {
		t.Errorf("unread: %v", got)
	}
	if strings.Contains(c.String(), "hunter2") {
		t.Errorf("a secret is in %v", c)
	}
}

func TestSettingsAtTheTop(t *testing.T) {
	var a, b struct {
		Path string `toml:"path"`
		Auth struct {
			User string `toml:"user"`
		} `toml:"auth"`
	}
	var other struct {
		Speed int `toml:"speed"`
	}
	const text = "path = \"p\"\nspeed = 3\nbatch_size = 5\n[auth]\nuser = \"u\"\n[more]\nx = 1\n"
	c, err := loadWith(text, nil, Settings{Dst: &a}, Settings{Dst: &other})
	if err != nil {
		t.Fatal(err)
	}
	if a.Path != "p" || a.Auth.User != "u" || other.Speed != 3 || c.BatchSize != 5 {
		t.Errorf("got %+v, %+v, %v", a, other, c)
	}
	if got := c.unreadTables(); !slices.Equal(got, []string{"more"}) {
		t.Errorf("unread: %v", got)
	}
	_, err = loadWith("pth = \"p\"\nspeed = 3\n", nil, Settings{Dst: &b})
	const want = `configuration: 2 problems:
  pth (a.toml:1): unknown key; did you mean "path"?
  speed (a.toml:2): unknown key`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestSettingsProblems(t *testing.T) {
	var shadow struct {
		Port int `toml:"metrics_port"`
	}
	tests := map[string]struct {
		text     string
		env      []string
		settings Settings
		want     string
	}{
		"all at once": {
			text: "batch_size = 0\n[print]\nprefx = \"x\"\nevery = 5\n[[print.targets]]\nurI = \"x\"\n", env: []string{"PRINT_EVERY=soon"},
			settings: Settings{"print", &printSettings{}},
			want: `5 problems:
  print.every = "5" (a.toml:4): expected a duration such as "500ms" or "5s", got a whole number
  print.targets[0].urI (a.toml): unknown key; did you mean "url"?
  print.every = "soon" (environment variable PRINT_EVERY): expected a duration such as "500ms" or "5s"
  print.prefx (a.toml:3): unknown key; did you mean "prefix"?
  batch_size = "0" (a.toml:1): expected at least 1`,
		},
		"no secrets": {
			text: "[print]\ntoken = 12345\n", env: []string{"PRINT_TOKEN=file:secret-instead-of-a-path"},
			settings: Settings{"print", &printSettings{}},
			want: `2 problems:
  print.token = "***" (a.toml:2): expected a text in quotes, got a whole number
  print.token = "***" (environment variable PRINT_TOKEN): a secret in a file needs an absolute path, as in "file:/run/secrets/name"`,
		},
		"a scalar for the table": {
			text: "print = 5", settings: Settings{"print", &printSettings{}},
			want: `print = "5" (a.toml:1): expected a table [print], got a whole number`,
		},
		"a key of the SDK":   {settings: Settings{"", &shadow}, want: `metrics_port (code): settings cannot use a key of the SDK; rename it`},
		"a table of the SDK": {settings: Settings{"retry", &printSettings{}}, want: `retry (code): settings cannot use a key of the SDK; rename it`},
		"no pointer":         {settings: Settings{"print", 5}, want: `print: settings need a pointer to decode into, not int`},
		"own validation":     {settings: Settings{"print", &printSettings{invalid: errors.New("bad")}}, want: `print: bad`},
		"own validation, one": {
			settings: Settings{"print", &printSettings{invalid: &ConfigError{Key: "print.every", Problem: "too long"}}}, want: `print.every: too long`,
		},
		"own validation, more": {
			settings: Settings{"print", &printSettings{invalid: ConfigErrors{{Key: "a", Problem: "b"}, {Key: "c", Problem: "d"}}}},
			want:     "2 problems:\n  a: b\n  c: d",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := loadWith(tt.text, tt.env, tt.settings)
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.TrimPrefix(err.Error(), "configuration: "); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestDecodeSettings(t *testing.T) {
	const text = "[print]\nprefix = \"p\"\n[[routes]]\nurl = \"u\"\n[wrong]\nprefix = 5\nother = 1\n[prnt]\nx = 1\n"
	c, err := loadWith(text, []string{"PRINT_TOKEN=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.unreadTables(); !slices.Equal(got, []string{"print", "routes", "wrong", "prnt"}) {
		t.Errorf("unread: %v", got)
	}
	var s printSettings
	if err := c.decodeSettings("print", &s); err != nil || s.Prefix != "p" || s.Token.Reveal() != "hunter2" || s.Every != 5*time.Second {
		t.Errorf("got %+v, %v", s, err)
	}
	var routes []struct {
		URL string `toml:"url"`
	}
	if err := c.decodeSettings("routes", &routes); err != nil || len(routes) != 1 {
		t.Errorf("got %+v, %v", routes, err)
	}
	err = c.decodeSettings("wrong", &s)
	if problems, ok := errors.AsType[ConfigErrors](err); !ok || len(problems) != 2 {
		t.Errorf("got %v", err)
	}
	if err := c.decodeSettings("absent", &s); err != nil {
		t.Errorf("a table that is not there: %v", err)
	}
	if err := c.decodeSettings("retry", &s); KindOf(err) != KindConfig {
		t.Errorf("a table of the SDK: %v", err)
	}
	if err := c.decodeSettings("print", &printSettings{invalid: errors.New("bad")}); err == nil {
		t.Error("its own validation was not asked")
	}
	const want = `configuration: prnt (a.toml:8): unknown table: nothing has read it; did you mean "print"?`
	if err := c.checkUnread(); err == nil || err.Error() != want || !slices.Equal(c.unreadTables(), []string{"prnt"}) {
		t.Errorf("got %v, %v", err, c.unreadTables())
	}
}

func TestDecodeSettingsOfAConfigMadeInCode(t *testing.T) {
	s := printSettings{Prefix: "default"}
	c := DefaultConfig()
	if err := c.decodeSettings("print", &s); err != nil || s.Prefix != "default" || s.Every != 5*time.Second {
		t.Errorf("got %+v, %v", s, err)
	}
	if c.unreadTables() != nil && len(c.unreadTables()) != 0 || c.checkUnread() != nil {
		t.Error("tables out of nothing")
	}
}

func TestDecodeSettingsConcurrently(t *testing.T) {
	c, err := loadWith("[a]\nprefix = \"x\"\n[b]\nprefix = \"x\"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var s printSettings
			if err := c.decodeSettings([]string{"a", "b"}[i%2], &s); err != nil || s.Prefix != "x" {
				t.Errorf("got %+v, %v", s, err)
			}
			_ = c.unreadTables()
			_ = c.checkUnread()
		})
	}
	wg.Wait()
}

// unreadTables returns the tables of the file that are neither the SDK's nor
// declared, and that no decodeSettings has read so far, in the file's order.
func (c Config) unreadTables() []string {
	nodes := c.unread()
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return names
}
