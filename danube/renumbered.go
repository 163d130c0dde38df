package danube

// A numbering that starts again shows by itself only where the new message has the
// offset of one that is remembered. A consumer that began at a high offset, or that has
// received more than it remembers since, does not know the low ones: to it they look like
// old messages that come late. What tells them apart is when they were published.
type summit struct {
	known    bool
	offset   uint64 // the highest of this epoch
	session  uint32 // in which it came
	newestMs uint64 // publish time of the newest of all
}

// receivedAt is received for a subscription that gets its messages in order: an offset
// below the highest that nobody remembers, in a later session and published after
// everything that came before, is of a new epoch. What comes again after a move was
// published before what was received since.
func (t *tracker) receivedAt(offset uint64, id identity, publishedMs uint64) arrival {
	s := &t.summit
	var how arrival
	if s.known && offset < s.offset && t.session > s.session && publishedMs > s.newestMs && t.unknown(offset, id) {
		how = t.restart(offset, id, t.session-1)
	} else {
		how = t.received(offset, id)
	}
	switch {
	case how == renumber || !s.known:
		*s = summit{true, offset, t.session, publishedMs}
	default:
		if offset >= s.offset {
			s.offset, s.session = offset, t.session
		}
		s.newestMs = max(s.newestMs, publishedMs)
	}
	return how
}

// unknown reports that nothing is remembered at an offset.
func (t *tracker) unknown(offset uint64, id identity) bool {
	_, found := t.find(offset)
	return !found && t.past.lookup(offset, id) == pastUnknown
}
