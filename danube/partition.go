package danube

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// partition consumes one topic on the wire: one goroutine that gets a session,
// reads its stream until it ends, and gets the next.
type partition struct {
	c      *Consumer
	topic  string // on the wire
	number int32
	opened chan struct{} // closed at the first open stream
	ended  chan struct{} // closed when the goroutine is gone
	once   sync.Once

	// The goroutine's own.
	subscribed bool      // in the last session
	name       string    // of the last session, where each needs its own
	left       time.Time // when it ended
	gaps       gaps      // of the goroutine that reads
	firstReady time.Time // when the first stream was open
	reopened   bool      // there was another stream before this one
	order      reorder
	progress   *progress // nil where others get messages of the subscription, too

	wg sync.WaitGroup // ack workers

	mu        sync.Mutex
	tracker   tracker
	sess      *session // nil between sessions: acks wait
	workers   int
	idle      []*acker      // workers that wait to be used again
	pausing   bool          // a failed ack makes the next ones wait a little
	ticked    time.Time     // the tracker's last tick
	handling  bool          // the Handler has a message
	last      error         // why the last attempt at a session failed
	flushes   chan struct{} // closed when no ack is left to send; nil when nobody waits
	ackErrors int           // in a row
	counts    arrivals      // of what came
	began     arrivals      // when the session did
	rest      int           // how many more may come before a consumer that closes ends its streams; 0: any number
	handedOff time.Time     // when the application last gave one back
	silence   silence
	bases     []uint64 // what a broker may count its lag from, if messages were skipped
	next      uint64   // the offset after the newest that came, likewise

	telling sync.Mutex // of anomalies; taken before mu
}

func newPartition(c *Consumer, number int32) *partition {
	p := &partition{c: c, topic: c.cfg.Topic, number: number, opened: make(chan struct{}), ended: make(chan struct{})}
	if number != NoPartition {
		p.topic = partitionTopic(c.cfg.Topic, number)
	}
	if c.cfg.Type == Exclusive {
		p.progress = c.client.progressOf(p.key())
	}
	return p
}

// healthyAfter is how long a session without messages must last to count as good:
// an open stream proves nothing, the broker's errors come with the first read.
const healthyAfter = 10 * time.Second

// minSession is the least time between two subscriptions. Each makes the broker send
// again what is unacknowledged, which counts as an attempt, and after six of them the
// next timeout blocks the subscription.
const minSession = time.Second

func (p *partition) run() {
	defer close(p.ended)
	err := p.sessions()
	if failed := p.c.Err(); failed != nil {
		if err == nil {
			err = failed // another partition's, or the caller did not wait
		}
		p.report(Failed, err)
	}
}

// sessions runs one session after the other until the consumer ends; an error is for
// good, and the consumer's.
func (p *partition) sessions() error {
	wait := p.c.client.backoff()
	for {
		if !p.c.gate.Pass(p.c.ctx) {
			return nil
		}
		start := time.Now()
		worked, err := p.session()
		if p.c.ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errPaused) {
			p.report(Connecting, err)
			wait.Reset()
			continue
		}
		if isFatal(err) {
			p.c.fail(err)
			return err
		}
		p.mu.Lock()
		p.last = err
		p.mu.Unlock()
		if worked || time.Since(start) >= healthyAfter {
			wait.Reset()
		}
		p.report(Connecting, err)
		d := wait.Next()
		if p.subscribed {
			d = max(d, time.Until(start.Add(minSession)))
		}
		p.c.client.log.Warn("danube: consumer without a session", "topic", p.topic, "subscription", p.c.cfg.Subscription, "retry_in", d, "error", err)
		if !sleep(p.c.ctx, d) {
			return nil
		}
	}
}

// session runs one session to its end. worked means that it brought a message.
func (p *partition) session() (worked bool, err error) {
	c := p.c.client
	p.subscribed = false
	at, err := c.router.lookup(p.c.ctx, p.topic)
	if err != nil {
		return false, err
	}
	conn, err := c.conn(at.dial)
	if err != nil {
		return false, err
	}
	id, err := p.subscribe(conn, at)
	if err != nil {
		return false, err
	}
	// From here on the broker counts us as reading: the stream must follow at once.
	p.subscribed = true
	sess := c.newSession(p.c.ctx, danubepb.HealthCheckRequest_Consumer, p.topic, at, conn, id)
	defer func() { sess.end(err) }()
	stream, err := danubepb.NewConsumerServiceClient(conn).ReceiveMessages(sess.ctx, &danubepb.ReceiveRequest{ConsumerId: id})
	if err != nil {
		return false, p.failed("receive from", at, rpcReceive, err)
	}
	if err := opened(stream); err != nil {
		return false, p.lost(sess, err)
	}
	c.log.Info("danube: consumer ready", "topic", p.topic, "subscription", p.c.cfg.Subscription, "consumer", p.c.cfg.Name, "broker", string(at.dial))
	p.startAcks(sess)
	defer p.stopAcks()
	if p.c.gate.Waiting() != nil { // a Pause that came while there was no session
		sess.cancel(errPaused)
	}
	if p.c.cfg.Stamps != nil {
		p.c.cfg.Stamps.ready(p.topic, time.Now())
	}
	if p.reopened = !p.firstReady.IsZero(); !p.reopened {
		p.firstReady = time.Now()
	}
	p.report(Ready, nil)
	p.once.Do(func() { close(p.opened) })

	worked, err = p.read(stream)
	p.left = time.Now()
	if errors.Is(err, io.EOF) && sess.ctx.Err() == nil {
		return worked, p.streamEnded(sess)
	}
	return worked, p.lost(sess, err)
}

