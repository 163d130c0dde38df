package connect

import (
	"github.com/danube-messaging/danube-connect-go/danube"
)

// settler is where a sink reports that a record needs no further delivery: the only
// way from the runtime's decisions to what makes them last. It is called once for a
// record, by the goroutine that has it, several at once.
type settler interface {
	// settle makes the end of a record last. It does not wait for that, and must not
	// block for long. An error means that there is nothing to settle any more.
	settle(m *danube.Message) error
}

// ackSettler settles a record by the broker's acknowledgement, which the consumer
// sends in the background, several at once.
type ackSettler struct{ consumer Consumer }

func (s ackSettler) settle(m *danube.Message) error { return s.consumer.Ack(m) }

func newAckSettler(c Consumer) settler { return ackSettler{c} }
