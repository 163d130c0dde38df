package connect

import (
	"testing"
	"unicode/utf8"
)

// Whatever a source calls its parts: two records have one name only if they are the same
// one, and a name can be an attribute.
func FuzzOriginName(f *testing.F) {
	f.Add("p", "1", 0, "p", "1", 1)
	f.Add("a@b", "c", 0, "a", "b@c", 0)
	f.Add("a%40b", "c", 0, "a@b", "c", 0)
	f.Add("p", "0#1", 1, "p", "0", 11)
	f.Add("caf\xe9", "\xff", 0, "caf%E9", "%FF", 0)
	f.Add("\xed\xa0\x80", "", 0, "\xef\xbf\xbd", "\x00", 0)
	f.Fuzz(func(t *testing.T, partition, value string, index int, partition2, value2 string, index2 int) {
		if index < 0 || index2 < 0 {
			return
		}
		one, two := Offset{partition, value}, Offset{partition2, value2}
		a, b := originName("c", one, index), originName("c", two, index2)
		if same := one == two && index == index2; (a == b) != same {
			t.Errorf("%q, %d and %q, %d are %q and %q", one, index, two, index2, a, b)
		}
		if !utf8.ValidString(a) {
			t.Errorf("%q cannot be an attribute", a)
		}
	})
}
