package conf

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// maxShown is how much of a wrong value an error shows.
const maxShown = 64

// Text returns the value of n for an error text. Tables and lists have none.
func (n *Node) Text() string {
	switch v := n.raw.(type) {
	case map[string]any, []map[string]any, []any:
		return ""
	case time.Time:
		return v.Format(time.RFC3339Nano)
	default:
		return shorten(fmt.Sprint(v))
	}
}

// Equal reports whether two keys have the same value.
func (n *Node) Equal(other *Node) bool { return reflect.DeepEqual(n.raw, other.raw) }

func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := maxShown
	for cut > 0 && s[cut]&0xc0 == 0x80 { // not inside a character
		cut--
	}
	return s[:cut] + "…"
}

// given names the TOML type of n's value.
func (n *Node) given() string {
	switch n.raw.(type) {
	case string:
		return "a text"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	default:
		return "a list"
	}
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	tomlType     = reflect.TypeFor[toml.Unmarshaler]()
	secretType   = reflect.TypeFor[interface{ Reveal() string }]()
)

// expected names what fits a type.
func expected(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return `a duration such as "500ms" or "5s"`
	case t == timeType:
		return "a date and time such as 2026-01-31T12:00:00Z"
	case isSecret(t):
		return "a text in quotes"
	}
	switch k := t.Kind(); {
	case k >= reflect.Int && k <= reflect.Int64:
		return "a whole number"
	case k >= reflect.Uint && k <= reflect.Uint64:
		return "a whole number from 0"
	case k == reflect.Float32 || k == reflect.Float64:
		return "a number"
	case k == reflect.Bool:
		return "true or false"
	case k == reflect.String:
		return "a text in quotes"
	case k == reflect.Slice || k == reflect.Array:
		return "a list"
	case k == reflect.Map || k == reflect.Struct:
		return "a table"
	default:
		return "something that fits " + t.String()
	}
}

// isSecret reports whether values of type t, or of its elements, must not be shown.
func isSecret(t reflect.Type) bool {
	for {
		if t.Implements(secretType) || reflect.PointerTo(t).Implements(secretType) {
			return true
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		default:
			return false
		}
	}
}

// Suggest returns a hint at the known key that is nearest to name, at all of them
// when none is near and they are few, or nothing.
func Suggest(name string, known []string) string {
	var best string
	least := len(name)/3 + 1
	plain := normal(name)
	for _, k := range known {
		if d := distance(plain, normal(k)); d < least || d == least && best == "" {
			best, least = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0 || len(known) > 8:
		return ""
	default:
		return "known here: " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	}
}

func normal(key string) string {
	return strings.ReplaceAll(strings.ToLower(key), "-", "_")
}

// distance is the Levenshtein distance in bytes, of keys at most 64 bytes long.
func distance(a, b string) int {
	a, b = a[:min(len(a), maxShown)], b[:min(len(b), maxShown)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
