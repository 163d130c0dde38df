// Package conf fills structs from a TOML file and the environment, strictly: what
// does not fit, and what nobody knows, is a problem with its place. It collects
// all problems instead of stopping at the first.
//
// A struct's fields carry the tags of the two libraries underneath: `toml:"name"`
// for the file and, for caarlos0/env, `env:"NAME"`, `envPrefix`, `envDefault`,
// `envSeparator` and the options required, notEmpty, file, unset and init. The
// environment wins over the file, the file over envDefault, and that over what
// the struct held before.
package conf

// Problem is one thing that is wrong.
type Problem struct {
	Key     string // with its table, as in "retry.max_retries"
	Value   string // what was given, "***" for a secret
	Source  string // where the value came from
	Problem string // what is wrong and what is expected
	Hint    string // a possible way out
}

// Lookup returns an environment variable and whether it is set, as [os.LookupEnv]
// does.
type Lookup func(name string) (string, bool)

// get returns a variable that has a value: an empty one counts as not set, so that
// the empty entries of compose files and charts do no harm.
func (l Lookup) get(name string) (string, bool) {
	if l == nil || name == "" {
		return "", false
	}
	v, ok := l(name)
	return v, ok && v != ""
}

// EnvSource says that a value came from a variable.
func EnvSource(name string) string { return "environment variable " + name }
