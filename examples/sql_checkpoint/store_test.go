package sqlcheckpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func open(t *testing.T, f *fakeDB, connector string) *Store {
	t.Helper()
	s, err := Open(t.Context(), f.open(t), Config{Connector: connector, Placeholder: Dollar})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check compares what is saved.
func check(t *testing.T, s *Store, want ...connect.Offset) {
	t.Helper()
	got, err := s.Load(t.Context())
	slices.SortFunc(got, func(a, b connect.Offset) int { return strings.Compare(a.Partition, b.Partition) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
}

func TestEachConnectorHasItsOwn(t *testing.T) {
	f := &fakeDB{}
	a, b, upper := open(t, f, "a"), open(t, f, "b"), open(t, f, "A")
	check(t, a)
	for i, s := range []*Store{a, b, upper} {
		for n := range 3 {
			if err := s.Save(t.Context(), []connect.Offset{connect.OffsetInt("p", int64(10*i+n)), connect.OffsetInt("P", 7)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Save(t.Context(), []connect.Offset{connect.OffsetInt("", int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range []*Store{a, b, upper} {
		check(t, s, connect.OffsetInt("", int64(i)), connect.OffsetInt("P", 7), connect.OffsetInt("p", int64(10*i+2)))
	}
	check(t, open(t, f, "a"), connect.OffsetInt("", 0), connect.OffsetInt("P", 7), connect.OffsetInt("p", 2))
}

func TestASaveIsOneTransaction(t *testing.T) {
	for _, at := range []string{"BEGIN", "DELETE", "INSERT", "COMMIT"} {
		t.Run(at, func(t *testing.T) {
			f := &fakeDB{}
			s := open(t, f, "c")
			before := []connect.Offset{connect.OffsetInt("p", 1), connect.OffsetInt("q", 1)}
			after := []connect.Offset{connect.OffsetInt("p", 2), connect.OffsetInt("q", 2)}
			if err := s.Save(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			n := 0
			f.fail = func(statement string) error {
				if statement == at {
					if n++; n == 2 || at == "BEGIN" || at == "COMMIT" { // in the middle
						return errors.New("deadlock")
					}
				}
				return nil
			}
			if err := s.Save(t.Context(), after); err == nil || !strings.Contains(err.Error(), "deadlock") {
				t.Errorf("got %v", err)
			}
			f.fail = nil
			check(t, s, before...)
			if err := s.Save(t.Context(), after); err != nil {
				t.Error(err)
			}
			check(t, s, after...)
		})
	}
}

// The answer to a commit can be lost: then the same is saved once more.
func TestASaveThatWasDoneIsDoneAgain(t *testing.T) {
	f := &fakeDB{}
	s := open(t, f, "c")
	offsets := []connect.Offset{connect.OffsetInt("p", 1)}
	f.fail = func(statement string) error {
		if statement == "COMMIT" {
			return errLost
		}
		return nil
	}
	if err := s.Save(t.Context(), offsets); !connect.IsRetryable(err) {
		t.Errorf("got %v, want an error that is tried again", err)
	}
	f.fail = nil
	if err := s.Save(t.Context(), offsets); err != nil {
		t.Error(err)
	}
	check(t, s, offsets...)
}

func TestWhatCannotBe(t *testing.T) {
	f := &fakeDB{}
	for _, c := range []Config{{}, {Connector: "c", Table: "x; DROP TABLE y"}, {Connector: "c", Table: `"x"`}, {Connector: "c", Table: "a.b.c"}} {
		if _, err := Open(t.Context(), f.open(t), c); connect.KindOf(err) != connect.KindConfig {
			t.Errorf("%+v: %v, want a configuration error", c, err)
		}
	}
	if len(f.log) > 0 {
		t.Errorf("the database was asked: %v", f.log)
	}
	if _, err := Open(t.Context(), f.open(t), Config{Connector: "c", Table: "app.checkpoints"}); err != nil {
		t.Error(err)
	}
	f.fail = func(string) error { return errors.New("no such user") }
	if _, err := Open(t.Context(), f.open(t), Config{Connector: "c"}); err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("a database that refuses: %v", err)
	}
	f.fail = nil
	s := open(t, f, "c")
	for _, o := range []connect.Offset{{Partition: "\xff"}, {Partition: "p", Value: "a\x00"}} {
		if err := s.Save(t.Context(), []connect.Offset{o}); !connect.IsFatal(err) {
			t.Errorf("%q: %v, want a fatal error", o, err)
		}
	}
	check(t, s)
}

// counter publishes five numbers from where it was.
type counter struct{ next int64 }

func (*counter) Initialize(context.Context, *connect.Setup) error { return nil }
func (*counter) Shutdown(context.Context) error                   { return nil }
func (c *counter) Resume(_ context.Context, offsets []connect.Offset) (err error) {
	for _, o := range offsets {
		c.next, err = o.Int()
	}
	return err
}
func (c *counter) Poll(context.Context) (list []*connect.SourceRecord, err error) {
	for range 5 {
		c.next++
		list = append(list, connect.FromString("", fmt.Sprint(c.next)).WithOffset(connect.OffsetInt("n", c.next)))
	}
	return list, io.EOF
}

func TestWithARuntime(t *testing.T) {
	broker := danubetest.Run(t)
	f := &fakeDB{}
	for range 3 {
		cfg := connect.DefaultConfig()
		cfg.ServiceURL, cfg.ConnectorName, cfg.DestinationTopic, cfg.MetricsPort = broker.URL(), "c", "/default/t", 0
		cfg.LogLevel = 12
		rt, err := connect.NewSourceRuntime(&counter{}, connect.WithConfig(cfg), connect.WithoutSignals(), connect.WithCheckpoints(open(t, f, "c")))
		if err != nil {
			t.Fatal(err)
		}
		if err := rt.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	broker.CheckPayloads(t, "/default/t", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15")
}
