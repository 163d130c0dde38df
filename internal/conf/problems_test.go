package conf

import (
	"slices"
	"strings"
	"testing"
)

func TestFillProblems(t *testing.T) {
	tests := map[string]struct {
		text string
		env  Lookup
		want []string
	}{
		"types in the file": {text: `
text = 5
n = "x"
u = -1
i8 = 300
f = "x"
b = "yes"
t = 5
p = 1.5
tags = "x"
labels = ["x"]
in = 5
`, want: []string{
			`text=5 (a.toml:2) expected a text in quotes, got a whole number; `,
			`n=x (a.toml:3) expected a whole number, got a text; `,
			`u=-1 (a.toml:4) expected a whole number from 0, got a whole number; `,
			`i8=300 (a.toml:5) 300 is out of range for int8; `,
			`f=x (a.toml:6) expected a number, got a text; `,
			`b=yes (a.toml:7) expected true or false, got a text; `,
			`t=5 (a.toml:8) parsing time "5" as "2006-01-02T15:04:05Z07:00": cannot parse "5" as "2006"; `,
			`p=1.5 (a.toml:9) expected a whole number, got a number; `,
			`tags=x (a.toml:10) expected a list, got a text; `,
			`labels= (a.toml:11) expected a table, got a list; `,
			`in=5 (a.toml:12) expected a table, got a whole number; `,
		}},
		"what the library would misread": {
			text: "d = 5\nwaits = [\"1s\", 5]\npass = 12345\npasses = [1.50]",
			want: []string{
				`d=5 (a.toml:1) expected a duration such as "500ms" or "5s", got a whole number; `,
				`waits[1]=5 (a.toml:2) expected a duration such as "500ms" or "5s", got a whole number; `,
				`pass=*** (a.toml:3) expected a text in quotes, got a whole number; `,
				`passes[0]=*** (a.toml:4) expected a text in quotes, got a number; `,
			}},
		"what types refuse": {
			text: "c = \"blue\"\nd = \"soon\"\npass = \"refused\"\n",
			want: []string{
				`c=blue (a.toml:1) no such color; `,
				`d=soon (a.toml:2) invalid duration: "soon"; `,
				`pass=*** (a.toml:3) not this one; `,
			}},
		"unknown keys": {
			text: "text2 = 1\n[in]\nhots = 1\n[in.host2]\nx = 1\n[[routes]]\nhost = \"a\"\n[[routes]]\nhorst = \"b\"\n",
			want: []string{
				`in.hots= (a.toml:3) unknown key; did you mean "host"?`,
				`in.host2= (a.toml:4) unknown key; did you mean "host"?`,
				`routes[1].horst= (a.toml) unknown key; did you mean "host"?`,
				"unknown text2",
			}},
		"case of a tagged key":    {text: "Text = \"x\"", want: []string{"unknown Text"}},
		"out of reach":            {text: "zone = \"x\"\nregion = \"x\"\nhidden = \"x\"", want: []string{"unknown zone", "unknown region", "unknown hidden"}},
		"a list where a table is": {text: "[[in]]\nhost = \"a\"", want: []string{`in= (a.toml:1) expected a table, got a list; `}},
		"a table where a list is": {text: "[routes]\nhost = \"a\"", want: []string{`routes= (a.toml:1) expected a list, got a table; `}},
		"a table where a text is": {text: "[text]\nhost = \"a\"", want: []string{`text= (a.toml:1) expected a text in quotes, got a table; `}},
		"types in the environment": {
			env: vars("N=1k", "U=-1", "I8=300", "F=x", "B=yes", "D=5", "T=x", "C=blue", "P=", "PASS=refused", "PASSES=a,refused", "WAITS=1s,x", "LABELS=a", "IN_PORT=65536"),
			want: []string{
				`n=1k (environment variable N) expected a whole number; `,
				`u=-1 (environment variable U) expected a whole number from 0; `,
				`i8=300 (environment variable I8) out of range; `,
				`f=x (environment variable F) expected a number; `,
				`b=yes (environment variable B) expected true or false; `,
				`d=5 (environment variable D) expected a duration such as "500ms" or "5s"; `,
				`t=x (environment variable T) parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"; `,
				`c=blue (environment variable C) no such color; `,
				`pass=*** (environment variable PASS) not this one; `,
				`passes=*** (environment variable PASSES) not this one; `,
				`waits=1s,x (environment variable WAITS) unable to parse duration: time: invalid duration "x"; `,
				`labels=a (environment variable LABELS) "a" should be in "key:value" format; `,
				`in.port=65536 (environment variable IN_PORT) out of range; `,
			}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var dst all
			if _, got := fill(t, &dst, tt.text, tt.env); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestRequired(t *testing.T) {
	type settings struct {
		URL  string `toml:"url" env:"URL,required"`
		Name string `toml:"-" env:"NAME,notEmpty"`
		With int    `toml:"with" env:"WITH,required" envDefault:"3"`
	}
	tests := map[string]struct {
		dst  settings
		text string
		env  Lookup
		want []string
	}{
		"nowhere": {want: []string{
			"url= () required: set it in the file or as the environment variable URL; ",
			"= () required: set the environment variable NAME; ",
		}},
		"empty":              {env: vars("URL=", "NAME="), want: []string{"url= () required: set it in the file or as the environment variable URL; ", "= () required: set the environment variable NAME; "}},
		"file":               {text: `url = "x"`, env: vars("NAME=n")},
		"environment":        {env: vars("URL=x", "NAME=n")},
		"code":               {dst: settings{URL: "x", Name: "n"}},
		"wrong, not missing": {text: "url = 5", env: vars("NAME=n"), want: []string{"url=5 (a.toml:1) expected a text in quotes, got a whole number; "}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, got := fill(t, &tt.dst, tt.text, tt.env); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.dst.With != 3 {
				t.Errorf("the default is %d", tt.dst.With)
			}
		})
	}
}

func TestTagMistakes(t *testing.T) {
	var expand struct {
		A string `env:"A,expand"`
	}
	var option struct {
		A string `env:"A,nonsense"`
	}
	var def struct {
		A int `env:"A" envDefault:"x"`
	}
	for want, dst := range map[string]any{
		"option expand": &expand, `option "nonsense"`: &option, "parse error": &def,
		"pointer to a struct": all{},
		"a struct":            (*all)(nil),
	} {
		r := Fill(dst, "table", nil, nil)
		if len(r.Problems) == 0 || !strings.Contains(r.Problems[0].Problem, want) {
			t.Errorf("%s: got %+v", want, r.Problems)
		}
	}
}
