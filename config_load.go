package connect

import (
	"fmt"
	"os"
	"slices"

	"github.com/danube-messaging/danube-connect-go/internal/conf"
)

// LoadOptions says where a configuration comes from and what it must hold. The
// zero value loads the process's own: the file that CONNECTOR_CONFIG_PATH names,
// if any, and the environment.
type LoadOptions struct {
	// File is the TOML file. Default: the one that the environment variable
	// CONNECTOR_CONFIG_PATH names; none when that is not set.
	File string
	// LookupEnv returns an environment variable. Default: os.LookupEnv. A variable
	// that is set but empty counts as not set.
	LookupEnv func(name string) (string, bool)
	// ReadFile reads File. Default: os.ReadFile.
	ReadFile func(name string) ([]byte, error)
	// Settings are the connector's own, loaded along.
	Settings []Settings
	// Override changes the configuration last, over file and environment.
	Override func(*Config)
	// Role adds what a sink or a source requires.
	Role Role
	// OwnTopics is set for a connector that names its topics and subscriptions in
	// code: the keys for them are then not required.
	OwnTopics bool
}

// LoadConfig loads and checks a configuration: defaults, over them the file, the
// environment and Override. It is strict: keys that nobody knows, values that do
// not fit and a file that cannot be read are errors. The error is [ConfigErrors]
// with everything that is wrong, and the Config is then empty.
//
// A table that is no one's is kept, for a connector to read in Initialize.
func LoadConfig(o LoadOptions) (Config, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	l := loader{
		opts:      o,
		complaint: make(map[string]bool),
		loaded: &loaded{
			lookup:  o.LookupEnv,
			sources: make(map[string]string),
			values:  make(map[string]string),
			tables:  make(map[string]*conf.Node),
			read:    make(map[string]bool),
		},
	}
	c := l.load()
	if len(l.problems) > 0 {
		return Config{}, l.problems
	}
	return c, nil
}

type loader struct {
	opts      LoadOptions
	loaded    *loaded
	problems  ConfigErrors
	fileName  string
	complaint map[string]bool // the SDK's keys that have a problem
}

func (l *loader) load() Config {
	file, ok := l.file()
	own, rest, schemas := l.sortOut(file.Top())
	c := l.sdk(own)
	c.Schemas = schemas
	l.settings(rest)
	c.loaded = l.loaded
	if l.opts.Override != nil {
		l.opts.Override(&c)
	}
	if ok { // else everything that the file may have set would be missed
		for _, p := range c.validate(l.opts.Role, l.opts.OwnTopics) {
			if !l.complaint[p.Key] {
				l.problems = append(l.problems, p)
			}
		}
	}
	return c
}

// file reads the file, if there is one, and reports whether that went well.
func (l *loader) file() (*conf.File, bool) {
	name, p := l.opts.File, conf.Problem{}
	p.Source = name
	if name == "" {
		const variable = "CONNECTOR_CONFIG_PATH"
		name, _ = l.opts.LookupEnv(variable)
		p.Value, p.Source = name, conf.EnvSource(variable)
	}
	if name == "" {
		return nil, true
	}
	l.fileName = name
	text, err := l.opts.ReadFile(name)
	if err != nil {
		p.Problem = fmt.Sprintf("the configuration file cannot be read: %v", err)
		l.add(p)
		return nil, false
	}
	f, problem := conf.ParseFile(name, text)
	if problem != nil {
		l.add(*problem)
		return nil, false
	}
	return f, true
}

// sortOut finds the SDK's keys, at the top or in their tables, and the rest.
func (l *loader) sortOut(top []*conf.Node) (own, rest []*conf.Node, schemas []SchemaConfig) {
	seen := make(map[string]*conf.Node)
	take := func(n *conf.Node) {
		first := seen[n.Name]
		switch {
		case first == nil:
			seen[n.Name] = n
			own = append(own, n)
		case !first.Equal(n):
			l.complaint[n.Name] = true
			l.add(conf.Problem{
				Key: n.Path, Value: n.Text(), Source: n.Source(),
				Problem: fmt.Sprintf("%s (%s) says %q; keep one", first.Path, first.Source(), first.Text()),
			})
		}
	}
	known := knownConfigKeys()
	for _, n := range top {
		switch inTable := configTables[n.Name]; {
		case n.Name == schemasTable:
			schemas = l.schemas(n)
		case inTable != nil:
			children, ok := n.Table()
			if !ok {
				l.add(conf.NotATable(n))
				continue
			}
			for _, child := range children {
				if slices.Contains(inTable, child.Name) {
					take(child)
					continue
				}
				p := conf.UnknownKeys([]*conf.Node{child}, inTable)[0]
				if slices.Contains(known, child.Name) {
					p.Hint = fmt.Sprintf("%s belongs at the top of the file, before the first table", child.Name)
				}
				l.add(p)
			}
		case slices.Contains(known, n.Name):
			take(n)
		default:
			rest = append(rest, n)
		}
	}
	return own, rest, schemas
}

// sdk fills the SDK's part.
func (l *loader) sdk(nodes []*conf.Node) Config {
	keys := DefaultConfig().keys()
	r := conf.Fill(&keys, "", nodes, l.opts.LookupEnv)
	for _, p := range r.Problems {
		l.add(p)
		l.complaint[lastPart(p.Key)] = true
	}
	l.loaded.sources = r.Set
	hint := ""
	if level, _ := l.opts.LookupEnv("RUST_LOG"); level != "" {
		keys.LogLevel = level
		l.loaded.sources["log_level"] = conf.EnvSource("RUST_LOG")
		hint = "filters by module are for Rust programs; to use LOG_LEVEL, leave RUST_LOG out"
	}
	c := keys.config(func(key, value, problem string) {
		p := conf.Problem{Key: key, Value: value, Source: l.loaded.sources[key], Problem: problem}
		if key == "log_level" {
			p.Hint = hint
		}
		l.add(p)
		l.complaint[key] = true
	})
	for key := range l.loaded.sources {
		l.loaded.values[key], _ = c.text(key)
	}
	return c
}

func (l *loader) add(problems ...conf.Problem) {
	for _, p := range problems {
		l.problems = append(l.problems, (*ConfigError)(&p))
	}
}
