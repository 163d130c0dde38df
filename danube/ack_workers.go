package danube

import "sync"

// ackWorkers are a client's goroutines that send acks, for all its partitions. One that
// is done waits for the next ack, of whichever partition: a goroutine grows its stack
// when it first calls into gRPC, and made anew for each ack it would do so each time,
// which is a tenth of what receiving and acknowledging a message costs.
type ackWorkers struct {
	mu     sync.Mutex
	parked []chan *acker // of the goroutines that wait, the newest last
	closed bool
	wg     sync.WaitGroup
}

// maxParked bounds the goroutines that wait, and so what an idle client keeps: enough
// for what a handful of partitions have in flight.
const maxParked = 64

// start lets a goroutine run an acker.
func (w *ackWorkers) start(a *acker) {
	w.mu.Lock()
	n := len(w.parked)
	if n == 0 {
		w.wg.Add(1)
		w.mu.Unlock()
		go w.work(a)
		return
	}
	next := w.parked[n-1]
	w.parked = w.parked[:n-1]
	w.mu.Unlock()
	next <- a // it has room for one, and nobody else has it
}

func (w *ackWorkers) work(a *acker) {
	defer w.wg.Done()
	next := make(chan *acker, 1)
	for a != nil {
		a.run()
		if !w.park(next) {
			return
		}
		a = <-next
	}
}

// park offers a goroutine for the next ack; false means that it must end.
func (w *ackWorkers) park(next chan *acker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.parked) >= maxParked {
		return false
	}
	w.parked = append(w.parked, next)
	return true
}

// close ends the goroutines and returns when they are gone; no acker is started any
// more.
func (w *ackWorkers) close() {
	w.mu.Lock()
	w.closed = true
	for _, next := range w.parked {
		close(next)
	}
	w.parked = nil
	w.mu.Unlock()
	w.wg.Wait()
}
