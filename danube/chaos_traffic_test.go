package danube_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// sender publishes to one topic.
type sender struct {
	run   *chaosRun
	p     *danube.Producer
	name  string
	burst int // the most messages that it publishes at full speed
	count uint32
	under atomic.Int64 // messages on their way
}

// send publishes the next message. The producer waits for room, so that no more than a
// few are under way.
func (s *sender) send(ctx context.Context) {
	s.count++
	n := s.count
	payload := binary.BigEndian.AppendUint32(make([]byte, 0, 64), n)
	payload = payload[:36+n%28]
	s.under.Add(1)
	err := s.p.SendAsync(ctx, &danube.Outgoing{Payload: payload}, func(r danube.Receipt, err error) {
		s.under.Add(-1)
		s.run.ledger.published(s.nameOn(r.Partition), n, r, err)
	})
	if err == nil {
		return
	}
	s.under.Add(-1)
	if ctx.Err() == nil {
		s.run.breach("publishing to %s: %v", s.name, err)
	}
}

// nameOn is the producer's name on a partition.
func (s *sender) nameOn(partition int32) string {
	if partition == danube.NoPartition {
		return s.name
	}
	return fmt.Sprintf("%s-%d", s.name, partition)
}

// work publishes until ctx ends, in small groups and now and then in a burst.
func (s *sender) work(ctx context.Context, rnd *rand.Rand) {
	for {
		n := 1 + rnd.IntN(8)
		if rnd.IntN(40) == 0 {
			n = s.burst
		}
		for range n {
			s.send(ctx)
		}
		if !s.run.wait(ctx, time.Duration(20+rnd.IntN(160))*time.Millisecond) || !s.run.quiet.Pass(ctx) {
			return
		}
	}
}

// round publishes something to every partition.
func (s *sender) round(ctx context.Context) {
	for range 2 * s.p.Partitions() {
		s.send(ctx)
	}
}

// reader keeps one subscription's consumer, one after the other.
type reader struct {
	run         *chaosRun
	topic, name string
	slow        bool // 2 ms for each message, in a Handler
	subs        map[string]*ledgerSub
	stamps      danube.StampTracker
	lives       atomic.Uint32
	hold        holding

	mu  sync.Mutex // held while the consumer is being replaced
	con *danube.Consumer
	// contested is set once there were two consumers of one name: each may have taken
	// partitions from the other.
	contested bool
	wg        sync.WaitGroup
}

// open opens a consumer. What came before it belongs to the former ones.
func (r *reader) open(ctx context.Context) (*danube.Consumer, error) {
	life := r.lives.Add(1)
	opened := make(chan *danube.Consumer, 1)
	cfg := danube.ConsumerConfig{
		Topic: r.topic, Subscription: r.name, Name: r.name, Stamps: &r.stamps,
		OnAnomaly: func(a danube.Anomaly) { r.run.told(r.subs[a.Topic], life, a) },
		OnSession: func(e danube.SessionEvent) {
			if s := r.subs[e.Topic]; s != nil {
				r.run.ledger.consumerSession(s, e)
			}
		},
	}
	if r.slow {
		var con *danube.Consumer
		var once sync.Once
		cfg.Handler = func(m *danube.Message) {
			once.Do(func() { con = <-opened })
			if con != nil {
				r.run.wait(context.Background(), 2*time.Millisecond)
				r.take(con, life, m)
			}
		}
	}
	con, err := r.run.client.NewConsumer(ctx, cfg)
	opened <- con
	if err != nil {
		return nil, err
	}
	if !r.slow {
		r.wg.Go(func() { r.receive(con, life) })
	}
	r.wg.Go(func() { r.watch(con) })
	return con, nil
}

func (r *reader) receive(con *danube.Consumer, life uint32) {
	for {
		m, err := con.Receive(context.Background())
		if err != nil {
			return
		}
		r.take(con, life, m)
	}
}

// take notes a message and acknowledges it.
func (r *reader) take(con *danube.Consumer, life uint32, m *danube.Message) {
	s := r.subs[m.WireTopic]
	r.run.ledger.received(s, life, m, binary.BigEndian.Uint32(m.Payload))
	settle := func() { r.settle(con, life, m) }
	if !r.hold.keep(m.WireTopic, settle) {
		settle()
	}
}

// watch opens another consumer when one has failed that was not taken over on purpose.
func (r *reader) watch(con *danube.Consumer) {
	<-con.Done()
	err := con.Err()
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.con != con {
		return // taken over
	}
	if r.contested && errors.Is(err, danube.ErrTakenOver) {
		r.run.event("both consumers of %s have yielded", r.topic)
	} else {
		r.run.breach("consumer of %s failed: %v", r.topic, err)
	}
	r.replace(0)
}

// replace closes the consumer and opens another one later. With r.mu held.
func (r *reader) replace(away time.Duration) {
	r.end(r.con)
	for _, s := range r.subs {
		r.run.ledger.consumerEnded(s)
	}
	r.run.wait(r.run.ctx, away)
	con, err := r.open(r.run.always)
	if err != nil {
		r.run.breach("opening a consumer of %s: %v", r.topic, err)
		return
	}
	r.con, r.contested = con, false
}

// end closes a consumer. Acks that do not get through in time are no fault.
func (r *reader) end(con *danube.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := con.Close(ctx); err != nil && !errors.Is(err, danube.ErrOutcomeUnknown) {
		r.run.breach("closing the consumer of %s: %v", r.topic, err)
	}
}

// takeover opens a consumer of the same name beside the other one, which must yield. If
// that one was without a session just then, it may be the other way round: for a broker
// the last to come is the one that takes over. With r.mu held.
func (r *reader) takeover(ctx context.Context) {
	r.contested = true
	con, err := r.open(ctx)
	if errors.Is(err, danube.ErrTakenOver) {
		return // the other one came back in between
	}
	if err != nil {
		r.run.breach("taking over %s: %v", r.topic, err)
		return
	}
	loser := r.con
	select {
	case <-loser.Done():
		r.con = con
	case <-con.Done():
		loser = con
	case <-time.After(2 * time.Minute):
		r.run.breach("neither consumer of %s yields to the other", r.topic)
		r.con = con
	}
	if err := loser.Err(); !errors.Is(err, danube.ErrTakenOver) {
		r.run.breach("the consumer of %s that was taken over ended with: %v", r.topic, err)
	}
	r.end(loser)
}
