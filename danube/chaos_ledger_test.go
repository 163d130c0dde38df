package danube_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// ledger compares what was published with what each subscription received and with what
// its consumers reported. The publisher's word is the truth; a message is known by the
// producer that stamped it and its number.
type ledger struct {
	mu    sync.Mutex
	lines map[stampedBy]*ledgerLine
	subs  []*ledgerSub
	// unpublished says since when a producer has published nothing; without an epoch.
	unpublished map[stampedBy]time.Time
	broken      []string // what must not be, at most maxBroken
	faults      int      // how many there were
}

const maxBroken = 40

// stampedBy is where numbers are contiguous.
type stampedBy struct {
	wire, producer string
	epoch          uint64
}

type ledgerLine struct {
	by   stampedBy
	sent []sentMessage             // by number
	got  map[*ledgerSub][]receipts // by number
	last int                       // the highest number that is acknowledged
}

type outcome uint8

const (
	pending   outcome = iota // or there is no such message
	acked                    // the broker has it
	ambiguous                // it may have it
	notSent                  // it has not
)

type sentMessage struct {
	outcome  outcome
	retried  bool // after an attempt of which nobody knows the outcome
	attempts uint8
	payload  uint32
}

// receipts is what a subscription had of one message.
type receipts struct {
	times    uint16
	copies   uint8 // times that it came at another offset, the numbering the same
	reported bool  // as missing
	filled   bool  // and as come after all
	acked    bool
	payload  uint32
	first    place
	latest   place
}

// place is where a message came: in the life of which consumer, after how many restarts
// of the numbering, at which offset.
type place struct {
	life, numbering uint32
	offset          uint64
}

// ledgerSub is a subscription of one topic on the wire.
type ledgerSub struct {
	wire, name string

	numbering uint32
	highest   place // of the messages that came for the first time
	any       bool
	gaps      []reportedGap
	filled    map[uint64]bool     // offsets of gaps, in this numbering
	newest    map[*ledgerLine]int // the highest number that came
	restarts  map[uint32]bool     // lives in which the numbering started again
	refused   map[uint32]int      // acks that the client refused, by life
	kinds     map[danube.AnomalyKind]int
	repeats   struct{ published, consumer, numbering int }
	received  int
	arrived   time.Time // the last message
	ready     time.Time // when the session began; zero: there is none
	behind    time.Time // since when something acknowledged has not come; zero: nothing
	lost      time.Time // when there was none any more
	stalled   time.Time // since when it is reported to be; zero: it is not
	stalls    int
	silenced  bool // a silence that nobody reported was noted
}

type reportedGap struct {
	place
	to uint64
}

func newLedger() *ledger {
	return &ledger{lines: map[stampedBy]*ledgerLine{}, unpublished: map[stampedBy]time.Time{}}
}

