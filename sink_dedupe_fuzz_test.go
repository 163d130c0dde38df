package connect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// What is taken for a stamp is one: a message that carries something else must not be
// dropped because another carries the same.
func FuzzSplitStamp(f *testing.F) {
	for _, s := range []string{
		"p/900-a/5", "a/b/900-x/1", "p/5/18446744073709551615", "p/5/18446744073709551616", "p/5/05", "p/5/+5", "p/5/-0", "2024/05", "orders/5", "//5", "p//5", "/5/5", "/", "", "p/5/", "\xff/\x00/1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, stamp string) {
		line, number, ok := splitStamp(stamp)
		if !ok {
			if line != "" || number != 0 {
				t.Errorf("%q is none, and %q, %d", stamp, line, number)
			}
			return
		}
		producer, epoch, divided := cutLast(line, "/")
		if again := fmt.Sprintf("%s/%d", line, number); again != stamp || !divided || producer == "" || epoch == "" {
			t.Errorf("%q became %q, of %q in %q", stamp, again, producer, epoch)
		}
	})
}

// Whatever has ended is recognised, and nothing else.
func FuzzRepeats(f *testing.F) {
	f.Add("p/5/1 p/5/2 p/6/1 p/5/4 p/5/3", "p/5/5")
	f.Add("p/5/18446744073709551615 p/5/0 p/5/1", "p/5/18446744073709551614")
	f.Add("p/5/0 x p/5 //1", "p/5/01")
	f.Fuzz(func(t *testing.T, stamps, other string) {
		var r repeats
		message := func(stamp string) *danube.Message {
			return &danube.Message{Attributes: map[string]string{danube.AttrStamp: stamp, danube.AttrSource: stamp}}
		}
		ended := strings.Fields(stamps)
		if len(ended) > repeatLines {
			return
		}
		same := other == ""
		for _, s := range ended {
			r.ended(message(s))
			same = same || s == other
		}
		for _, s := range ended {
			if _, _, ok := splitStamp(s); r.stamp(message(s)) != ok || !r.origin(message(s)) {
				t.Errorf("%q has ended and is not known", s)
			}
		}
		if !same && (r.stamp(message(other)) || r.origin(message(other))) {
			t.Errorf("%q has not ended, only %q", other, ended)
		}
	})
}
