package connect

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stop ends polling and settles what was accepted; what the drain deadline cuts off is
// named and not committed; Shutdown is called in any case.
func TestSourceStopSettlesWhatItAccepted(t *testing.T) {
	for name, tc := range map[string]struct {
		lets bool // the broker answers before the deadline
		code int
		end  string
	}{
		"in time": {true, 0, "p@20"}, "too late": {false, 4, "p@3"},
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(t *testing.T, l *lab, w *wire) {
				w.hold(payload("p4"))
				path := filepath.Join(t.TempDir(), "checkpoint")
				source := &committing{testSource: once(offsets("p", 1, 20)...)}
				r := l.source(source, quick, func(c *Config) { c.DrainTimeout, c.CheckpointFile = 2*time.Second, path })
				l.until("committed", func() bool { return source.last("p") == "p@3" })
				if tc.lets {
					time.AfterFunc(500*time.Millisecond, w.let)
				}
				err, took := r.stop()
				same(t, "exit code", ExitCode(err), tc.code)
				if took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if !tc.lets && !strings.Contains(fmt.Sprint(err), "17 records were not published, and not committed") {
					t.Errorf("%v does not say what is left", err)
				}
				same(t, "committed", source.last("p"), tc.end)
				store, err := FileCheckpoints(path, "c")
				l.must(err)
				saved, err := store.Load(t.Context())
				l.must(errors.Join(err, store.Close()))
				same(t, "saved", saved, "["+tc.end+"]")
				same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
			})
		})
	}
}

// A second signal ends a source at once, and the error says what was not settled.
func TestSourceSecondSignalNamesWhatIsLeft(t *testing.T) {
	onWire(t, func(t *testing.T, l *lab, w *wire) {
		w.hold(payload("p4"))
		source := &committing{testSource: once(offsets("p", 1, 20)...)}
		r := l.source(source, quick)
		l.until("committed", func() bool { return source.last("p") == "p@3" })
		r.signal(syscall.SIGTERM, false)
		l.pause(100 * time.Millisecond)
		start := time.Now()
		r.signal(syscall.SIGTERM, true)
		err := r.wait()
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		var forced *ForcedError
		if !errors.As(err, &forced) || !strings.Contains(forced.Unsettled, "17 records were not published") {
			t.Errorf("got %v", err)
		}
		same(t, "exit code", ExitCode(err), 143)
		same(t, "committed", source.last("p"), "p@3")
		same(t, "the connector's life", source.lifetime(), "initialize poll shutdown")
	})
}
