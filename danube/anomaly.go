package danube

// looked notes that a message is about to be handed out, in order, and tells of the
// offsets before it that did not come. On the goroutine that reads.
func (p *partition) looked(offset uint64) {
	if p.c.cfg.Type != Exclusive && p.c.cfg.Type != Failover {
		return // others get some of the offsets
	}
	if p.gaps.got(offset) {
		p.anomaly(Anomaly{Kind: GapFilled, From: offset, To: offset})
	}
	for _, h := range p.gaps.report() {
		p.anomaly(Anomaly{Kind: GapFound, From: h.from, To: h.to})
	}
}

// renumbered tells that the numbering has started again.
func (p *partition) renumbered(offset uint64) {
	before := uint64(0)
	if p.gaps.known {
		before = p.gaps.next - 1
	}
	p.gaps = gaps{}
	p.anomaly(Anomaly{Kind: NumberingRestarted, From: offset, To: before})
}

func (p *partition) anomaly(a Anomaly) {
	a.Topic, a.Partition = p.topic, p.number
	log := p.c.client.log.Error
	if a.Kind == GapFilled || a.Kind == StampGapFilled || a.Kind == StampRepeated {
		log = p.c.client.log.Debug
	}
	log("danube: "+a.Kind.String(), "topic", p.topic, "subscription", p.c.cfg.Subscription, "producer", a.Producer, "from", a.From, "to", a.To)
	if p.c.cfg.OnAnomaly != nil {
		p.c.cfg.OnAnomaly(a)
	}
}
