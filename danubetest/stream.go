package danubetest

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// stream is one open ReceiveMessages call: a queue between the loop, which never
// waits, and the call's handler. The window bounds it on reliable topics,
// nonReliableQueue on the others.
type stream struct {
	consumer *consumer
	conn     *conn
	mute     bool // marked inactive, see TrapLateInactive; the loop's own
	ending   bool // a parcel that ends the stream is on its way; the loop's own

	wake chan struct{} // holds a value when there may be something to take
	over chan struct{} // closed with the stream

	mu    sync.Mutex
	queue queue[parcel]
	later *parcel // to be sent after the next one
	err   error   // what the handler returns once over

	full atomic.Bool // the loop wants to know when something was taken
}

// parcel is one thing to do on a stream: wait if told so, send a message if there is
// one, end the stream if told so.
type parcel struct {
	pause
	msg *pb.StreamMessage
	end bool
	err error
}

const (
	consumerChannel = 4 // messages between a subscription and its consumer
	streamChannel   = 4 // messages between the consumer and its stream
)

// nonReliableQueue is how many messages of a NonReliable topic a stream that does
// not keep up may lag before it misses some.
const nonReliableQueue = 1024

func newStream(co *consumer) *stream {
	return &stream{consumer: co, wake: make(chan struct{}, 1), over: make(chan struct{})}
}

func (st *stream) push(p parcel) {
	st.mu.Lock()
	st.queue.push(p)
	if st.later != nil {
		st.queue.push(*st.later)
		st.later = nil
	}
	st.mu.Unlock()
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// hold keeps a parcel until the next one is sent. One that is kept already goes behind it.
func (st *stream) hold(p parcel) {
	st.mu.Lock()
	if st.later == nil {
		st.later = &p
		st.mu.Unlock()
		return
	}
	st.mu.Unlock()
	st.push(p)
}

// len returns how much waits to be sent.
func (st *stream) len() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.later != nil {
		return st.queue.len() + 1
	}
	return st.queue.len()
}

// close ends the stream with err, nil for a clean end, and returns what it had not
// sent. Only the loop calls it, and once is enough.
func (st *stream) close(err error) []parcel {
	st.mu.Lock()
	defer st.mu.Unlock()
	select {
	case <-st.over:
		return nil
	default:
	}
	rest := append([]parcel(nil), st.queue.all()...)
	if st.later != nil {
		rest = append(rest, *st.later)
		st.later = nil
	}
	st.queue = queue[parcel]{}
	st.err = err
	close(st.over)
	return rest
}

// next waits for a parcel, and for as long as the parcel says. ok is false when the
// stream is over, with err to return to the client.
func (st *stream) next(ctx context.Context) (p parcel, ok bool, err error) {
	for {
		if p, ok = st.peek(); ok {
			break
		}
		select {
		case <-st.wake:
		case <-st.over:
			return parcel{}, false, st.err
		case <-ctx.Done():
			return parcel{}, false, ctxStatus(ctx)
		}
	}
	if err := p.wait(ctx, st.over); err != nil {
		return parcel{}, false, err
	}
	if !st.pop() {
		return parcel{}, false, st.err
	}
	return p, true, nil
}

func (st *stream) peek() (parcel, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.queue.len() == 0 {
		return parcel{}, false
	}
	return st.queue.at(0), true
}

// pop removes the parcel that peek has shown; false when close was faster.
func (st *stream) pop() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.queue.len() == 0 {
		return false
	}
	st.queue.drop(1)
	return true
}

// StreamEnd is a way for a stream to end.
type StreamEnd int

const (
	// StreamEOF is a clean end, as after a takeover or an unload.
	StreamEOF StreamEnd = iota + 1
	// StreamUnavailable is what a client sees when the connection breaks.
	StreamUnavailable
	// StreamInternal is an error of the broker's own.
	StreamInternal
	// StreamReset is what a client sees when the stream is reset without a status, as where
	// the broker's handler panics.
	StreamReset
)

func (e StreamEnd) err() error {
	switch e {
	case StreamUnavailable:
		return status.Error(codes.Unavailable, "danubetest: stream dropped")
	case StreamInternal:
		return status.Error(codes.Internal, "danubetest: stream failed")
	case StreamReset:
		return errReset()
	}
	return nil
}

// String returns the end's name.
func (e StreamEnd) String() string {
	switch e {
	case StreamEOF:
		return "EOF"
	case StreamUnavailable:
		return "Unavailable"
	case StreamInternal:
		return "Internal"
	case StreamReset:
		return "Reset"
	}
	return "none"
}
