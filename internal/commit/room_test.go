package commit

import (
	"testing"
	"time"
)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Without room, there is some again once an eighth of all is taken.
func TestRoom(t *testing.T) {
	tr := New[offset](0, 16)
	add := func(n int) (list []*Flight[offset]) {
		for range n {
			f := &Flight[offset]{Offset: offset{"p", len(list) + 1}}
			tr.Add("p", f)
			list = append(list, f)
		}
		return list
	}
	flights := add(16)
	room := tr.Room()
	if room == nil || isClosed(room) {
		t.Fatal("there is room for a 17th")
	}
	for _, f := range flights[1:] {
		tr.Settle("p", f)
	}
	tr.Take()
	if isClosed(room) || tr.Room() == nil {
		t.Error("what is settled behind one that waits counts no more")
	}
	tr.Settle("p", flights[0])
	if isClosed(room) {
		t.Error("what nobody has taken counts no more")
	}
	tr.Take()
	if !isClosed(room) || tr.Room() != nil {
		t.Error("there is no room although everything was taken")
	}

	add(15)
	last := add(1)[0]
	tr.Settle("p", last)
	room = tr.Room()
	tr.Unbound()
	if room == nil || !isClosed(room) || tr.Room() != nil {
		t.Error("Unbound makes no room")
	}
}

// What waits for nothing but its lag does not count: how much that is, the lag says.
func TestRoomWithALag(t *testing.T) {
	tr := New[offset](time.Hour, 4)
	for i := range 100 {
		f := &Flight[offset]{Offset: offset{"p", i}}
		tr.Add("p", f)
		tr.Settle("p", f)
	}
	if tr.Room() != nil {
		t.Error("what is settled and young counts")
	}
	var list []*Flight[offset]
	for i := range 4 {
		f := &Flight[offset]{Offset: offset{"p", 100 + i}}
		tr.Add("p", f)
		list = append(list, f)
	}
	room := tr.Room()
	if room == nil {
		t.Fatal("there is room for a fifth that is not settled")
	}
	tr.Settle("p", list[0])
	if !isClosed(room) {
		t.Error("there is no room although one is settled")
	}
}

// Behind a record without an offset that is not settled, they wait for more than the lag.
func TestRoomWithALagBehindARecordWithoutAnOffset(t *testing.T) {
	tr := New[offset](time.Hour, 16)
	bare := &Flight[offset]{}
	tr.Add("", bare)
	for i := range 20 {
		f := &Flight[offset]{Offset: offset{"p", i}}
		tr.Add("p", f)
		tr.Settle("p", f)
	}
	room := tr.Room()
	if room == nil {
		t.Fatal("there is room, although 20 wait")
	}
	tr.Settle("", bare)
	if !isClosed(room) {
		t.Error("there is no room, although they wait for nothing but their lag")
	}
}
