package danube

import "errors"

// errPaused is the cause of a session that Pause ended.
var errPaused = errors.New("paused")

// Pause closes the streams of all partitions until Resume, for a consumer that
// cannot take anything for longer than half the broker's ack timeout: a stream that
// is open counts its ack timeouts, six of which block the subscription for good by
// default, and one that is not read blocks the publishers of its topic. What was
// received stays with the application; what was acknowledged and not sent goes out
// after Resume, when the broker delivers it again, too. Of what is published
// meanwhile, a broker keeps 256 messages for a subscription by default.
func (c *Consumer) Pause() {
	c.gate.Shut()
	for _, p := range c.partitions() {
		p.mu.Lock()
		if p.sess != nil {
			p.sess.cancel(errPaused)
		}
		p.mu.Unlock()
	}
}

// Resume opens the streams again.
func (c *Consumer) Resume() { c.gate.Lift() }
