package danubetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Fault makes chosen requests or deliveries go wrong. Set it with [Broker.Fault].
//
// The selectors choose: one left out matches everything, one that a request does not
// carry never matches it. Without an effect, a fault answers UNAVAILABLE.
//
// A request goes through the faults in the order in which they were set. Observing
// and merely delaying ones let it go on to the next; the first other one decides.
type Fault struct {
	// Methods are those that it is for. None means every request, or, with EndStream,
	// Duplicate, Reorder or Corrupt, every delivery, or, with Redirect, every TopicLookup.
	Methods []Method
	// Topic is a topic on the wire, or the base name of a partitioned one.
	Topic        string
	Subscription string
	Producer     string // name
	Consumer     string // name
	RoutingKey   string
	// Broker is the number of the broker that takes the request, from 1.
	Broker int
	// Offsets are those of the message in Ack, Nack and deliveries.
	Offsets []uint64
	// When chooses freely. It runs in the broker's loop: it must not call the broker,
	// nor end the goroutine.
	When func(Call) bool

	// Err is what the request is answered with, in place of being done; a delivery's
	// stream ends with it.
	Err error
	// AfterApply makes Err, Hang and Delay come after the work was done: the client
	// cannot know that it was. With EndStream the message goes out first.
	AfterApply bool
	// Hang keeps the answer, or the stream, until the client gives up or the fault is
	// removed; then the request is done as usual.
	Hang bool
	// Delay makes the request, or the stream, wait. With Err too: first wait, then fail.
	Delay time.Duration
	// EndStream ends the stream that a delivery would go out on.
	EndStream StreamEnd
	// Duplicate sends the message so many times more, 10000 at most.
	Duplicate int
	// Reorder sends the message after the next one of its stream. When no other comes, it
	// does not come either before the stream has ended.
	Reorder bool
	// Corrupt makes the payload that is sent from the one that is stored, which it must not
	// change. It runs in the broker's loop, as When does.
	Corrupt func(payload []byte) []byte
	// Dead makes the connection of the request, or of the delivery's stream, go dead without
	// a word: nothing that one side sends reaches the other any more, as when a cable is
	// pulled. The request is not done, unless AfterApply is set, and nobody learns of it. For
	// the broker the client is still there. Removing the fault closes such connections.
	Dead bool
	// Cut closes the connection instead. Both sides know at once.
	Cut bool
	// Redirect is what TopicLookup answers, as both addresses of a Redirect; [Broker.DeadURL]
	// leads nowhere.
	Redirect string
	// Close answers HealthCheck with CLOSE.
	Close bool
	// Observe changes nothing and only counts. It need not fire.
	Observe bool

	// Skip lets so many matching requests pass first.
	Skip int
	// Count is how often it fires: 0 once, n times, -1 until it is removed.
	Count int
	// Optional keeps [Run] from failing the test when it never fired.
	Optional bool
}

// maxDuplicates bounds the copies that one delivery queues.
const maxDuplicates = 10000

// Check reports what makes no sense in a fault: fields out of range, and effects that
// exclude each other.
func (f *Fault) Check() error {
	delivers := f.delivers()
	breaks := f.Dead || f.Cut
	rpc := f.Err != nil || f.Hang || f.Delay != 0 || f.Close || breaks || f.Redirect != ""
	switch {
	case f.Count < -1, f.Skip < 0, f.Delay < 0, f.Duplicate < 0:
		return errors.New("fields Count, Skip, Delay and Duplicate must not be negative, but for Count -1")
	case f.Duplicate > maxDuplicates:
		return fmt.Errorf("field Duplicate: %d is more than %d", f.Duplicate, maxDuplicates)
	case f.EndStream < 0 || f.EndStream > StreamReset:
		return fmt.Errorf("field EndStream: %d is unknown", f.EndStream)
	case f.Observe && (delivers || rpc || f.AfterApply):
		return errors.New("field Observe excludes every effect")
	case f.Hang && (f.Err != nil || delivers || f.Close || breaks || f.Redirect != ""):
		return errors.New("field Hang excludes every other effect but Delay and AfterApply")
	case f.Err != nil && (delivers || f.Close || breaks || f.Redirect != ""):
		return errors.New("field Err excludes every other effect but Delay and AfterApply")
	case f.Dead && f.Cut, breaks && (delivers || f.Close || f.Redirect != ""):
		return errors.New("fields Dead and Cut exclude each other and every effect but Delay and AfterApply")
	case f.EndStream != 0 && (f.Duplicate != 0 || f.Reorder || f.Corrupt != nil), f.Duplicate != 0 && f.Reorder:
		return errors.New("fields EndStream, Duplicate and Reorder exclude each other, and EndStream excludes Corrupt")
	case f.Redirect != "" && (delivers || f.Close || slices.ContainsFunc(f.Methods, func(m Method) bool { return m != MethodTopicLookup })):
		return errors.New("field Redirect is for MethodTopicLookup alone")
	case f.Close && (delivers || len(f.Methods) != 1 || f.Methods[0] != MethodHealthCheck):
		return errors.New("field Close is for MethodHealthCheck alone")
	case delivers && slices.ContainsFunc(f.Methods, func(m Method) bool { return m != MethodDelivery }):
		return errors.New("fields EndStream, Duplicate, Reorder and Corrupt are for MethodDelivery alone")
	}
	for _, m := range f.Methods {
		if m < 1 || int(m) >= methods {
			return fmt.Errorf("method %d is unknown", m)
		}
	}
	return nil
}

