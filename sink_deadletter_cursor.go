package connect

import (
	"context"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/retry"
)

// A subscription whose cursor was never stored starts at the newest message again when
// its topic moves or its broker restarts, and what nobody has read by then is lost. The
// broker stores a cursor with an ack that comes 10 s or more after it has loaded the
// subscription. So on a topic where no dead letter waits, one message is published that
// is none, and acknowledged.

// markerAttribute says of a message that it is no dead letter.
const markerAttribute = "x-connect-marker"

const (
	// letterWait is how long a subscription may take to bring dead letters that wait.
	letterWait = 2 * time.Second
	// cursorAfter is how long the broker must have had the subscription.
	cursorAfter = 11 * time.Second
	// markerWait is how long the marker may take: another reader may have got it.
	markerWait = 30 * time.Second
)

// letterCursor reads a dead letter topic's subscription until its cursor is stored.
// Dead letters that come meanwhile are left to whoever reads them.
type letterCursor struct {
	topic   *deadTopic
	began   time.Time
	markers chan *danube.Message
	letters chan struct{}
}

func newLetterCursor(d *deadTopic) *letterCursor {
	return &letterCursor{topic: d, began: time.Now(), markers: make(chan *danube.Message, 1), letters: make(chan struct{}, 1)}
}

func (l *letterCursor) handle(m *danube.Message) {
	if _, marker := m.Attributes[markerAttribute]; marker {
		select {
		case l.markers <- m:
		default:
		}
		return
	}
	select {
	case l.letters <- struct{}{}:
	default:
	}
}

// keep lets the cursor exist, and closes the consumer. It ends with the run.
func (l *letterCursor) keep(k *core, c Consumer) {
	defer func() {
		ctx, cancel := context.WithTimeout(k.forced, time.Second)
		defer cancel()
		_ = c.Close(ctx) // what it got belongs to others
	}()
	m, wait := l.first(k.stop)
	if !wait {
		return
	}
	if m == nil {
		out := &danube.Outgoing{Attributes: map[string]string{markerAttribute: "cursor"}}
		if err := l.topic.producer.SendAsync(k.stop, out, func(danube.Receipt, error) {}); err != nil {
			return
		}
		select {
		case m = <-l.markers:
		case <-time.After(markerWait):
			return
		case <-k.stop.Done():
			return
		}
	}
	if !retry.Sleep(k.stop, time.Until(l.began.Add(cursorAfter))) {
		return
	}
	if c.Ack(m) == nil {
		ctx, cancel := context.WithTimeout(k.stop, markerWait)
		defer cancel()
		_ = c.Flush(ctx) // the next start tries again
	}
}

// first waits for what the subscription has: a marker from an earlier run, nothing, or
// dead letters, and then there is nothing to do.
func (l *letterCursor) first(ctx context.Context) (marker *danube.Message, goOn bool) {
	select {
	case m := <-l.markers:
		return m, true
	case <-l.letters:
	case <-time.After(letterWait):
		return nil, true
	case <-ctx.Done():
	}
	return nil, false
}
