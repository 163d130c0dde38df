package danube_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
)

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