// delivers reports whether a fault has an effect that only deliveries have.
func (f *Fault) delivers() bool {
	return f.EndStream != 0 || f.Duplicate != 0 || f.Reorder || f.Corrupt != nil
}

// decides reports whether a fault does more than to observe or to delay.
func (f *Fault) decides() bool {
	return f.Err != nil || f.Hang || f.Close || f.Dead || f.Cut || f.Redirect != "" || f.delivers()
}

// FaultHandle is a fault that was set, or several.
type FaultHandle struct {
	b       *Broker
	faults  []*fault
	removed chan struct{} // closed by Remove
	dead    []*conn       // connections that it made go dead; the loop's
}

// fault is one Fault and what it did. The loop owns it.
type fault struct {
	Fault
	handle *FaultHandle
	seen   int
	hits   int
}

// faultSet is the faults of a broker.
type faultSet struct {
	active []*fault
	all    []*fault
}

// Fault sets faults and returns one handle for them. A fault that makes no sense ends
// the test under [Run]; under [New] it panics.
func (b *Broker) Fault(faults ...Fault) *FaultHandle {
	h := &FaultHandle{b: b, removed: make(chan struct{})}
	for _, f := range faults {
		if err := f.Check(); err != nil {
			b.fatal(fmt.Errorf("danubetest: fault: %w", err))
		}
		f.Methods, f.Offsets = slices.Clone(f.Methods), slices.Clone(f.Offsets)
		if f.Redirect != "" {
			f.Methods = []Method{MethodTopicLookup}
		}
		if !f.Observe && f.Delay == 0 && !f.decides() {
			f.Err = status.Error(codes.Unavailable, "danubetest: fault")
		}
		h.faults = append(h.faults, &fault{Fault: f, handle: h})
	}
	b.do(func(c *core) {
		c.faults.active = append(c.faults.active, h.faults...)
		c.faults.all = append(c.faults.all, h.faults...)
	})
	return h
}

// Hits returns how often the handle's faults have fired, together.
func (h *FaultHandle) Hits() (n int) {
	h.b.do(func(*core) { n = h.hits() })
	return n
}

func (h *FaultHandle) hits() (n int) {
	for _, f := range h.faults {
		n += f.hits
	}
	return n
}

// Wait waits until the handle's faults have fired n times, together.
func (h *FaultHandle) Wait(ctx context.Context, n int) error {
	return h.b.awaitCount(ctx, n, "hits of the fault", func(*core) uint64 { return uint64(h.hits()) })
}

// Remove takes the faults away; what hangs because of them goes on. It may be called
// more than once.
func (h *FaultHandle) Remove() {
	h.b.do(func(c *core) {
		select {
		case <-h.removed:
			return
		default:
		}
		close(h.removed)
		for _, conn := range h.dead {
			conn.Close()
		}
		c.faults.active = slices.DeleteFunc(c.faults.active, func(f *fault) bool { return f.handle == h })
	})
}

// breakConn does to a connection what a fault says.
func (f *fault) breakConn(c *conn) {
	switch {
	case c == nil:
	case f.Cut:
		c.Close()
	default:
		c.dead.Store(true)
		f.handle.dead = append(f.handle.dead, c)
	}
}

// unfired describes the faults that never did anything and were meant to.
func (s *faultSet) unfired() (list []string) {
	for i, f := range s.all {
		if f.hits == 0 && !f.Optional && !f.Observe {
			list = append(list, fmt.Sprintf("fault %d (%s) never fired; it matched %d times", i+1, f.describe(), f.seen))
		}
	}
	return list
}
