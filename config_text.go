package connect

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// entry is one key of a Config with its value as in the file.
type entry struct {
	key   string
	value any // nil when not set
}

func (c Config) entries() []entry {
	keys := c.keys()
	for _, list := range []*string{&keys.ServiceURL, &keys.AdminURL, &keys.BrokerMetricsURL} {
		*list = redactURLs(*list)
	}
	v := reflect.ValueOf(keys)
	list := make([]entry, v.NumField())
	for i := range list {
		f := v.Field(i)
		list[i].key = v.Type().Field(i).Tag.Get("toml")
		secret, ok := f.Interface().(Secret)
		switch {
		case ok:
			list[i].value = secret.String()
		case f.Kind() != reflect.Pointer:
			list[i].value = f.Interface()
		case !f.IsNil():
			list[i].value = f.Elem().Interface()
		}
	}
	return list
}

// text returns the value of a key without quotes, "" when it is not set.
func (c Config) text(key string) (text string, known bool) {
	for _, e := range c.entries() {
		if e.key == key {
			if e.value == nil {
				return "", true
			}
			return fmt.Sprint(e.value), true
		}
	}
	return "", false
}

// source tells where the value of a key comes from: "default", "code", a line of
// the file or an environment variable.
func (c Config) source(key string) string {
	now, _ := c.text(key)
	before, known := DefaultConfig().text(key)
	src := "default"
	if c.loaded != nil {
		if s, ok := c.loaded.sources[key]; ok {
			before, src = c.loaded.values[key], s
		}
	}
	if !known {
		return ""
	}
	if now != before {
		return "code"
	}
	return src
}

// metricsPortSet reports whether somebody chose the port, so that another would
// not do.
func (c Config) metricsPortSet() bool { return c.source("metrics_port") != "default" }

// String returns the configuration in effect as TOML, one key a line, with where
// each value comes from. It holds no secrets: user names and passwords in
// addresses are masked, and a connector's own settings are not in it.
func (c Config) String() string {
	var b strings.Builder
	for _, e := range c.entries() {
		switch v := e.value.(type) {
		case nil:
			fmt.Fprintf(&b, "# %s is not set\n", e.key)
			continue
		case string:
			fmt.Fprintf(&b, "%s = %s", e.key, tomlString(v))
		default:
			fmt.Fprintf(&b, "%s = %v", e.key, v)
		}
		fmt.Fprintf(&b, " # %s\n", strings.Map(printable, c.source(e.key)))
	}
	b.WriteString(c.schemasText())
	return b.String()
}

// LogValue returns what somebody has configured, a group of the keys that do not have
// their default, with the same masks as String.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, e := range c.entries() {
		if e.value != nil && e.value != "" && c.source(e.key) != "default" {
			attrs = append(attrs, slog.Any(e.key, e.value))
		}
	}
	for _, s := range c.Schemas {
		attrs = append(attrs, slog.String("schema of "+s.Topic, s.Subject))
	}
	return slog.GroupValue(attrs...)
}

// redactURLs masks what stands before the @ of each address in a list.
func redactURLs(list string) string {
	urls := strings.Split(list, ",")
	for i, u := range urls {
		if at := strings.LastIndexByte(u, '@'); at >= 0 {
			start := 0
			if scheme := strings.Index(u, "://"); scheme >= 0 && scheme < at {
				start = scheme + len("://")
			}
			urls[i] = u[:start] + masked + u[at:]
		}
	}
	return strings.Join(urls, ",")
}

// tomlString quotes s as a TOML basic string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable keeps a file's name from breaking out of its comment.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}
