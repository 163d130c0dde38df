package main

import (
	"strconv"
	"sync"
	"sync/atomic"
)

// ahead is how far the publisher of a sink may be in front of it, for each
// partition. A backlog cannot be prepared: a real broker keeps the newest 256 of a
// subscription that lags and skips the rest.
const ahead = 128

// creditEvery is how many records pass between two reports to the publisher: often
// enough for it never to wait without need, seldom enough to cost the sink nothing.
const creditEvery = 16

// feed publishes to a sink, from the publisher process.
type feed struct {
	child  *child
	seen   []atomic.Int64 // by partition
	credit bool           // the publisher waits for the sink

	mu    sync.Mutex
	buf   []byte
	ended bool // what is settled now interests nobody
}

func openFeed(c *child, o orderOpen) (*feed, error) {
	var ok struct{}
	if err := c.ask(order{Op: "open", Open: &o}, &ok); err != nil {
		return nil, err
	}
	return &feed{child: c, seen: make([]atomic.Int64, max(1, o.Partitions)), credit: o.Ahead > 0}, nil
}

func (f *feed) start() error {
	var ok struct{}
	return f.child.ask(order{Op: "start"}, &ok)
}

// settled reports one record that the sink is through with.
func (f *feed) settled(partition int32) {
	i := max(0, partition)
	n := f.seen[i].Add(1)
	if !f.credit || n%creditEvery != 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	f.buf = append(f.buf[:0], "c "...)
	f.buf = strconv.AppendInt(f.buf, int64(i), 10)
	f.buf = append(f.buf, ' ')
	f.buf = strconv.AppendInt(f.buf, n, 10)
	_, _ = f.child.in.Write(append(f.buf, '\n')) // a publisher that is gone shows when it is asked
}

// more publishes one more message from each sender, once start has published all that
// was asked for, and returns how many there were in all.
func (f *feed) more() (published, error) {
	var r published
	err := f.child.ask(order{Op: "more"}, &r)
	return r, err
}

// total is how many records the sink is through with.
func (f *feed) total() int64 {
	var n int64
	for i := range f.seen {
		n += f.seen[i].Load()
	}
	return n
}

// stop ends the publishing and returns what it was. The sink must go on reading
// meanwhile.
func (f *feed) stop() (published, error) {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	var r published
	err := f.child.ask(order{Op: "stop"}, &r)
	return r, err
}
