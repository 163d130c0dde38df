package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/bare"
)

// order is a command for the publisher process. Between start and stop it may also
// be told, in lines of another form, how far the sink is: "c PARTITION COUNT".
type order struct {
	Op   string // open, start or stop
	Open *orderOpen
}

// orderOpen says what to publish.
type orderOpen struct {
	URL, Topic string
	Partitions int
	Size       int // of a payload; the first 8 bytes are the time of sending
	Senders    int // to each partition, each with one send outstanding
	Ahead      int // how many messages of a partition may be out that the sink has not seen
	Rate       int // messages per second to all partitions together; 0 for as many as go
}

// published is the answer to stop.
type published struct {
	Count  int64   // messages published
	Waited float64 // share of the time in which the senders waited for the sink
}

// publication is one series of messages, from open to stop.
type publication struct {
	open  orderOpen
	conn  *grpc.ClientConn
	lines []*publishLine
	stop  context.CancelFunc
	wg    sync.WaitGroup
	begin time.Time
	mu    sync.Mutex
	err   error
}

// publishLine is one partition.
type publishLine struct {
	producers []*bare.Producer

	mu     sync.Mutex
	more   sync.Cond
	sent   int64
	seen   int64
	ended  bool
	waited time.Duration
}

func servePublisher(in io.Reader, out io.Writer) error {
	var p *publication
	defer func() {
		if p != nil {
			_, _ = p.end()
		}
	}()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := lines.Bytes(); len(line) > 0 && line[0] == 'c' {
			if p != nil {
				if err := p.credit(line); err != nil {
					return err
				}
			}
			continue
		}
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		var err error
		var said any = struct{}{}
		switch {
		case o.Op == "open" && o.Open != nil && p == nil:
			p, err = openPublication(*o.Open)
		case o.Op == "start" && p != nil:
			p.start()
		case o.Op == "stop" && p != nil:
			said, err = p.end()
			p = nil
		default:
			err = fmt.Errorf("%q now makes no sense", o.Op)
		}
		if err := answer(out, said, err); err != nil {
			return err
		}
	}
	return lines.Err()
}

// openPublication creates the topics and the producers.
func openPublication(o orderOpen) (*publication, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := bare.Dial(o.URL)
	if err != nil {
		return nil, err
	}
	p := &publication{open: o, conn: conn}
	for _, topic := range bare.WireTopics(o.Topic, o.Partitions) {
		l := new(publishLine)
		l.more.L = &l.mu
		for i := range o.Senders {
			producer, err := bare.NewProducer(ctx, conn, topic, fmt.Sprintf("publisher-%d", i))
			if err != nil {
				_ = conn.Close()
				return nil, err
			}
			l.producers = append(l.producers, producer)
		}
		p.lines = append(p.lines, l)
	}
	return p, nil
}

func (p *publication) start() {
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	p.begin = time.Now()
	var gap time.Duration // between two messages of one sender
	if p.open.Rate > 0 {
		gap = time.Second * time.Duration(len(p.lines)*p.open.Senders) / time.Duration(p.open.Rate)
	}
	for _, l := range p.lines {
		for _, producer := range l.producers {
			p.wg.Go(func() {
				if err := l.publish(ctx, producer, p.open.Size, int64(p.open.Ahead), gap); err != nil && ctx.Err() == nil {
					p.mu.Lock()
					p.err = err
					p.mu.Unlock()
				}
			})
		}
	}
}

// publish sends until ctx ends.
func (l *publishLine) publish(ctx context.Context, p *bare.Producer, size int, ahead int64, gap time.Duration) error {
	payload := make([]byte, max(size, 8))
	for i := range payload {
		payload[i] = byte(i)
	}
	tick := time.NewTimer(gap)
	defer tick.Stop()
	for {
		if gap > 0 {
			select {
			case <-tick.C:
				tick.Reset(gap)
			case <-ctx.Done():
				return nil
			}
		}
		if !l.take(ahead) {
			return nil
		}
		binary.LittleEndian.PutUint64(payload, uint64(time.Now().UnixNano()))
		// Not cancelled by the end: a send that is can leave a hole in the topic.
		if err := p.Send(context.WithoutCancel(ctx), payload[:size]); err != nil {
			return err
		}
	}
}

// take waits until one more message may go out; false when it is over.
func (l *publishLine) take(ahead int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ended && l.sent-l.seen >= ahead {
		since := time.Now()
		l.more.Wait()
		l.waited += time.Since(since)
	}
	if l.ended {
		return false
	}
	l.sent++
	return true
}

// credit reads "c PARTITION COUNT".
func (p *publication) credit(line []byte) error {
	f := bytes.Fields(line)
	if len(f) != 3 {
		return fmt.Errorf("credit %q", line)
	}
	i, err1 := strconv.Atoi(string(f[1]))
	n, err2 := strconv.ParseInt(string(f[2]), 10, 64)
	if err1 != nil || err2 != nil || i < 0 || i >= len(p.lines) {
		return fmt.Errorf("credit %q", line)
	}
	l := p.lines[i]
	l.mu.Lock()
	l.seen = max(l.seen, n)
	l.mu.Unlock()
	l.more.Broadcast()
	return nil
}

// end stops the senders, each after the message it is sending.
func (p *publication) end() (published, error) {
	var r published
	if p.stop == nil {
		return r, p.conn.Close()
	}
	p.stop()
	elapsed := time.Since(p.begin)
	for _, l := range p.lines {
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.more.Broadcast()
	}
	p.wg.Wait()
	var waited time.Duration
	for _, l := range p.lines {
		r.Count += l.sent
		waited += l.waited
	}
	r.Waited = waited.Seconds() / elapsed.Seconds() / float64(len(p.lines)*p.open.Senders)
	_ = p.conn.Close()
	return r, p.err
}
