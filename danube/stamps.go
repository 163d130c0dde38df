package danube

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// StampTracker checks the stamps (AttrStamp) of one subscription's messages: numbers
// that are missing are messages that were lost, whatever the offsets say, also when a
// broker was killed. A loss shows once a later message of the same producer is
// handed out, so what a broker hides after it has begun to number anew shows when that
// is over. The zero value is ready for use.
//
// A tracker is given to the consumers of one subscription (ConsumerConfig.Stamps), one
// after the other or while one takes over from another, and remembers what each of them
// handed out: so it sees what was lost between two of them as well. It is not kept over
// a restart of the process: then what came first of each producer is taken as the start.
//
// Of a producer that was opened after the subscription's first session, the numbers from
// 1 on are expected, so that the loss of its first messages shows, too. That compares
// the producer's clock with the consumer's. One that is ahead shows when a message was
// published in the future, and then nothing is expected, nor where it is behind. But of a
// producer that is ahead by less than its messages take to come, those from before the
// subscription may be reported: such a report begins with 1.
//
// A stamp counts only on the message that it was made for: one that a program has handed on
// with the attributes of another, such as a dead letter, has none of its own.
//
// It is safe for concurrent use.
type StampTracker struct {
	mu    sync.Mutex
	holes int              // of all lines together
	since map[string]int64 // by topic on the wire: producers opened later are known from their first number on, in Unix seconds
	lines map[stampLine]*stampNumbers
	tick  uint64
}

// stampLine is where numbers are contiguous.
type stampLine struct{ topic, producer, epoch string }

type stampNumbers struct {
	gaps
	used uint64 // when it was last, in ticks
}

// maxStampLines bounds the memory, to some 2 MB: of more producers and epochs, those are
// forgotten whose last message is long ago, one for each new one.
const maxStampLines = 8192

// ready notes that a subscription has a session on a topic.
func (t *StampTracker) ready(topic string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since == nil {
		t.since, t.lines = map[string]int64{}, map[stampLine]*stampNumbers{}
	}
	if _, known := t.since[topic]; !known {
		t.since[topic] = now.Unix()
	}
}

// handedOut notes that the application gets a message with a stamp, and returns what
// that shows. ahead means that the message's publish time lies in the future.
func (t *StampTracker) handedOut(line stampLine, opened int64, number uint64, ahead bool, now time.Time) (found []Anomaly) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.lines[line]
	if n != nil {
		t.holes -= len(n.holes)
	} else {
		n = &stampNumbers{}
		if since, known := t.since[line.topic]; known && opened > since && !ahead {
			n.known, n.next = true, min(number, 1)
			n.floor = n.next
		}
		t.makeRoom(now)
		t.lines[line] = n
	}
	t.tick++
	n.used = t.tick
	tell := func(kind AnomalyKind, from, to uint64) {
		found = append(found, Anomaly{Kind: kind, Producer: line.producer, Epoch: line.epoch, From: from, To: to})
	}
	old := n.known && number < n.next && number >= n.floor
	switch filled := n.got(number); {
	case filled:
		tell(StampGapFilled, number, number)
	case old:
		tell(StampRepeated, number, number)
	}
	for _, h := range n.report() {
		tell(StampGap, h.from, h.to)
	}
	if t.holes += len(n.holes); t.holes > maxHoles && len(n.holes) > 1 {
		k := len(n.holes) / 2
		n.forget(k) // the line that grows is the one that must not
		t.holes -= k
	}
	return found
}

// makeRoom forgets a line when there are too many: of some that chance picks, the one that
// was used the longest ago. If it comes again, its numbers begin where it does then.
func (t *StampTracker) makeRoom(now time.Time) {
	if len(t.lines) < maxStampLines {
		return
	}
	var oldest stampLine
	least, picks := t.tick+1, 32
	for line, n := range t.lines {
		if n.used < least {
			oldest, least = line, n.used
		}
		if picks--; picks == 0 {
			break
		}
	}
	t.holes -= len(t.lines[oldest].holes)
	delete(t.lines, oldest)
	t.since[oldest.topic] = now.Unix()
}

// parseStamp takes a stamp apart: producer/epoch/number, the epoch beginning with the
// second at which the producer was opened. The number is below 2^32. What a producer
// would not have written so, such as a number with a zero before it, is no stamp: two
// texts must not be one message.
func parseStamp(topic, stamp string) (line stampLine, opened int64, number uint64, ok bool) {
	rest, digits, ok := cutLast(stamp)
	if !ok {
		return line, 0, 0, false
	}
	producer, epoch, ok := cutLast(rest)
	if !ok || producer == "" {
		return line, 0, 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || padded(digits) {
		return line, 0, 0, false
	}
	seconds, _, _ := strings.Cut(epoch, "-")
	second, err := strconv.ParseUint(seconds, 10, 63)
	if err != nil || padded(seconds) {
		return line, 0, 0, false
	}
	return stampLine{topic, producer, epoch}, int64(second), number, true
}

// padded reports whether a number is written with a zero before it.
func padded(digits string) bool { return len(digits) > 1 && digits[0] == '0' }

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// handOut shows the tracker a message that the application gets now, and tells what that
// shows.
func (p *partition) handOut(m *Message) {
	t := p.c.cfg.Stamps
	if t == nil {
		return
	}
	stamp, ok := m.Attributes[AttrStamp]
	if !ok {
		return
	}
	line, opened, number, ok := parseStamp(p.topic, stamp)
	if !ok || line.producer != m.ProducerName || uint64(opened)<<32|number != m.RequestID {
		return // that of another message, which has been handed on
	}
	now := time.Now()
	ahead := m.PublishTime.After(now.Add(time.Second)) // clocks are never quite the same
	for _, a := range t.handedOut(line, opened, number, ahead, now) {
		p.anomaly(a)
	}
}
