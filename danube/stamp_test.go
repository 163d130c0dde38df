package danube

import (
	"maps"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
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
			var wire []byte
			for range 2 { // the memory is used again
				wire = s.append(wire[:0], &c.m, "p", c.request)
				if got := attributesOf(t, wire); !maps.Equal(got, c.want) {
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

// attributesOf reads attributes as a receiver does. A name that comes twice is a fault:
// which one counts would be the receiver's choice.
func attributesOf(t *testing.T, wire []byte) map[string]string {
	t.Helper()
	var in danubepb.StreamMessage
	if err := proto.Unmarshal(wire, &in); err != nil {
		t.Fatal(err)
	}
	n := 0
	for rest := wire; len(rest) > 0; n++ {
		rest = rest[protowire.ConsumeFieldValue(attributesField, protowire.BytesType, rest[1:])+1:]
	}
	if n != len(in.GetAttributes()) {
		t.Errorf("%d entries for %d attributes", n, len(in.GetAttributes()))
	}
	return in.GetAttributes()
}

func TestStampsAllocateNothing(t *testing.T) {
	s := newStamper(true)
	m := Outgoing{Origin: "c/f@7#0", Attributes: map[string]string{"a": "1"}}
	wire := s.append(nil, &m, "p", 1)
	if n := testing.AllocsPerRun(100, func() { wire = s.append(wire[:0], &m, "p", 1<<31) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
