package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	Op   string // open, start, more or stop
	Open *orderOpen
}

// orderOpen says what to publish.
type orderOpen struct {
	URL, Topic string
	Partitions int
	Size       int // of a payload; what it begins with: stampPayload
	Senders    int // to each partition, each with one send outstanding
	Ahead      int // how many messages of a partition may be out that the sink has not seen; 0 for no limit
	Rate       int // messages per second to all partitions together; 0 for as many as go
	Keys       int // how many routing keys take turns; 0 for none
	Count      int // how many messages each sender has; 0 for no end
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
		case o.Op == "more" && p != nil && p.stop != nil && p.open.Count > 0:
			said, err = p.more()
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
		l := &publishLine{open: o}
		l.more.L = &l.mu
		for i := range o.Senders {
			producer, err := bare.NewProducer(ctx, conn, topic, fmt.Sprintf("publisher-%d", i))
			if err != nil {
				_ = conn.Close()
				return nil, err
			}
			l.senders = append(l.senders, newPublishSender(producer, uint32(i), o.Size))
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
		for _, sender := range l.senders {
			p.wg.Go(func() {
				if err := l.publish(ctx, sender, gap); err != nil && ctx.Err() == nil {
					p.mu.Lock()
					p.err = err
					p.mu.Unlock()
				}
			})
		}
	}
}

// more waits until every sender has sent its count, and sends one more message of each.
func (p *publication) more() (r published, err error) {
	p.wg.Wait()
	for _, l := range p.lines {
		for _, s := range l.senders {
			l.sent++
			err = errors.Join(err, l.send(context.Background(), s))
		}
		r.Count += l.sent
	}
	return r, errors.Join(p.err, err)
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
