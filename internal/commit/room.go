package commit

// Room returns nil while there is room for more flights, else a channel that is closed
// when there is again, an eighth of it. Behind one record that waits, all that are
// settled are kept: without a bound they would fill the memory. Nothing keeps Add from
// adding.
func (t *Tracker[O]) Room() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.room == nil {
		if !t.full(0) {
			return nil
		}
		t.room = make(chan struct{})
	}
	return t.room
}

// Unbound makes room for any number: nothing will be taken any more.
func (t *Tracker[O]) Unbound() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.max = 0
	t.makeRoom()
}

func (t *Tracker[O]) full(spare int) bool {
	held := t.held
	if t.lag > 0 && t.bare.head+t.bare.ready == len(t.bare.flights) { // else they wait for more
		held -= t.ready
	}
	return t.max > 0 && held >= t.max-spare
}

func (t *Tracker[O]) makeRoom() {
	if t.room != nil && !t.full(t.max/8) {
		close(t.room)
		t.room = nil
	}
}
