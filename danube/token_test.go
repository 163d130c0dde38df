package danube_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
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

func TestTokenFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		var mu sync.Mutex
		calls, fail, lasts := 0, error(nil), time.Hour
		set := func(err error, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			fail, lasts = err, d
		}
		wantCalls := func(what string, n int) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if calls != n {
				t.Errorf("%s: asked %d times, want %d", what, calls, n)
			}
		}
		b.accept = func(got string) error {
			if !strings.HasPrefix(got, "Bearer ey") {
				return status.Error(codes.Unauthenticated, "Invalid token")
			}
			return nil
		}
		c, logs := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(context.Context) (string, error) {
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				calls++
				return jwt(fmt.Sprint(calls), lasts) + "\n", fail
			})
		})
		l := &lab{T: t}
		wantCalls("opening", 0)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { l.must(ping(t, c)) })
		}
		all.Wait()
		wantCalls("50 calls at once", 1)

		time.Sleep(58 * time.Minute)
		l.must(ping(t, c))
		wantCalls("two minutes before it expires", 1)
		time.Sleep(time.Minute + time.Second)
		set(nil, 30*time.Second)
		l.must(ping(t, c))
		wantCalls("a minute before it expires", 2)

		// A source that fails is covered by the token that is there.
		set(errors.New("out of order"), time.Hour)
		time.Sleep(28 * time.Second)
		start := time.Now()
		for time.Since(start) < 1500*time.Millisecond {
			l.must(ping(t, c))
			time.Sleep(50 * time.Millisecond)
		}
		wantCalls("failing", 4)
		if logs.count("out of order") != 1 {
			t.Errorf("logged %d times", logs.count("out of order"))
		}
		time.Sleep(time.Second)
		before := b.calls("TopicLookup")
		l.want(ping(t, c), danube.ErrAuth, "out of order")
		l.want(ping(t, c), danube.ErrAuth, "out of order")
		if n := b.calls("TopicLookup"); n != before {
			t.Error("a call went out without a token")
		}
		wantCalls("failing, and none left", 5)
		set(nil, time.Hour)
		time.Sleep(time.Second)
		l.must(ping(t, c))
		wantCalls("mended", 6)
	})
}

// While one call waits for the next token, others go on with the one that is there.
func TestTokenFuncThatTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		var calls atomic.Int32
		c, _ := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(ctx context.Context) (string, error) {
				if calls.Add(1) == 2 {
					<-ctx.Done()
					return "", ctx.Err()
				}
				return jwt("x", time.Hour), nil
			})
		})
		l := &lab{T: t}
		l.must(ping(t, c))
		time.Sleep(59*time.Minute + time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		slow := make(chan error, 1)
		go func() { slow <- c.Ping(ctx) }()
		synctest.Wait()
		start := time.Now()
		for range 10 {
			l.must(ping(t, c))
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("they waited %v", d)
		}
		cancel()
		<-slow
		// That the caller left says nothing of the source.
		l.must(ping(t, c))
		if n := calls.Load(); n != 3 {
			t.Errorf("asked %d times, want 3", n)
		}
	})
}

// One caller that leaves does not leave the others without a token.
func TestTokenFuncFirstCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		var calls atomic.Int32
		c, _ := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(ctx context.Context) (string, error) {
				if calls.Add(1) == 1 {
					<-ctx.Done()
					return "", ctx.Err()
				}
				return "x", nil
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- c.Ping(ctx) }()
		synctest.Wait()
		go func() { second <- c.Ping(t.Context()) }()
		synctest.Wait()
		cancel()
		if err := <-first; err == nil {
			t.Error("the first has an answer")
		}
		if err := <-second; err != nil {
			t.Errorf("the second: %v", err)
		}
		if n := calls.Load(); n != 2 {
			t.Errorf("asked %d times, want 2", n)
		}
	})
}

// A function whose token is refused is asked once more at once, and then not for
// every call.
func TestTokenFuncRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		b.only("good")
		var calls atomic.Int32
		var text atomic.Value
		text.Store("bad")
		c, _ := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(context.Context) (string, error) {
				calls.Add(1)
				return text.Load().(string), nil
			})
		})
		l := &lab{T: t}
		for range 10 {
			l.want(ping(t, c), danube.ErrAuth)
		}
		if n, looked := calls.Load(), b.calls("TopicLookup"); n != 2 || looked != 10 {
			t.Errorf("10 refused calls: asked %d times, want 2; %d lookups, want 10", n, looked)
		}
		text.Store("good")
		time.Sleep(time.Second)
		l.must(ping(t, c))
		if n := calls.Load(); n != 3 {
			t.Errorf("asked %d times, want 3", n)
		}
	})
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