// sub adds a subscription.
func (l *ledger) sub(wire, name string) *ledgerSub {
	s := &ledgerSub{wire: wire, name: name, filled: map[uint64]bool{}, newest: map[*ledgerLine]int{},
		restarts: map[uint32]bool{}, refused: map[uint32]int{}, kinds: map[danube.AnomalyKind]int{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs = append(l.subs, s)
	return s
}

// memory is about what the ledger itself uses.
func (l *ledger) memory() (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		n += int64(cap(line.sent)) * int64(unsafe.Sizeof(sentMessage{}))
		for _, list := range line.got {
			n += int64(cap(list)) * int64(unsafe.Sizeof(receipts{}))
		}
	}
	for _, s := range l.subs {
		n += int64(cap(s.gaps)) * int64(unsafe.Sizeof(reportedGap{}))
	}
	return n
}

// breach notes what must not be. With l.mu held.
func (l *ledger) breach(format string, args ...any) {
	if l.faults++; len(l.broken) < maxBroken {
		l.broken = append(l.broken, fmt.Sprintf(format, args...))
	}
}

func (l *ledger) line(by stampedBy) *ledgerLine {
	line := l.lines[by]
	if line == nil {
		line = &ledgerLine{by: by, got: map[*ledgerSub][]receipts{}}
		l.lines[by] = line
	}
	return line
}

// element returns element i of a list that grows as it must.
func element[T any](list *[]T, i int) *T {
	for len(*list) <= i {
		*list = append(*list, *new(T))
	}
	return &(*list)[i]
}

// published notes how a publish ended.
func (l *ledger) published(producer string, payload uint32, r danube.Receipt, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line(stampedBy{r.Topic, producer, r.RequestID >> 32})
	number := int(r.RequestID & (1<<32 - 1))
	m := element(&line.sent, number)
	if m.outcome != pending {
		l.breach("%v: number %d was published twice", line.by, number)
	}
	*m = sentMessage{retried: r.Ambiguous, attempts: uint8(min(r.Attempts, 255)), payload: payload}
	switch {
	case err == nil:
		m.outcome, line.last = acked, max(line.last, number)
		delete(l.unpublished, stampedBy{wire: r.Topic, producer: producer})
	case errors.Is(err, danube.ErrOutcomeUnknown):
		m.outcome = ambiguous
	case errors.Is(err, danube.ErrNotSent):
		m.outcome = notSent
	default:
		m.outcome = notSent
		l.breach("%v: publishing number %d: %v", line.by, number, err)
	}
}

// received notes that a consumer handed a message out.
func (l *ledger) received(s *ledgerSub, life uint32, m *danube.Message, payload uint32) {
	by := stampedBy{m.WireTopic, m.ProducerName, m.RequestID >> 32}
	number := int(m.RequestID & (1<<32 - 1))
	l.mu.Lock()
	defer l.mu.Unlock()
	s.received++
	s.arrived, s.behind = time.Now(), time.Time{}
	if stamp := m.Attributes[danube.AttrStamp]; !strings.HasPrefix(stamp, fmt.Sprintf("%s/%d-", by.producer, by.epoch)) || !strings.HasSuffix(stamp, fmt.Sprintf("/%d", number)) {
		l.breach("%v: number %d has the stamp %q", by, number, stamp)
	}
	line := l.line(by)
	list := line.got[s]
	r := element(&list, number)
	line.got[s] = list
	here := place{life, s.numbering, m.Offset}
	if r.times == 0 {
		r.first, r.payload = here, payload
		l.firstTime(s, line, number, r, here)
	} else {
		l.again(s, line, number, r, here)
		if r.payload != payload {
			l.breach("%v: number %d came as %d and as %d", by, number, r.payload, payload)
		}
	}
	r.times++
	r.latest, r.acked = here, false
}

// firstTime checks the order. With l.mu held.
func (l *ledger) firstTime(s *ledgerSub, line *ledgerLine, number int, r *receipts, here place) {
	if newest, any := s.newest[line]; any && number < newest && !r.filled {
		l.breach("%s of %v: number %d came after %d, and was not reported", s.name, line.by, number, newest)
	}
	s.newest[line] = max(s.newest[line], number)
	same := s.any && s.highest.life == here.life && s.highest.numbering == here.numbering
	if same && here.offset < s.highest.offset && !s.filled[here.offset] {
		l.breach("%s of %s: offset %d (number %d of %s) came after %d, and no report says that it was missing", s.name, s.wire, here.offset, number, line.by.producer, s.highest.offset)
	}
	if !same || here.offset > s.highest.offset {
		s.highest, s.any = here, true
	}
}

// again finds out why a message came a second time. With l.mu held.
func (l *ledger) again(s *ledgerSub, line *ledgerLine, number int, r *receipts, here place) {
	switch {
	case r.latest.life != here.life:
		s.repeats.consumer++
	case r.latest.numbering != here.numbering:
		s.repeats.numbering++
	case r.latest.offset != here.offset:
		s.repeats.published++
		r.copies++
	default:
		l.breach("%s of %v: number %d was handed out twice by one consumer at offset %d (acknowledged: %v)", s.name, line.by, number, here.offset, r.acked)
	}
}

// ackedBy notes an ack that the client took, or refused.
func (l *ledger) ackedBy(s *ledgerSub, life uint32, m *danube.Message, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		s.refused[life]++
		return
	}
	line := l.line(stampedBy{m.WireTopic, m.ProducerName, m.RequestID >> 32})
	line.got[s][m.RequestID&(1<<32-1)].acked = true
}
