package danube

import "time"

// othersTime is how long after its first stream was open a consumer may still be sent
// what one before it has left: the broker sends that first and at once. Without it a
// producer whose clock is behind ours, or that gives its messages times of their own,
// would keep gaps from being seen.
const othersTime = 30 * time.Second

// looked notes that a message is about to be handed out, in order, and tells of the
// offsets before it that did not come. On the goroutine that reads.
func (p *partition) looked(offset, publishedMs uint64) {
	if !p.inOrder() {
		return
	}
	// What lies below all that came may be what a consumer before this one has left: the
	// broker sends it on the first stream, when it was published before that. Else it was
	// skipped, or settled by that consumer and forgotten by the broker since; or it is one
	// that was handed back here.
	if p.gaps.below(offset) && (p.reopened || p.publishedSince(publishedMs)) && !p.handedBack(offset) {
		p.anomaly(Anomaly{Kind: GapFilled, From: offset, To: offset})
	}
	if !p.gaps.own {
		// What is missing here a consumer before this one may have got and acknowledged,
		// in any order: only what was published since, or comes later, can have come to
		// nobody else.
		late := time.Since(p.firstReady) > othersTime
		if !late {
			p.gaps.skip(offset)
		}
		p.gaps.own = late || p.publishedSince(publishedMs)
		if !late {
			return
		}
	}
	if p.gaps.got(offset) { // no hole lies below what is known
		p.anomaly(Anomaly{Kind: GapFilled, From: offset, To: offset})
	}
	p.noteSkipped()
	for _, h := range p.gaps.report() {
		p.anomaly(Anomaly{Kind: GapFound, From: h.from, To: h.to})
	}
}

// handedBack reports that a message was handed out before.
func (p *partition) handedBack(offset uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, found := p.tracker.find(offset)
	return found && p.tracker.entries[i].back
}

// publishedSince reports that a message was published after the first stream was open.
func (p *partition) publishedSince(ms uint64) bool { return ms >= uint64(p.firstReady.UnixMilli()) }

// noteSkipped keeps what the gaps make of the broker's lag for those who judge it.
func (p *partition) noteSkipped() {
	bases := p.gaps.lagBases()
	if bases == nil && p.bases == nil { // nobody else writes it
		return // nearly always
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.bases = p.gaps.next, bases
}

// renumbered tells that the numbering has started again.
func (p *partition) renumbered(offset uint64) {
	before := uint64(0)
	if p.gaps.known {
		before = p.gaps.next - 1
	}
	p.gaps = gaps{own: true}
	p.noteSkipped()
	p.anomaly(Anomaly{Kind: NumberingRestarted, From: offset, To: before})
}

func (p *partition) anomaly(a Anomaly) {
	p.telling.Lock()
	defer p.telling.Unlock()
	p.tell(a)
}

// tell tells of an anomaly. With p.telling held.
func (p *partition) tell(a Anomaly) {
	a.Topic, a.Partition = p.topic, p.number
	log := p.c.client.log.With("topic", p.topic, "subscription", p.c.cfg.Subscription)
	switch a.Kind {
	case GapFilled:
		log.Debug("danube: "+a.Kind.String(), "from", a.From, "to", a.To)
	case StampGap:
		log.Error("danube: "+a.Kind.String(), "producer", a.Producer, "epoch", a.Epoch, "from", a.From, "to", a.To)
	case StampGapFilled, StampRepeated:
		log.Debug("danube: "+a.Kind.String(), "producer", a.Producer, "epoch", a.Epoch, "from", a.From, "to", a.To)
	case Stalled:
		log.Error("danube: "+a.Kind.String(), "lag", a.Lag)
	case Resumed:
		log.Warn("danube: "+a.Kind.String(), "lag", a.Lag)
	default:
		log.Error("danube: "+a.Kind.String(), "from", a.From, "to", a.To)
	}
	if p.c.cfg.OnAnomaly != nil {
		p.c.cfg.OnAnomaly(a)
	}
}

// told returns when nobody tells of an anomaly any more. The consumer's context has
// ended.
func (p *partition) told() {
	p.telling.Lock()
	defer p.telling.Unlock()
}
