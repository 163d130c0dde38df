package scenarios

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Lab is what a scenario works with. It belongs to the scenario's goroutine, and hides
// which broker it runs on.
type Lab struct {
	ctx   context.Context
	on    Brokers
	opts  Options
	run   string // no other scenario's names have it
	lines []string

	change []func(*danube.Config) // of all clients

	client *danube.Client
	admin  *danube.Admin
	conns  map[string]*grpc.ClientConn // by address and authorization
	closes []func()
}

var runs atomic.Int64

// runName tells the names of one run from those of all others, also of those that had
// the same broker before.
func runName() string {
	return fmt.Sprintf("r%xn%d", time.Now().UnixMicro(), runs.Add(1))
}

// later keeps something to be closed at the end, the last first.
func (l *Lab) later(f func()) { l.closes = append(l.closes, f) }

func (l *Lab) close() {
	for i := len(l.closes) - 1; i >= 0; i-- {
		l.closes[i]()
	}
}

// Name makes a name that only this run has. In the transcript it is as given. No such
// name begins another one: a real broker mixes up topics of such names.
func (l *Lab) Name(name string) string { return name + "_" + l.run + "_z" }

// Topic is the name of a topic. It does not create it.
func (l *Lab) Topic(name string) string { return "/default/" + l.Name(name) }

// Soon bounds a step that takes no time on a machine that has time.
func (l *Lab) Soon() context.Context { return l.Within(time.Minute) }

// Within bounds a step. The context lives until the end of the scenario.
func (l *Lab) Within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(l.ctx, d)
	l.later(cancel)
	return ctx
}

// Pass lets time pass.
func (l *Lab) Pass(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ctx.Done():
		l.Stop("%v", context.Cause(l.ctx))
	}
	if l.opts.Settle != nil {
		l.opts.Settle()
	}
}

// virtual reports that time costs nothing here.
func (l *Lab) virtual() bool { return l.opts.Settle != nil }

// Until waits for something that the broker gets to a little later.
func (l *Lab) Until(what string, done func() bool) {
	for end := time.Now().Add(time.Minute); !done(); l.Pass(50 * time.Millisecond) {
		if time.Now().After(end) {
			l.Stop("%s: not within a minute", what)
		}
	}
}

// Took says how long something took as far as it can be told on a slow machine: that it
// was not less than at least, and less than before.
func (l *Lab) Took(since time.Time, least, most time.Duration) string {
	switch d := time.Since(since); {
	case d < least:
		return fmt.Sprintf("after %v, which is less than %v", d.Round(100*time.Millisecond), least)
	case d > most:
		return fmt.Sprintf("after %v, which is more than %v", d.Round(100*time.Millisecond), most)
	}
	return fmt.Sprintf("between %v and %v later", least, most)
}

// Must ends the scenario at an error.
func (l *Lab) Must(what string, err error) {
	if err != nil {
		l.Stop("%s: %v", what, err)
	}
}

// Err writes how a step ended: what the client calls it, the status behind it, and
// which known texts are in it.
func (l *Lab) Err(what string, err error) { l.Log("%s: %s", what, describe(err)) }

func (l *Lab) config() danube.Config {
	security, token := l.own()
	return danube.Config{
		TLS:         security,
		Token:       token,
		Seeds:       l.on.Seeds(),
		DialOptions: []grpc.DialOption{l.on.DialOption()},
		Logger:      slog.New(slog.DiscardHandler),
		BackoffMax:  time.Second, // so that outages end soon after they end
	}
}

// NewClient opens a client of its own; most scenarios need only Client.
func (l *Lab) NewClient(change ...func(*danube.Config)) *danube.Client {
	cfg := l.config()
	for _, f := range slices.Concat(l.change, change) {
		f(&cfg)
	}
	c, err := danube.Open(cfg)
	l.Must("open a client", err)
	l.later(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Close(ctx) // acks that cannot go out any more are nobody's concern
	})
	return c
}

// Client is the scenario's client.
func (l *Lab) Client() *danube.Client {
	if l.client == nil {
		l.client = l.NewClient()
	}
	return l.client
}

// Admin is the scenario's admin client.
func (l *Lab) Admin() *danube.Admin {
	if l.admin == nil {
		if len(l.on.Admins()) == 0 {
			panic(ErrNoAdmin)
		}
		security, token := l.own()
		a, err := danube.OpenAdmin(danube.AdminConfig{
			Addresses: l.on.Admins(), TLS: security, Token: token, DialOptions: []grpc.DialOption{l.on.DialOption()}, Logger: slog.New(slog.DiscardHandler),
		})
		l.Must("open an admin client", err)
		l.later(func() { _ = a.Close(context.Background()) })
		l.admin = a
	}
	return l.admin
}
