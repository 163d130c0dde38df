package danube

import (
	"maps"
	"testing"
)

func TestStamps(t *testing.T) {
	const epoch = uint64(1_700_000_000)
	user := map[string]string{"a": "1", AttrStamp: "forged"}
	for _, c := range []struct {
		name    string
		on      bool
		m       Outgoing
		request uint64
		want    map[string]string
	}{
		{"off", false, Outgoing{Attributes: user}, epoch<<32 | 1, user},
		{"nothing at all", false, Outgoing{}, 1, nil},
		{"on", true, Outgoing{}, epoch<<32 | 1, map[string]string{AttrStamp: "p/1700000000/1"}},
		{"beside others", true, Outgoing{Attributes: user}, epoch<<32 | 2, map[string]string{"a": "1", AttrStamp: "p/1700000000/2"}},
		{"of another message", true, Outgoing{Attributes: map[string]string{AttrSource: "other/p@1#0"}}, epoch<<32 | 3, map[string]string{AttrStamp: "p/1700000000/3"}},
		{"an origin", true, Outgoing{Origin: "c/f@7#0"}, epoch<<32 | 3, map[string]string{AttrSource: "c/f@7#0", AttrStamp: "p/1700000000/3"}},
		{"an origin alone", false, Outgoing{Origin: "c/f@7#0"}, 3, map[string]string{AttrSource: "c/f@7#0"}},
		{"the next epoch", true, Outgoing{}, (epoch + 1) << 32, map[string]string{AttrStamp: "p/1700000001/0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stamper{on: c.on}
			for range 2 { // the map is used again
				if got := s.attributes(&c.m, "p", c.request); !maps.Equal(got, c.want) {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
	if a, b := newStamper(true), newStamper(true); a.salt == b.salt {
		t.Errorf("two stampers use the salt %s", a.salt) // one time in 16 million for nothing
	}
	if len(user) != 2 || user[AttrStamp] != "forged" {
		t.Errorf("the sender's map was changed: %v", user)
	}
}
