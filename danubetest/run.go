package danubetest

import "google.golang.org/grpc"

// TB is the part of testing.TB that this package needs: Helper, Cleanup, Fatalf,
// Errorf, Logf and Failed, with their usual meaning.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
	Failed() bool
}

// Run starts a broker for a test and closes it when the test ends. Then it fails the
// test when a fault was set and never fired, and logs the broker's state when the test
// has failed.
func Run(t TB, opts ...Option) *Broker {
	t.Helper()
	b, err := New(opts...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	b.fatal = func(err error) {
		t.Helper()
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		var unfired []string
		b.do(func(c *core) { unfired = c.faults.unfired() })
		for _, u := range unfired {
			t.Errorf("danubetest: %s", u)
		}
		if t.Failed() {
			t.Logf("danubetest: state of the broker, made with seed %d:\n%s", b.cfg.seed, b.Dump())
		}
		b.Close()
	})
	return b
}

// Conn is [Broker.Dial] for a test: it closes the connection when the test ends.
func (b *Broker) Conn(t TB, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := b.Dial(opts...)
	if err != nil {
		t.Fatalf("danubetest: connect: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
