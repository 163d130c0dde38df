package danube_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// jwt is a token that looks like one, good for a while from now on.
func jwt(name string, lasts time.Duration) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"HS256"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"exp":%d}`, name, time.Now().Add(lasts).Unix())) + ".c2ln"
}

// The token goes with every call, streams too, over TLS.
func TestTokenGoesWithEveryCall(t *testing.T) {
	overTCP(t, func(l *lab) {
		logs := &syncBuffer{}
		c := l.open(func(cfg *danube.Config) {
			cfg.TLS.CAFile = tempFile(t, "ca.pem", l.broker.CertificatePEM())
			cfg.Token = danube.TokenValue("topsecret")
			cfg.HealthInterval = time.Millisecond
			cfg.Logger = slog.New(slog.NewTextHandler(logs, nil))
		})
		topic := l.topic()
		p, con := l.producer(c, topic), l.consumer(c, topic)
		l.send(p, "m")
		l.ack(con, l.receive(con, "m")...)
		l.must(l.broker.WaitCalls(l.soon(), danubetest.MethodHealthCheck, 1))
		calls := l.broker.Stats().Calls
		for m, byCode := range calls {
			if byCode[codes.Unauthenticated] > 0 {
				l.Errorf("%s went without", m)
			}
		}
		for m := danubetest.MethodCreateProducer; m <= danubetest.MethodHealthCheck; m++ {
			if calls[m] == nil && m != danubetest.MethodNack {
				l.Errorf("%s was not called: the test shows less than it should", m)
			}
		}
		if logs.count("topsecret") != 0 {
			l.Error("the log shows the token")
		}
	}, danubetest.WithTLS(nil), danubetest.WithTokens(danubetest.Token{Value: "topsecret"}))
}

// withToken opens a client of a broker without TLS.
func (l *lab) withToken(t danube.Token, change ...func(*danube.Config)) *danube.Client {
	return l.open(append(change, func(cfg *danube.Config) { cfg.Token, cfg.AllowInsecureToken = t, true })...)
}

// takes makes the broker take one token and not the other.
func (l *lab) takes(token, not string) {
	l.broker.RevokeTokens(not)
	l.must(l.broker.AddTokens(danubetest.Token{Value: token}))
}

// A fixed token that is refused is for good.
func TestTokenValueRefused(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, c := l.topic(), l.withToken(danube.TokenValue("mine"))
		_, err := c.NewProducer(l.Context(), danube.ProducerConfig{Topic: topic, Name: "p"})
		l.want(err, danube.ErrAuth, "Invalid token")
		_, err = c.NewConsumer(l.Context(), danube.ConsumerConfig{Topic: topic, Name: "c", Subscription: "s"})
		l.want(err, danube.ErrAuth)

		l.takes("mine", "another")
		p := l.producer(c, topic)
		l.takes("another", "mine")
		_, err = p.Send(l.Context(), &danube.Outgoing{})
		l.want(err, danube.ErrAuth)
		if n := l.broker.Stats().Calls[danubetest.MethodSendMessage][codes.Unauthenticated]; n != 1 {
			l.Errorf("sent %d times", n)
		}
	}, danubetest.WithTokens())
}

// A broker that is not set up for tokens at all will not take another one either.
func TestTokenNotEnabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		b.accept = func(string) error { return status.Error(codes.FailedPrecondition, "JWT support is not enabled") }
		c, _ := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(context.Context) (string, error) { return "x", nil })
		})
		(&lab{T: t}).want(ping(t, c), danube.ErrAuth, "not enabled")
	})
}

func TestTokenFile(t *testing.T) {
	path := tempFile(t, "token", []byte("  one\n"))
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		b.only("one")
		c, logs := b.client(t, func(cfg *danube.Config) { cfg.Token = danube.TokenFile(path) })
		l := &lab{T: t}
		l.must(ping(t, c))

		// It is looked at once a second.
		writeFile(t, path, []byte("two"))
		l.must(ping(t, c))
		time.Sleep(1100 * time.Millisecond)
		b.only("two")
		l.must(ping(t, c))
		if n := b.calls("TopicLookup"); n != 3 {
			t.Errorf("%d lookups for 3 pings: a good token was refused", n)
		}

		// And at once when the broker refuses what was read last.
		writeFile(t, path, []byte("three"))
		b.only("three")
		l.must(ping(t, c))
		if n := b.calls("TopicLookup"); n != 5 {
			t.Errorf("%d lookups, want the 4th refused and repeated", n)
		}

		// A file that says nothing leaves the last one.
		for _, broken := range []string{"", "Bearer three", "not a token"} {
			writeFile(t, path, []byte(broken))
			for range 3 {
				time.Sleep(1100 * time.Millisecond)
				l.must(ping(t, c))
			}
		}
		if n := logs.count("no new token"); n != 1 {
			t.Errorf("a broken file was logged %d times in a row", n)
		}
		if logs.count("three") != 0 {
			t.Error("the log shows the token")
		}
	})
}

// Sessions outlive a token that is not accepted, since another may come. A stream that
// is open goes on.
func TestTokenFileSessionsSurvive(t *testing.T) {
	path := tempFile(t, "token", []byte("one"))
	embedded(t, func(l *lab) {
		c := l.withToken(danube.TokenFile(path), func(cfg *danube.Config) { cfg.BackoffMax = time.Second })
		var sending, receiving sessions
		topic := l.topic()
		p := l.producer(c, topic, func(cfg *danube.ProducerConfig) { cfg.OnSession = sending.add })
		con := l.consumer(c, topic, func(cfg *danube.ConsumerConfig) { cfg.OnSession = receiving.add })
		l.send(p, "1")
		l.ack(con, l.receive(con, "1")...)

		l.takes("two", "one")
		_, err := l.broker.Publish(topic, []byte("2"))
		l.must(err)
		second := l.receive(con, "2")
		l.broker.DropStreams(danubetest.StreamEOF)
		before := l.broker.Stats().Calls[danubetest.MethodSendMessage][codes.Unauthenticated]
		done := make(chan error, 1)
		l.must(p.SendAsync(l.Context(), &danube.Outgoing{Payload: []byte("3")}, func(_ danube.Receipt, err error) { done <- err }))
		l.pass(10 * time.Minute)
		select {
		case err := <-done:
			l.Fatalf("sent with a token that is refused: %v", err)
		default:
		}
		_, err = c.NewProducer(l.within(time.Second), danube.ProducerConfig{Topic: l.topic(), Name: "p"})
		l.want(err, danube.ErrAuth)
		l.want(err, context.DeadlineExceeded)
		if n := l.broker.Stats().Calls[danubetest.MethodSendMessage][codes.Unauthenticated] - before; n < 300 || n > 1300 {
			l.Errorf("%d attempts in ten minutes, with a second between two", n)
		}

		writeFile(t, path, []byte("two"))
		l.must(<-done)
		l.ack(con, append(second, l.receive(con, "3")...)...)
		l.send(p, "4")
		l.ack(con, l.receive(con, "4")...)
		for _, states := range []*sessions{&sending, &receiving} {
			states.check(l)
			if slices.Contains(states.of(topic), danube.Failed) {
				l.Errorf("sessions: %v", states.of(topic))
			}
		}
		l.must(p.Close(l.Context()))
		l.must(con.Close(l.Context()))
	}, danubetest.WithTokens(danubetest.Token{Value: "one"}))
}

// A stream whose token is refused has the next one read at once as well.
func TestTokenRefusedForStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		opened := make(chan struct{})
		var once sync.Once
		var text atomic.Value
		text.Store("one")
		b.receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			b.lock.Lock()
			now := b.tokens["Bearer two"]
			b.lock.Unlock()
			if !now {
				return status.Error(codes.Unauthenticated, "Invalid token")
			}
			once.Do(func() { close(opened) })
			<-s.Context().Done()
			return nil
		}
		c, _ := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(context.Context) (string, error) { return text.Load().(string), nil })
		})
		l := &lab{T: t}
		l.must(ping(t, c)) // has "one" for the next minute
		text.Store("two")
		start := time.Now()
		con := l.consumer(c, "/default/t")
		<-opened
		// Subscriptions are at least a second apart: the second one is to go well.
		if d := time.Since(start); d > 1900*time.Millisecond || b.calls("ReceiveMessages") != 2 {
			t.Errorf("after %v and %d streams", d, b.calls("ReceiveMessages"))
		}
		l.must(con.Close(t.Context()))
	})
}