// opened waits until the broker has opened the stream: until then it delivers
// nothing on it, and may refuse it.
func opened(stream grpc.ServerStreamingClient[danubepb.StreamMessage]) error {
	header, err := stream.Header()
	if err == nil && header == nil {
		err = stream.RecvMsg(new(danubepb.StreamMessage)) // it ended without one
	}
	return err
}

// lost is why a session is over: what ended it, or else the error of its stream.
func (p *partition) lost(sess *session, err error) error {
	if sess.ctx.Err() != nil {
		return context.Cause(sess.ctx)
	}
	return p.failed("receive from", sess.at, rpcReceive, err)
}

func (p *partition) subscribe(conn grpc.ClientConnInterface, at target) (uint64, error) {
	ctx, cancel := context.WithTimeout(at.context(p.c.ctx), p.c.client.cfg.Timeouts.Control)
	defer cancel()
	resp, err := danubepb.NewConsumerServiceClient(conn).Subscribe(ctx, &danubepb.ConsumerRequest{
		TopicName:        p.topic,
		ConsumerName:     p.consumerName(),
		Subscription:     p.c.cfg.Subscription,
		SubscriptionType: p.c.cfg.Type.wire(),
		KeyFilters:       p.c.cfg.KeyFilters,
	})
	if err != nil {
		return 0, p.failed("subscribe to", at, rpcSubscribe, err)
	}
	return resp.GetConsumerId(), nil
}

// keySharedAway is how long a KeyShared consumer may have been away to come back under
// its name: after about three seconds the broker has given its keys to others for good.
const keySharedAway = 2 * time.Second

// consumerName is the name to subscribe with.
func (p *partition) consumerName() string {
	if p.c.cfg.Type != KeyShared {
		return p.c.cfg.Name
	}
	if p.name == "" || time.Since(p.left) > keySharedAway {
		p.name = p.c.cfg.Name + "-" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	}
	return p.name
}

// inOrder reports that the subscription gets all messages of its topic, in order; those of
// other types get some.
func (p *partition) inOrder() bool { return p.c.cfg.Type == Exclusive || p.c.cfg.Type == Failover }

func (p *partition) failed(op string, at target, kind rpc, err error) *Error {
	return failed(op, p.topic, at.dial, kind, err)
}

// streamEnded reads a stream that ended without an error. The broker ends it so when
// the topic leaves, and when another consumer of our name takes over; in the second
// case our id, which is then the other's too, stays alive. A broker that is too busy
// to say is asked again: to subscribe on a guess would take the subscription back.
func (p *partition) streamEnded(sess *session) error {
	alive := 0
	ctx := sess.at.context(p.c.ctx) // the session's own has ended; a proxy must know whom we mean
	for range 6 {
		open, err := sess.alive(ctx)
		switch {
		case p.c.ctx.Err() != nil:
			return context.Cause(p.c.ctx)
		case status.Code(err) == codes.DeadlineExceeded:
		case err != nil || !open:
			return &Error{Op: "receive from", Topic: p.topic, Broker: string(sess.at.dial), Err: errStreamEnded}
		default:
			alive++
		}
		if alive == 2 {
			return &Error{Op: "receive from", Topic: p.topic, Broker: string(sess.at.dial), Reason: ErrTakenOver}
		}
		if !sleep(p.c.ctx, time.Second) {
			return context.Cause(p.c.ctx)
		}
	}
	return &Error{Op: "receive from", Topic: p.topic, Broker: string(sess.at.dial), Err: errStreamEnded}
}

var errStreamEnded = errors.New("the broker ended the stream")

func (p *partition) report(s SessionState, err error) {
	if p.c.cfg.OnSession != nil {
		p.c.cfg.OnSession(SessionEvent{Topic: p.topic, Partition: p.number, State: s, Err: err})
	}
}
