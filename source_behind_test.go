package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// instant is a client that has each message at once, but for one topic.
type instant struct{ stuck string }

func (c instant) NewProducer(_ context.Context, cfg danube.ProducerConfig) (Producer, error) {
	return instantProducer{cfg.Topic == c.stuck}, nil
}

func (c instant) NewConsumer(context.Context, danube.ConsumerConfig) (Consumer, error) {
	return nil, errors.New("no")
}

type instantProducer struct{ stuck bool }

func (p instantProducer) SendAsync(_ context.Context, _ *danube.Outgoing, done func(danube.Receipt, error)) error {
	if !p.stuck {
		done(danube.Receipt{}, nil)
	}
	return nil
}

func (p instantProducer) Close(context.Context) error { return nil }

// sourceOn runs a source on a client of the test's own.
func (l *lab) sourceOn(client Client, c SourceConnector) sourceAtWork {
	l.t.Helper()
	rt := l.newSource(c, l.config(func(c *Config) { c.DestinationTopic = "/default/t"; c.DrainTimeout = time.Second }), WithClient(client))
	return sourceAtWork{l.start(rt.core, rt.Run), rt}
}

// Behind one record that waits, what is settled is kept, but not without a bound: then
// nothing is polled, and /readyz says why.
func TestSourceBehindOneRecordThatWaits(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		var n atomic.Int64
		source := &committing{testSource: &testSource{poll: func(context.Context, int) (list []*SourceRecord, err error) {
			if n.Load() == 0 {
				list = append(list, FromString("/default/stuck", "x").WithOffset(OffsetInt("p", 0)))
			}
			for range 1000 {
				list = append(list, FromString("", "x").WithOffset(OffsetInt("p", n.Add(1))))
			}
			return list, nil
		}}}
		r := l.sourceOn(instant{"/default/stuck"}, source)
		l.pause(time.Minute)
		if n := n.Load(); n < maxUncommitted || n > maxUncommitted+1000 {
			t.Errorf("%d records were taken, want %d and at most one poll more", n, maxUncommitted)
		}
		if why := fmt.Sprint(r.board.NotReady()); !strings.Contains(why, "wait for one before them") {
			t.Errorf("not ready because of %q", why)
		}
		_, _ = r.stop()
		same(t, "committed", source.all(), "[]")
	})
}

// The same for a stream, which goes on when the record is through.
func TestEmitBehindOneRecordThatWaits(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Topic: l.name("stuck"), Hang: true}))
		var n atomic.Int64
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			_ = e.EmitAsync(ctx, FromString(l.name("stuck"), "x").WithOffset(OffsetInt("p", 0)), nil)
			for n.Load() < maxUncommitted+5000 {
				if err := e.EmitAsync(ctx, Progress(OffsetInt("p", n.Load()+1)), nil); err != nil {
					return err
				}
				n.Add(1)
			}
			return nil
		})
		r := l.source(FromStream(source), func(c *Config) { c.UndeclaredTopics = TopicsCreate })
		l.pause(time.Minute)
		same(t, "emitted", n.Load(), maxUncommitted-1)
		h.Remove()
		l.must(r.wait())
		same(t, "emitted at the end", n.Load(), maxUncommitted+5000)
	})
}

// The numbers of records that share an offset are forgotten with their source partition.
func TestSourceForgetsPartitionsThatAreThrough(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		n := 0
		source := &testSource{poll: func(context.Context, int) (list []*SourceRecord, err error) {
			for range 100 {
				n++
				list = append(list, FromString("", "x").WithOffset(OffsetInt(fmt.Sprintf("file-%d.log", n), 1)))
			}
			if n > 100_000 {
				return nil, nil
			}
			return list, nil
		}}
		r := l.sourceOn(instant{}, source)
		l.pause(time.Minute)
		_, _ = r.stop()
		if k := len(r.rt.origins.last) + len(r.rt.origins.before); k > 3*maxOrigins {
			t.Errorf("%d source partitions are remembered, all of them through", k)
		}
	})
}

// Attributes count in what is in hand, too.
func TestEmitCountsAttributes(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		var accepted atomic.Int64
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for {
				if err := e.EmitAsync(ctx, FromString("", "x").WithAttribute("a", strings.Repeat("x", 2<<20)), nil); err != nil {
					return err
				}
				accepted.Add(1)
			}
		})
		r := l.source(FromStream(source), func(c *Config) { c.DrainTimeout = time.Second })
		l.must(h.Wait(t.Context(), 1))
		l.pause(10 * time.Second)
		if n := accepted.Load(); n > 9 { // one under way and 16 MiB that wait
			t.Errorf("%d MiB are in hand of one partition", 2*n)
		}
		_, _ = r.stop()
	})
}

// Who gave up waiting for room leaves nothing behind that keeps the source from being
// ready once there is some.
func TestEmitGivesUpWaitingForRoom(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Topic: l.name("stuck"), Hang: true}))
		gaveUp := make(chan error, 1)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			_ = e.EmitAsync(ctx, FromString(l.name("stuck"), "x").WithOffset(OffsetInt("p", 0)), nil)
			for n := range maxUncommitted - 1 {
				if err := e.EmitAsync(ctx, Progress(OffsetInt("p", int64(n+1))), nil); err != nil {
					return err
				}
			}
			short, cancel := context.WithTimeout(ctx, time.Second) // the request of a webhook
			defer cancel()
			_, err := e.Emit(short, Progress(OffsetInt("p", maxUncommitted+1)))
			gaveUp <- err
			<-ctx.Done()
			return nil
		})
		r := l.source(FromStream(source), func(c *Config) { c.UndeclaredTopics = TopicsCreate })
		if err := <-gaveUp; !errors.Is(err, ErrNotEmitted) {
			t.Fatal(err)
		}
		if r.board.NotReady() == nil {
			t.Error("ready without room")
		}
		h.Remove()
		l.pause(time.Minute)
		if why := r.board.NotReady(); why != nil {
			t.Errorf("not ready a minute after everything is committed: %v", why)
		}
		_, _ = r.stop()
	})
}

// A stream may emit after the stop what it has in hand, however much that is: nobody
// commits meanwhile, so nobody waits for that.
func TestEmitAfterTheStopNeedsNoRoom(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			<-ctx.Done()
			for n := range maxUncommitted + 1000 {
				if err := e.EmitAsync(context.Background(), Progress(OffsetInt("p", int64(n))), nil); err != nil {
					return err
				}
			}
			return nil
		})
		committed := &committing{testSource: &testSource{}}
		r := l.source(FromStream(committingStream{source, committed}), func(c *Config) { c.DrainTimeout = 20 * time.Second })
		l.pause(time.Second)
		err, took := r.stop()
		l.must(err)
		if took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		if all := committed.all(); len(all) != maxUncommitted+1000 {
			t.Errorf("%d offsets are committed", len(all))
		}
	})
}

// Two records of one offset have two names, also where many other partitions come between
// them.
func TestSourceNamesOverManyPartitions(t *testing.T) {
	var o origins
	use := func(p string) int { return o.next(OffsetInt(p, 1)) }
	use("shared")
	for i := range maxOrigins {
		use(fmt.Sprint(i))
		o.forget()
	}
	same(t, "index", use("shared"), 1)
	for i := range 3 * maxOrigins {
		use(fmt.Sprint("new", i))
		o.forget()
	}
	if n := len(o.last) + len(o.before); n > 2*maxOrigins+2 {
		t.Errorf("%d partitions are remembered", n)
	}
}
