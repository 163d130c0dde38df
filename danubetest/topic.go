package danubetest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// topic is one topic on the wire: a partition is a topic of its own.
type topic struct {
	name      string
	base      string // name without the partition's suffix
	partition int    // -1 when not a partition
	dispatch  Dispatch
	owner     *node // who serves it; nil while it moves
	draining  bool  // about to move: takes no messages any more
	moving    alarm // the next step of a move

	log       queue[*stored] // retained messages, in order
	first     uint64         // place of the first retained one
	next      uint64         // place of the next message
	bytes     uint64         // payload bytes published
	earlier   uint64         // messages that have lost their place, see crash
	past      []*stored      // those among them that were not lost
	files     []*stored      // those among them that can still be read
	lost      uint64         // those among them that were
	stranded  uint64         // what is before it is on the disk of another broker
	epoch     int            // how often numbering has restarted
	born      time.Time      // when a broker loaded the topic
	producers map[string]*producer
	policies  map[string]FailurePolicy // stored for a subscription, by name
	subs      []*subscription          // in order of creation
	schema    topicSchema
	counts    topicCounts
	metered   topicCounts // what its broker's meters have of counts
	order
	turn int // the partition that takes the next keyless Publish; kept in partition 0
}

// producer is a name on a topic that has an id.
type producer struct {
	id    uint64
	name  string
	topic *topic
	sent  uint64
	seen  time.Time // when it was used last
	lease alarm
}

// stored is one message and what became of it. wire is what the producer sent, with
// the offset filled in; it is immutable from then on, since streams send it as it is.
type stored struct {
	wire       *pb.StreamMessage
	place      uint64 // in the topic; the offset of a reliable topic
	at         time.Time
	epoch      int  // of the topic
	hidden     bool // has an offset, and nobody can see it, see order
	ready      bool // hidden only because of one before it
	deliveries []delivery
	one        [1]delivery // room for the usual case
}

// delivery is one time that a message was handed to a consumer.
type delivery struct {
	sub      *subscription
	consumer string
	at       time.Time
	attempt  int
	outcome  Outcome
	ended    time.Time
	reason   string
	delay    time.Duration
	order    uint64 // among all acks
}

func newTopic(name string, d Dispatch) *topic {
	t := &topic{name: name, base: name, partition: -1, dispatch: d, producers: make(map[string]*producer), policies: make(map[string]FailurePolicy)}
	if base, n, ok := splitPartition(name); ok {
		t.base, t.partition = base, n
	}
	return t
}

// on reports whether a broker serves the topic.
func (t *topic) on(n *node) bool { return t.owner == n }

// add appends a message to the log.
func (t *topic) add(m *pb.StreamMessage, now time.Time) *stored {
	st := &stored{wire: m, place: t.next, at: now, epoch: t.epoch}
	st.deliveries = st.one[:0]
	t.next++
	t.bytes += uint64(len(m.GetPayload()))
	t.log.push(st)
	return st
}

// at returns the retained message at that place, or nil.
func (t *topic) at(place uint64) *stored {
	if place < t.first || place >= t.next {
		return nil
	}
	return t.log.at(int(place - t.first))
}

// trim drops the messages that every subscription is done with.
func (t *topic) trim() {
	if len(t.subs) == 0 {
		return
	}
	low := t.next
	for _, s := range t.subs {
		low = min(low, s.low)
		if s.dormant {
			return
		}
	}
	t.log.drop(int(low - t.first))
	t.first = low
	for t.shown.len() > 0 && t.shown.at(0).place < low {
		t.shown.drop(1)
		t.gone++
	}
}

func (t *topic) sub(name string) *subscription {
	for _, s := range t.subs {
		if s.name == name {
			return s
		}
	}
	return nil
}

// splitTopic checks the form of a topic's name and returns its namespace. Like the
// broker it asks for three parts of letters, digits, _ and -, and no more.
func splitTopic(name string) (namespace string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return "", false
	}
	for _, p := range parts {
		if !validPart(p) {
			return "", false
		}
	}
	return parts[1], true
}

func validPart(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

// partitionName returns the name of a partition.
func partitionName(base string, n int) string { return fmt.Sprintf("%s-part-%d", base, n) }

// splitPartition takes the name of a partition apart.
func splitPartition(name string) (base string, n int, ok bool) {
	i := strings.LastIndex(name, "-part-")
	if i < 0 {
		return name, -1, false
	}
	digits := name[i+len("-part-"):]
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || strconv.Itoa(n) != digits {
		return name, -1, false
	}
	return name[:i], n, true
}