// Options of the caller's that take TLS away do not get the token sent.
func TestTokenNeedsTLSToTheLast(t *testing.T) {
	b := newSecureBroker(t, nil, nil)
	c, _ := b.client(t, func(cfg *danube.Config) {
		cfg.Seeds = []string{"https://" + b.addr}
		cfg.Token = danube.TokenValue("s3cret")
		cfg.DialOptions = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	})
	if err := ping(t, c); err == nil {
		t.Error("there is an answer")
	}
	if n := b.calls("TopicLookup"); n != 0 || b.tokens["Bearer s3cret"] {
		t.Errorf("%d calls, with %v", n, b.tokens)
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, tt := range []struct {
		name  string
		token danube.Token
		say   string
	}{
		{"empty", danube.TokenValue(""), "empty"},
		{"with its prefix", danube.TokenValue("Bearer s3cret"), "without"},
		{"two lines", danube.TokenValue("s3cret\nx-admin: yes"), "header"},
		{"no ASCII", danube.TokenValue("s3cretß"), "header"},
		{"no function", danube.TokenFunc(nil), "TokenFunc"},
		{"no file", danube.TokenFile(missing), missing},
		{"empty file", danube.TokenFile(tempFile(t, "token", []byte("\n"))), "is empty"},
		{"file with more", danube.TokenFile(tempFile(t, "token", []byte("s3cret and more"))), "header"},
		{"huge file", danube.TokenFile(tempFile(t, "token", make([]byte, 1<<20))), "65536"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := danube.Open(danube.Config{Seeds: []string{"https://a:1"}, Token: tt.token})
			if !errors.Is(err, danube.ErrInvalid) || !says("Token: ")(err) || !says(tt.say)(err) {
				t.Errorf("got %v, want %q in it", err, tt.say)
			}
			if says("s3cret")(err) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
	// The function is asked later, and its token is looked at then.
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		c, _ := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(context.Context) (string, error) { return "s3cret\r\nx", nil })
		})
		if err := ping(t, c); !errors.Is(err, danube.ErrAuth) || says("s3cret")(err) {
			t.Errorf("got %v", err)
		}
	})
}

// No way of printing shows a token.
func TestTokenIsNeverPrinted(t *testing.T) {
	path := tempFile(t, "token", []byte("s3cret"))
	for _, token := range []danube.Token{
		danube.TokenValue("s3cret"), danube.TokenFile(path),
		danube.TokenFunc(func(context.Context) (string, error) { return "s3cret", nil }),
	} {
		cfg := danube.Config{Seeds: []string{"https://a:1"}, Token: token, TLS: danube.TLSConfig{Config: &tls.Config{}}}
		client, err := danube.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		admin, err := danube.OpenAdmin(danube.AdminConfig{Addresses: cfg.Seeds, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		hidden := struct{ cfg danube.Config }{cfg}
		for _, v := range []any{token, &token, cfg, &cfg, hidden, &hidden, client, *client.Schemas(), admin, danube.AdminConfig{Token: token}, []danube.Token{token}, map[string]danube.Token{"k": token}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%t", "%o", "%10s", "%.1f", "%U", "%c", "%w"} {
				if s := fmt.Sprintf(verb, v); leaks(s) {
					t.Errorf("%s of a %T shows it: %s", verb, v, s)
				}
			}
			var logs bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&logs, nil), slog.NewJSONHandler(&logs, nil)} {
				slog.New(h).Info("x", "v", v)
			}
			if s := logs.String(); leaks(s) {
				t.Errorf("logging a %T shows it: %s", v, s)
			}
			if b, _ := json.Marshal(v); leaks(string(b)) {
				t.Errorf("a %T as JSON shows it: %s", v, b)
			}
		}
		if token.String() != "***" || token.GoString() != `"***"` || fmt.Sprintf("%+v", token) != "***" || fmt.Sprintf("%#v", token) != `"***"` {
			t.Errorf("prints as %s, %#v", token, token)
		}
		for _, c := range []interface{ Close(context.Context) error }{client, admin} {
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if (danube.Token{}).String() != "" {
		t.Error("no token prints as one")
	}
}

func leaks(s string) bool {
	for _, form := range []string{"s3cret", fmt.Sprintf("%x", "s3cret"), fmt.Sprintf("%X", "s3cret"), base64.StdEncoding.EncodeToString([]byte("s3cret")), "115 51 99"} {
		if strings.Contains(s, form) {
			return true
		}
	}
	return false
}
