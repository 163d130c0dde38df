package connect

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/danube-messaging/danube-connect-go/internal/conf"
)

// Settings declares settings of the connector's own, which stand in the same file.
// They are loaded as strictly as the SDK's: each field's key is its toml tag, and
// the environment, which wins, is read by env tags as in caarlos0/env:
//
//	type settings struct {
//		URL     string         `toml:"url" env:"SINK_URL,required"`
//		Token   connect.Secret `toml:"token" env:"SINK_TOKEN"`
//		Timeout time.Duration  `toml:"timeout" env:"SINK_TIMEOUT" envDefault:"5s"`
//	}
//
// Defaults are what the struct holds before, or envDefault. "required" is content
// with either place. Durations are texts such as "5s". Of caarlos0/env's options
// only expand is refused; lists of structs come from the file alone. A method
// Validate() error, if there is one, has the last word.
type Settings struct {
	// Table is the table of the file: "sink" for [sink]. Empty is the top of the
	// file, beside the SDK's keys.
	Table string
	// Dst points to the struct.
	Dst any
}

// loaded is what a Config remembers of where it comes from. Copies share it.
type loaded struct {
	lookup  conf.Lookup
	sources map[string]string     // of each key that was set
	values  map[string]string     // of those keys, to see what code changed since
	tables  map[string]*conf.Node // the connector's

	mu   sync.Mutex
	read map[string]bool // which of the tables a connector has read or declared
}

// settings fills what was declared from the nodes that are not the SDK's, and
// keeps the tables that are left.
func (l *loader) settings(nodes []*conf.Node) {
	known := knownConfigKeys()
	for table := range configTables {
		known = append(known, table)
	}
	declared := make(map[string]bool)
	for _, s := range l.opts.Settings {
		if s.Table != "" {
			declared[s.Table] = true
			known = append(known, s.Table)
		}
	}
	var top []*conf.Node
	for _, n := range nodes {
		if declared[n.Name] {
			l.loaded.tables[n.Name] = n
		} else {
			top = append(top, n)
		}
	}
	left := top
	for _, s := range l.opts.Settings {
		l.claim(s)
		if s.Table != "" {
			l.loaded.read[s.Table] = true
			l.fill(s, conf.FillNode(s.Dst, s.Table, l.loaded.tables[s.Table], l.opts.LookupEnv))
			continue
		}
		known = append(known, conf.Names(s.Dst)...)
		r := conf.Fill(s.Dst, "", top, l.opts.LookupEnv)
		left = slices.DeleteFunc(slices.Clone(left), func(n *conf.Node) bool { return !slices.Contains(r.Unknown, n) })
		l.fill(s, r.Problems)
	}
	for _, n := range left {
		if n.IsTable() {
			l.loaded.tables[n.Name] = n
			continue
		}
		l.add(conf.UnknownKeys([]*conf.Node{n}, known)...)
	}
}

// claim refuses settings that would shadow the SDK's keys.
func (l *loader) claim(s Settings) {
	names := []string{s.Table}
	if s.Table == "" {
		names = conf.Names(s.Dst)
	}
	for _, name := range names {
		if isConfigKey(name) {
			l.add(conf.Problem{Key: name, Source: "code", Problem: "settings cannot use a key of the SDK; rename it"})
		}
	}
}

// fill reports the problems of settings, or else asks their own validation.
func (l *loader) fill(s Settings, problems []conf.Problem) {
	if len(problems) == 0 {
		l.problems = append(l.problems, ownProblems(s.Table, s.Dst)...)
	}
	l.add(problems...)
}

// ownProblems asks settings that have a Validate method.
func ownProblems(table string, dst any) ConfigErrors {
	v, ok := dst.(interface{ Validate() error })
	if !ok {
		return nil
	}
	err := v.Validate()
	if err == nil {
		return nil
	}
	if all, ok := errors.AsType[ConfigErrors](err); ok {
		return all
	}
	if one, ok := errors.AsType[*ConfigError](err); ok {
		return ConfigErrors{one}
	}
	return ConfigErrors{{Key: table, Problem: err.Error()}}
}

// decodeSettings decodes a table that was not declared before loading into dst, a
// pointer to a struct, or to anything that TOML fits. Structs take the environment
// as well. The table need not be in the file. The error is [ConfigErrors].
func (c Config) decodeSettings(table string, dst any) error {
	if isConfigKey(table) {
		return ConfigErrors{{Key: table, Source: "code", Problem: "settings cannot use a key of the SDK; rename it"}}
	}
	var (
		node   *conf.Node
		lookup conf.Lookup
	)
	if c.loaded != nil {
		c.loaded.mu.Lock()
		c.loaded.read[table] = true
		c.loaded.mu.Unlock()
		node, lookup = c.loaded.tables[table], c.loaded.lookup
	}
	l := loader{}
	l.fill(Settings{table, dst}, conf.FillNode(dst, table, node, lookup))
	return l.problems.orNil()
}

// checkUnread makes the unread tables an error, to be returned after Initialize.
func (c Config) checkUnread() error {
	var problems ConfigErrors
	for _, n := range c.unread() {
		known := []string{"retry", "processing"}
		c.loaded.mu.Lock()
		for name := range c.loaded.read {
			known = append(known, name)
		}
		c.loaded.mu.Unlock()
		slices.Sort(known)
		problems = append(problems, &ConfigError{
			Key: n.Path, Source: n.Source(), Problem: "unknown table: nothing has read it",
			Hint: conf.Suggest(n.Name, slices.DeleteFunc(known, func(s string) bool { return s == "" })),
		})
	}
	return problems.orNil()
}

func (c Config) unread() []*conf.Node {
	if c.loaded == nil {
		return nil
	}
	c.loaded.mu.Lock()
	defer c.loaded.mu.Unlock()
	var nodes []*conf.Node
	for name, n := range c.loaded.tables {
		if !c.loaded.read[name] {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b *conf.Node) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Name, b.Name))
	})
	return nodes
}

// lastPart returns a key without its table.
func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }
