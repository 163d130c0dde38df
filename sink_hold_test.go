package connect

import (
	"errors"
	"sync"
	"testing"
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

// Workers of several lanes look at the condemned record while one takes it away.
func TestLookingAtACondemnedRecordThatGoes(t *testing.T) {
	onTCP(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		rt := l.newSink(&testSink{}, l.config())
		r := l.start(rt.core, rt.Run).ready()
		route := rt.routes[0]
		w := &sinkWorker{lane: route.lane(0)}
		mine, other := &delivery{}, &condemned{&delivery{}, errors.New("x")}
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 200_000 {
				route.condemned.Store(other)
				route.condemned.Store(nil)
			}
		})
		for range 200_000 {
			w.down(mine)
		}
		wg.Wait()
		r.stopped()
	})
}
