package danube

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// A stamp is one text for one number of one producer: what is read is written the same
// way again, and nobody else's attribute passes for one.
func FuzzParseStamp(f *testing.F) {
	for _, s := range []string{
		"p/900-a/5", "a/b/900-x/1", "p/900/0", "p/900-a/4294967295", "p/900-a/4294967296", "p/-1/5", "p/+9/5", "p/900-a/05", "p/900-a/+5", "p//5", "/900/5", "///", "5",
		"p/9223372036854775807-a/1", "p/0900-a/1", "\xff/1-\x00/1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, stamp string) {
		line, opened, number, ok := parseStamp("/default/t", stamp)
		if !ok {
			if line != (stampLine{}) || opened != 0 || number != 0 {
				t.Errorf("%q is none, and %v, %d, %d", stamp, line, opened, number)
			}
			return
		}
		seconds, _, _ := strings.Cut(line.epoch, "-")
		if again := fmt.Sprintf("%s/%s/%d", line.producer, line.epoch, number); again != stamp || number >= 1<<32 || line.producer == "" || opened < 0 || strconv.FormatInt(opened, 10) != seconds {
			t.Errorf("%q became %q: %v, opened %d", stamp, again, line, opened)
		}
	})
}
