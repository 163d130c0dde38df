package danube

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// SessionState is where a producer or a consumer stands with one topic on the wire.
type SessionState int

const (
	// Connecting: there is no session, and attempts to get one go on.
	Connecting SessionState = iota
	// Ready: messages can be sent or received.
	Ready
	// Failed: there is no session and no attempt to get one; the error says why.
	Failed
)

func (s SessionState) String() string {
	names := [...]string{"connecting", "ready", "failed"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("state %d", int(s))
	}
	return names[s]
}

// SessionEvent is a change of a session's state. Of one topic on the wire they come one
// at a time and in order: Connecting may repeat, each time with the newest error,
// nothing follows Failed, and nothing comes once Close has returned.
type SessionEvent struct {
	Topic     string // on the wire
	Partition int32
	State     SessionState
	Err       error // why it is not Ready; nil when it is
}

// healthChecks is how many health checks a client makes in a second at most, on average.
const healthChecks = 50

// session is one registration at one broker. It is replaced as a whole, never
// changed, so whoever holds one sees values that belong together.
type session struct {
	client *Client
	kind   danubepb.HealthCheckRequest_ClientType
	topic  string
	at     target
	conn   *grpc.ClientConn
	id     uint64 // the broker's, random over all of uint64

	ctx    context.Context // ends with the session
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	ended   bool
	running sync.WaitGroup // a health check that is under way
	checked bool           // its first health check has its time
	dealt   bool           // and the second
}

// newSession starts the health checks of a registration that was just made. They
// are no lease: the broker forgets nothing without them. But it says CLOSE where
// it ends no stream, such as after a move.
func (c *Client) newSession(ctx context.Context, kind danubepb.HealthCheckRequest_ClientType, topic string, at target, conn *grpc.ClientConn, id uint64) *session {
	s := &session{client: c, kind: kind, topic: topic, at: at, conn: conn, id: id}
	s.ctx, s.cancel = context.WithCancelCause(at.context(ctx))
	c.sessions.Add(1)
	s.mu.Lock()
	s.timer = time.AfterFunc(s.healthPause(), s.check)
	s.mu.Unlock()
	return s
}

// healthPause is the time to the session's next health check. Whatever is due in one beat of
// the client's is done at once, for what an idle process costs is how often it wakes up:
// fifty checks at once take an eighth of what they take one by one. The second checks of many
// sessions are dealt out by lot, when it is known how many there are. With s.mu held.
func (s *session) healthPause() time.Duration {
	c := s.client
	every := c.cfg.HealthInterval
	beat := max(every/5, 1)
	if more := time.Duration(c.sessions.Load())*time.Second/healthChecks - every; more > 0 && s.checked {
		beats := (more + beat - 1) / beat
		if !s.dealt {
			s.dealt = true
			beats = rand.N(beats + 1)
		}
		every += beats * beat
	}
	s.checked = true
	return every - time.Since(c.opened)%beat
}

// end ends the session for a reason, which its context gives as cause, and waits for a
// health check under way. It must be called exactly once.
func (s *session) end(cause error) {
	s.client.sessions.Add(-1)
	s.mu.Lock()
	s.ended = true
	s.timer.Stop()
	s.mu.Unlock()
	s.cancel(cause)
	s.running.Wait()
}

// check is one health check, on a goroutine of the timer: an idle session has none
// of its own. A check that takes too long ends nothing: on a healthy broker it may
// wait for a topic's lock. A broken connection ends a producer's session, which has
// nothing else to show it; a consumer's stream shows it by itself.
func (s *session) check() {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()

	open, err := s.alive(s.ctx)
	switch {
	case s.ctx.Err() != nil:
		return
	case status.Code(err) == codes.Unavailable && s.kind == danubepb.HealthCheckRequest_Producer:
		s.cancel(&Error{Op: "health check", Topic: s.topic, Broker: string(s.at.dial), Err: err})
		return
	case err != nil:
		s.client.log.Debug("danube: health check without an answer", "topic", s.topic, "broker", string(s.at.dial), "error", err)
	case !open:
		s.cancel(errClosedByBroker)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.timer.Reset(s.healthPause())
	}
}

// alive asks the broker whether it still knows the registration. ctx is the session's, or
// another one with what target.context adds: a proxy would ask any broker.
func (s *session) alive(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.cfg.Timeouts.Health)
	defer cancel()
	resp, err := danubepb.NewHealthCheckClient(s.conn).HealthCheck(ctx, &danubepb.HealthCheckRequest{Client: s.kind, Id: s.id})
	if err != nil {
		return false, err
	}
	return resp.GetStatus() == danubepb.HealthCheckResponse_OK, nil
}

// errClosedByBroker is the cause of a session that the broker no longer knows.
var errClosedByBroker = &Error{Op: "health check", Err: errCloseStatus{}}

type errCloseStatus struct{}

func (errCloseStatus) Error() string { return "the broker answered CLOSE" }
