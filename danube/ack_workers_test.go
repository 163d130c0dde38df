package danube

import (
	"testing"
	"testing/synctest"
)

// idleAcker returns an acker of a partition without a session, which asks for one ack
// and has no other.
func idleAcker(t *testing.T) *acker {
	c, err := Open(Config{Seeds: []string{"localhost:1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	con := &Consumer{client: c, cfg: ConsumerConfig{Topic: "/default/t", AcksInFlight: 1}}
	con.ctx, con.cancel = t.Context(), func(error) {}
	return newAcker(newPartition(con, NoPartition))
}

// One goroutine serves one ack after the other, those that wait are bounded, and none is
// left after close.
func TestAckWorkersAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := idleAcker(t)
		var w ackWorkers
		run := func() {
			a.p.wg.Add(1)
			w.start(a)
			synctest.Wait()
		}
		for range 3 {
			run()
			if n := len(w.parked); n != 1 {
				t.Fatalf("%d goroutines wait, want the one that ran", n)
			}
		}
		first := w.parked[0]
		run()
		if w.parked[0] != first {
			t.Error("another goroutine waits")
		}
		w.close()
		run() // a late one ends by itself
		if n := len(w.parked); n != 0 {
			t.Errorf("%d goroutines wait after close", n)
		}
	})
}

func TestAckWorkersThatWaitAreBounded(t *testing.T) {
	var w ackWorkers
	kept := 0
	for range maxParked + 5 {
		if w.park(make(chan *acker, 1)) {
			kept++
		}
	}
	if kept != maxParked || len(w.parked) != maxParked {
		t.Errorf("%d goroutines wait, %d were told to, want %d", len(w.parked), kept, maxParked)
	}
}
