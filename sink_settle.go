package connect

import (
	"context"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// settler is where a sink reports that a record needs no further delivery: the only
// way from the runtime's decisions to what makes them last. One of its methods is
// called for each delivery that is not handed back, once, from several goroutines.
type settler interface {
	// settle makes the end of a record last. It does not wait for that, and must not
	// block for long. An error means that there is nothing to settle any more.
	settle(m *danube.Message) error
	// giveBack has the record delivered again, not before delay has passed, to this
	// process or to another one. Whatever it returns, the record is not this process's
	// any more.
	giveBack(ctx context.Context, m *danube.Message, delay time.Duration, reason string) error
}

// ackSettler settles a record by the broker's acknowledgement, which the consumer
// sends in the background, several at once.
type ackSettler struct{ consumer Consumer }

func (s ackSettler) settle(m *danube.Message) error { return s.consumer.Ack(m) }

func (s ackSettler) giveBack(ctx context.Context, m *danube.Message, delay time.Duration, reason string) error {
	return s.consumer.Nack(ctx, m, delay, reason)
}

func newAckSettler(c Consumer) settler { return ackSettler{c} }
