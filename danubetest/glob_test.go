package danubetest_test

import (
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"a*", "bc", false},
		{"*c", "abc", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"a*b*c", "axxbyyc", true}, {"A", "a", false}, {"?", "", false},
		{"**", "", true}, {"a**", "a", true}, {"*a", "aab", false}, {"*ab", "aab", true}, {"*a?", "aaa", true}, {"a*", "", false},
		{"*", "*", true}, {"a*c", "a*bc", true}, {"?*?", "a", false}, {"?*?", "ab", true}, {"[ab]", "a", false}, {`\*`, "*", false},
		{"??", "я", true}, {"?", "я", false}, // bytes, not letters
	} {
		want(t, tc.pattern+" "+tc.text, danubetest.Glob(tc.pattern, tc.text), tc.want)
	}
}

// A pattern with many * would keep a matcher that tries them all busy for ever: here some
// 10^69 ways to share the text out.
func TestGlobManyStars(t *testing.T) {
	pattern, text := strings.Repeat("a*", 50)+"b", strings.Repeat("a", 500)
	want(t, "without the end", danubetest.Glob(pattern, text), false)
	want(t, "with it", danubetest.Glob(pattern, text+"b"), true)
}

// globSpec is what a pattern means, word by word.
func globSpec(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return globSpec(pattern[1:], text) || text != "" && globSpec(pattern, text[1:])
	case text == "" || pattern[0] != '?' && pattern[0] != text[0]:
		return false
	}
	return globSpec(pattern[1:], text[1:])
}

func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b*c", "axxbyyc"}, {"*a?", "aaa"}, {"**a*", "ba"}, {"?*", ""}, {"*ab*ab", "aabab"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		pattern, text = pattern[:min(len(pattern), 8)], text[:min(len(text), 12)]
		if got, want := danubetest.Glob(pattern, text), globSpec(pattern, text); got != want {
			t.Errorf("pattern %q, text %q: %v, want %v", pattern, text, got, want)
		}
	})
}

// Every pattern of up to five and every text of up to six of few letters.
func TestGlobAll(t *testing.T) {
	words := func(letters string, n int) (list []string) {
		list = []string{""}
		for from := 0; n > 0; n-- {
			to := len(list)
			for _, w := range list[from:to] {
				for _, l := range letters {
					list = append(list, w+string(l))
				}
			}
			from = to
		}
		return list
	}
	texts := words("ab", 6)
	for _, p := range words("ab*?", 5) {
		for _, s := range texts {
			if got, w := danubetest.Glob(p, s), globSpec(p, s); got != w {
				t.Fatalf("pattern %q, text %q: %v, want %v", p, s, got, w)
			}
		}
	}
}
