package connect

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/lanes"
)

// repeats recognises what comes a second time under another offset: a message that was
// published twice because an answer was lost, by its stamp, and a record that its source
// has published again after a crash, by its origin. It knows what one partition of the
// topic has brought to an end in this process.
type repeats struct {
	mu      sync.Mutex
	lines   map[string]*stampRanges // by producer and epoch
	used    uint64
	origins originMemory
}

const (
	// repeatLines bounds the producers and epochs that are remembered, and repeatRanges
	// the pieces of each: on a shared subscription a process gets some numbers only.
	repeatLines  = 256
	repeatRanges = 1024
	// repeatOrigins is how many of the newest origins are remembered: more than a source
	// publishes between two saves.
	repeatOrigins = 16384
)

// splitStamp takes a stamp apart: producer and epoch, and the number. Anything else, such
// as "2024/05", is no stamp, since what comes twice with it is dropped.
func splitStamp(stamp string) (line string, number uint64, ok bool) {
	i := strings.LastIndexByte(stamp, '/')
	if i < 0 {
		return "", 0, false
	}
	line, digits := stamp[:i], stamp[i+1:]
	if epoch := strings.LastIndexByte(line, '/'); epoch <= 0 || epoch == len(line)-1 {
		return "", 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		return "", 0, false
	}
	return line, number, true
}

// ended notes a message whose delivery has ended for good.
func (r *repeats) ended(m *danube.Message) {
	line, number, stamped := splitStamp(m.Attributes[danube.AttrStamp])
	origin := m.Attributes[danube.AttrSource]
	if !stamped && origin == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if stamped {
		s := r.lines[line]
		if s == nil {
			s = r.newLine(strings.Clone(line))
		}
		r.used++
		s.used = r.used
		s.add(number)
	}
	if origin != "" {
		r.origins.add(origin)
	}
}

// newLine makes room for a line. With r.mu held.
func (r *repeats) newLine(line string) *stampRanges {
	if r.lines == nil {
		r.lines = make(map[string]*stampRanges)
	}
	if len(r.lines) >= repeatLines {
		oldest, least := "", r.used+1
		for l, s := range r.lines {
			if s.used < least {
				oldest, least = l, s.used
			}
		}
		delete(r.lines, oldest)
	}
	s := &stampRanges{}
	r.lines[line] = s
	return s
}

// stamp reports whether a message with the same stamp has ended.
func (r *repeats) stamp(m *danube.Message) bool {
	line, number, ok := splitStamp(m.Attributes[danube.AttrStamp])
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.lines[line]
	return s != nil && s.has(number)
}

// origin reports whether a record with the same origin has ended.
func (r *repeats) origin(m *danube.Message) bool {
	origin := m.Attributes[danube.AttrSource]
	if origin == "" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.origins.has(origin)
}

// stampRanges are numbers, as ranges in ascending order that do not touch.
type stampRanges struct {
	list []stampRange
	used uint64
}

type stampRange struct{ from, to uint64 }

func (s *stampRanges) find(n uint64) (int, bool) {
	return slices.BinarySearchFunc(s.list, n, func(r stampRange, n uint64) int {
		switch {
		case r.to < n:
			return -1
		case r.from > n:
			return 1
		}
		return 0
	})
}

func (s *stampRanges) has(n uint64) bool {
	_, found := s.find(n)
	return found
}

func (s *stampRanges) add(n uint64) {
	i, found := s.find(n)
	if found {
		return
	}
	left := i > 0 && s.list[i-1].to+1 == n
	right := i < len(s.list) && s.list[i].from == n+1
	switch {
	case left && right:
		s.list[i-1].to = s.list[i].to
		s.list = slices.Delete(s.list, i, i+1)
	case left:
		s.list[i-1].to = n
	case right:
		s.list[i].from = n
	default:
		s.list = slices.Insert(s.list, i, stampRange{n, n})
		if len(s.list) > repeatRanges {
			s.list = slices.Delete(s.list, 0, repeatRanges/2)
		}
	}
}

// originMemory remembers the newest origins, by their hashes.
type originMemory struct {
	known map[originHash]struct{}
	ring  []originHash
	next  int
}

type originHash [2]uint64

var originSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func hashOrigin(s string) originHash {
	return originHash{maphash.String(originSeeds[0], s), maphash.String(originSeeds[1], s)}
}

func (o *originMemory) has(s string) bool {
	_, known := o.known[hashOrigin(s)]
	return known
}

func (o *originMemory) add(s string) {
	h := hashOrigin(s)
	if _, known := o.known[h]; known {
		return
	}
	if o.known == nil {
		o.known = make(map[originHash]struct{})
	}
	o.known[h] = struct{}{}
	if len(o.ring) < repeatOrigins {
		o.ring = append(o.ring, h)
		return
	}
	delete(o.known, o.ring[o.next])
	o.ring[o.next] = h
	o.next = (o.next + 1) % repeatOrigins
}

// stampAt is a stamp, taken apart.
type stampAt struct {
	line   string
	number uint64
}

// repeated reports whether a record is not to be processed, because it was before.
func (l *sinkLane) repeated(d *delivery) bool {
	r := l.route
	switch {
	case d.attempts > 0:
		return false
	case l.repeats.stamp(d.msg):
		r.metrics.RepeatedStamp.Inc()
		return true
	case l.repeats.origin(d.msg):
		r.metrics.RepeatedSource.Inc()
		return r.rt.cfg.Dedupe == DedupeSource
	}
	return false
}

// withoutRepeats makes an attempt on records, but for those that were dealt with before.
// Of two copies in one batch the second waits for what becomes of the first.
func (w *sinkWorker) withoutRepeats(ds []*delivery, out []lanes.Outcome) {
	l := w.lane
	if l.route.rt.cfg.Dedupe == DedupeOff {
		w.attend(ds, out)
		return
	}
	clear(w.stamps)
	var live []*delivery // nil while all are
	var places []int
	for i, d := range ds {
		keep := true
		if len(d.msg.Attributes) > 0 {
			switch {
			case l.repeated(d):
				out[i], keep = d.end(l.route, repeated), false
			case len(ds) > 1 && w.again(d.msg):
				out[i], keep = again(0), false
			}
		}
		switch {
		case !keep && live == nil:
			live = append(make([]*delivery, 0, len(ds)), ds[:i]...)
			for at := range i {
				places = append(places, at)
			}
		case keep && live != nil:
			live, places = append(live, d), append(places, i)
		}
	}
	if live == nil {
		w.attend(ds, out)
		return
	}
	if len(live) == 0 {
		return
	}
	part := make([]lanes.Outcome, len(live))
	w.attend(live, part)
	for i, o := range part {
		out[places[i]] = o
	}
}

// again reports whether the batch has a message of the same stamp already.
func (w *sinkWorker) again(m *danube.Message) bool {
	line, number, ok := splitStamp(m.Attributes[danube.AttrStamp])
	if !ok {
		return false
	}
	at := stampAt{line, number}
	if _, there := w.stamps[at]; there {
		return true
	}
	if w.stamps == nil {
		w.stamps = make(map[stampAt]struct{})
	}
	w.stamps[at] = struct{}{}
	return false
}
