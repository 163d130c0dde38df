package danube

import (
	"math"
	"slices"
)

// lagBases are the offsets that a broker may count a subscription's lag from. It counts
// from the first message that its dispatcher has skipped, and a dispatcher begins with the
// first that it sends: what one before it skipped, it knows nothing of. A dispatcher lives
// as long as its broker has the topic, so maybe for many sessions; each begin of one may
// be that of a dispatcher (seen on 0.15.1).
type lagBases struct {
	opened bool     // and nothing has come since
	begins []uint64 // ascending: what sessions began with
	list   []uint64 // ascending: the first hole, and the first above each begin; nil after a change, never written to
}

// maxBegins bounds the sessions that are remembered, each with a hole of its own.
const maxBegins = 64

// began notes that a stream was opened.
func (b *lagBases) began() { b.opened = true }

// got notes what came.
func (b *lagBases) got(offset uint64) {
	if !b.opened {
		return
	}
	b.opened = false
	if i, found := slices.BinarySearch(b.begins, offset); !found {
		b.begins = slices.Insert(b.begins, i, offset)
		b.list = nil
	}
}

// noHole is where a dispatcher counts from that has skipped nothing: from the newest
// message that was acknowledged, whichever that is.
const noHole = math.MaxUint64

// lagBases returns the offsets that a broker may count from when everything came that
// will; nil if nothing was skipped.
func (g *gaps) lagBases() []uint64 {
	b := &g.bases
	if len(g.holes) == 0 {
		b.begins, b.list = nil, nil
		return nil
	}
	if b.list != nil {
		return b.list
	}
	list := []uint64{g.holes[0].from}
	kept := b.begins[:0]
	for _, begin := range b.begins {
		// No hole will open any more between two begins, so one of them is enough.
		if i, _ := g.find(begin); i == len(g.holes) {
			kept, list = append(kept, begin), append(list, noHole)
			break
		} else if from := g.holes[i].from; from > list[len(list)-1] {
			kept, list = append(kept, begin), append(list, from)
		}
	}
	if n := len(kept); n > maxBegins {
		kept = append(kept[:0], kept[n-maxBegins/2:]...)
		list = append(list[:1], list[len(list)-maxBegins/2:]...)
	}
	b.begins, b.list = kept, list
	return list
}

// explained is how much of a lag says only that messages were skipped, if the broker
// counts from the lowest of the bases that it can be counting from. next is the offset
// after the newest message that came, and was earlier some time before: a dispatcher that
// waits for the next publish says what it said last, so its lag may be older than what
// came since, but not older than earlier. If it can count from none it is all explained:
// what the broker says is from before it sent anything.
func explained(lag, earlier, next uint64, bases []uint64) uint64 {
	earlier = min(earlier, next)
	for _, base := range bases {
		switch {
		case base == noHole:
			return 0
		case earlier < base || earlier-base <= lag:
			return min(lag, next-base)
		}
	}
	if bases != nil {
		return lag
	}
	return 0
}
