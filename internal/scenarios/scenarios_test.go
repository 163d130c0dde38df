package scenarios_test

import (
	"context"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"

	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
	"github.com/danube-messaging/danube-connect-go/internal/scenarios"
)

var golden = filepath.Join("testdata", "real.txt")

// embedded plays a scenario in a bubble.
func embedded(t *testing.T, s scenarios.Scenario) (lines []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		on, err := scenarios.Embedded(s.Needs)
		if err != nil {
			t.Fatal(err)
		}
		defer on.Close()
		lines, err = scenarios.Play(context.Background(), s, on, scenarios.Options{Settle: synctest.Wait})
		if err != nil {
			t.Error(err)
		}
	})
	return lines
}

// report fails a test at what is not explained.
func report(t *testing.T, name string, embedded, real []string) {
	t.Helper()
	d := scenarios.Judge(name, embedded, real, scenarios.Explained)
	if len(d.Unexplained) > 0 {
		t.Errorf("danubetest differs from the real broker:\n%s", scenarios.Table(d.Rows, true))
	}
	for _, e := range d.Stale {
		t.Errorf("explained and not there any more: %s: %s", e.Line, e.Reason)
	}
}

// Danubetest does what the real broker did when its transcripts were recorded.
func TestRecorded(t *testing.T) {
	recorded, err := scenarios.ReadGolden(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			want, ok := recorded[s.Name]
			if !ok {
				t.Fatalf("not recorded: run danube-connect compare -run '^%s$' -record %s", s.Name, golden)
			}
			report(t, s.Name, embedded(t, s), want)
		})
	}
}

// What was recorded is there, and what is explained.
func TestNames(t *testing.T) {
	names := map[string]bool{}
	word := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, s := range scenarios.All() {
		if names[s.Name] || !word.MatchString(s.Name) {
			t.Errorf("%q: there twice, or not words with hyphens", s.Name)
		}
		names[s.Name] = true
	}
	recorded, err := scenarios.ReadGolden(golden)
	if err != nil {
		t.Fatal(err)
	}
	for name := range recorded {
		if !names[name] {
			t.Errorf("%s is recorded, and no scenario", name)
		}
	}
	for _, e := range scenarios.Explained {
		if !names[e.Scenario] || e.Reason == "" {
			t.Errorf("%+v: no such scenario, or no reason", e)
		}
		if _, err := regexp.Compile(e.Line); err != nil {
			t.Error(err)
		}
	}
}

// The real broker does what it did when it was recorded. Nearly all of the time is
// waiting, which goes side by side only as far as -parallel says: with the 2 of two cores
// it is more than the ten minutes of a test, with 8 it is six.
func TestReal(t *testing.T) {
	if _, ok := realbroker.Binary(); !ok {
		t.Skipf("%s is not set: not compared with a real broker", realbroker.Env)
	}
	recorded, err := scenarios.ReadGolden(golden)
	if err != nil {
		t.Fatal(err)
	}
	pool := &scenarios.Pool{Dir: t.TempDir()}
	t.Cleanup(pool.Close)
	room := make(chan struct{}, 8)
	for _, s := range scenarios.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			room <- struct{}{}
			defer func() { <-room }()
			on, done, err := pool.Get(context.Background(), s.Needs)
			if err != nil {
				t.Fatal(err)
			}
			defer done()
			lines, err := scenarios.Play(context.Background(), s, on, scenarios.Options{})
			if err != nil {
				t.Fatal(err)
			}
			d := scenarios.Judge(s.Name, recorded[s.Name], lines, nil)
			if !d.Same() {
				t.Errorf("recorded on the left:\n%s", scenarios.Table(d.Rows, true))
			}
		})
	}
}
