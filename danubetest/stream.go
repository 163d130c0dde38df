package danubetest

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// stream is one open ReceiveMessages call: a queue between the loop, which never
// waits, and the call's handler. The window bounds it on reliable topics,
// nonReliableQueue on the others.
type stream struct {
	consumer *consumer
	wake     chan struct{} // holds a value when there may be something to take
	ending   bool          // a parcel that ends the stream is on its way; the loop's own

	mu     sync.Mutex
	queue  queue[parcel]
	closed bool
	err    error // what the handler returns once closed
}

// parcel is one thing to do on a stream: wait if told so, send a message if there is
// one, end the stream if told so.
type parcel struct {
	pause
	msg *pb.StreamMessage
	end bool
	err error
}

// nonReliableQueue is how many messages of a NonReliable topic a stream that does
// not keep up may lag before it misses some.
const nonReliableQueue = 1024

func newStream(co *consumer) *stream {
	return &stream{consumer: co, wake: make(chan struct{}, 1)}
}

func (st *stream) push(p parcel) {
	st.mu.Lock()
	st.queue.push(p)
	st.mu.Unlock()
	st.signal()
}

func (st *stream) signal() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// len returns how much waits to be sent.
func (st *stream) len() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.queue.len()
}

// close ends the stream with err, nil for a clean end, and returns what it had not
// sent.
func (st *stream) close(err error) []parcel {
	st.mu.Lock()
	rest := append([]parcel(nil), st.queue.all()...)
	st.queue = queue[parcel]{}
	st.closed, st.err = true, err
	st.mu.Unlock()
	st.signal()
	return rest
}

// next waits for the next parcel; ok is false when the stream is over.
func (st *stream) next(ctx context.Context) (p parcel, ok bool, err error) {
	for {
		st.mu.Lock()
		switch {
		case st.closed:
			err = st.err
			st.mu.Unlock()
			return parcel{}, false, err
		case st.queue.len() > 0:
			p = st.queue.at(0)
			st.queue.drop(1)
			st.mu.Unlock()
			return p, true, nil
		}
		st.mu.Unlock()
		select {
		case <-st.wake:
		case <-ctx.Done():
			return parcel{}, false, status.FromContextError(ctx.Err()).Err()
		}
	}
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
)

func (e StreamEnd) err() error {
	switch e {
	case StreamUnavailable:
		return status.Error(codes.Unavailable, "danubetest: stream dropped")
	case StreamInternal:
		return status.Error(codes.Internal, "danubetest: stream failed")
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
	}
	return "none"
}
