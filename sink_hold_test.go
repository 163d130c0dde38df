package connect

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// New partitions come in while somebody pauses and resumes: each takes the lock of
// its own side first and must not wait for the other's.
func TestPauseWhileLanesAreMade(t *testing.T) {
	onTCP(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		rt := l.newSink(&testSink{}, l.config())
		r := l.start(rt.core, rt.Run).ready()
		route := rt.routes[0]
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					rt.Pause()
					rt.Resume()
				}
			}
		})
		for i := range 2000 {
			route.lane(int32(i))
		}
		close(stop)
		wg.Wait()
		rt.Pause()
		route.lane(5000)
		rt.Resume()
		r.stopped()
	})
}

func TestPauseAtTheStart(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{initialize: func(context.Context, *Setup) error {
			time.Sleep(time.Second)
			return nil
		}}
		rt := l.newSink(sink, l.config())
		rt.Pause()
		r := l.start(rt.core, rt.Run)
		for range 20 { // in the middle of everything that a start does
			go func() {
				time.Sleep(time.Second)
				rt.Resume()
				rt.Pause()
			}()
		}
		l.until("subscribed", func() bool { return len(l.b.Consumers()) == 1 })
		l.pause(time.Second)
		same(t, "not ready", fmt.Sprint(r.board.NotReady()), "map[paused:paused by the operator]")
		l.publish(topic, "1")
		l.pause(5 * time.Second)
		same(t, "seen while paused", len(sink.seen()), 0)
		rt.Resume()
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 1))
		same(t, "not ready", fmt.Sprint(r.board.NotReady()), "map[]")
		r.stopped()
	})
}

// A sink that is paused before its consumer is open must not keep a stream open that
// nothing is taken from, either: the broker would give up on the subscription.
func TestPauseThatIsOlderThanTheStream(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		l.b.Stop()
		sink := &testSink{}
		rt := l.newSink(sink, l.config())
		rt.Pause()
		r := l.start(rt.core, rt.Run)
		l.pause(time.Minute)
		l.must(l.b.Start())
		l.pause(time.Minute)
		for _, c := range l.b.Consumers() {
			if c.Streaming {
				t.Error("the stream is open after two minutes of a pause")
			}
		}
		rt.Resume()
		l.until("ready", func() bool { return r.board.NotReady() == nil })
		l.must(l.b.WaitConsumers(t.Context(), topic, "s", 1))
		l.publish(topic, numbers(1, 5)...)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 5))
		r.stopped()
	})
}
