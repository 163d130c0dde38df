package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

const (
	killTopic  = "/default/killed"
	lineLength = 32
)

// killing is a test in which a source is killed again and again.
type killing struct {
	t          *testing.T
	lines      int64
	keys       int64 // and partitions; 0 is a topic without
	dir        string
	broker     *danubetest.Broker
	checkpoint string

	mu        sync.Mutex
	committed []int64         // lines, by run: where it began
	next      map[int32]int64 // the line that comes next for the first time, by key or 0
	stamps    map[string]int  // the last number, by topic on the wire and epoch
	published int             // messages
	again     int             // of them, lines that were there
	change    chan struct{}   // closed when one of these changes
	runs      map[string]bool // that have published
	problems  []string
}

// message checks a message that came to the sink: of each key the lines come in order,
// none is missing, and one that comes again lies behind what was committed.
func (k *killing) message(r *SinkRecord) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(k.change)
	k.change, k.published = make(chan struct{}), k.published+1
	bad := func(format string, args ...any) {
		if len(k.problems) < 10 {
			k.problems = append(k.problems, fmt.Sprintf("%q %v: ", r.Payload(), r.Attributes())+fmt.Sprintf(format, args...))
		}
	}
	var line int64
	var run int
	_, err1 := fmt.Sscanf(string(r.Payload()), "line %d", &line)
	_, err2 := fmt.Sscan(r.Attributes()["run"], &run)
	if err1 != nil || err2 != nil || run >= len(k.committed) {
		bad("not understood: %v %v", err1, err2)
		return
	}
	k.runs[r.Attributes()["run"]] = true
	step, key := max(k.keys, 1), int32(0)
	if k.keys > 0 {
		key = int32(line % k.keys)
	}
	next, ok := k.next[key]
	if !ok {
		next = int64(key)
	}
	switch from := k.committed[run]; {
	case line < from:
		bad("run %d has begun at %d", run, from)
	case next < from:
		bad("up to %d is committed, and %d has not come", from, next)
	case line > next:
		bad("%d is missing", next)
	case line < next:
		k.again++
	default:
		k.next[key] = next + step
	}
	if want := fmt.Sprintf("killed/lines@%d#0", (line+1)*lineLength); r.Attributes()[danube.AttrSource] != want {
		bad("want the origin %s", want)
	}
	epoch, number, _ := cutLast(r.Attributes()[danube.AttrStamp], "/")
	epoch += fmt.Sprint(r.Partition())
	if k.stamps[epoch]++; number != fmt.Sprint(k.stamps[epoch]) {
		bad("want the number %d", k.stamps[epoch])
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// start starts the source.
func (k *killing) start(run int) (*exec.Cmd, *bytes.Buffer) {
	cmd := program(k.t.Context(), "line source", []string{
		"LINES_FILE=" + filepath.Join(k.dir, "lines"), "LINES_RUN=" + fmt.Sprint(run), "LINES_KEYS=" + fmt.Sprint(k.keys),
		"DANUBE_SERVICE_URL=" + k.broker.URL(), "DANUBE_TOPIC=" + killTopic, "CONNECTOR_NAME=killed",
		"CHECKPOINT_FILE=" + k.checkpoint, "METRICS_PORT=0", "LOG_LEVEL=warn",
	})
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(k.t, cmd.Start())
	return cmd, &out
}

// position returns the line that is committed, of a source that does not run.
func (k *killing) position() int64 {
	store, err := FileCheckpoints(k.checkpoint, "killed")
	must(k.t, err)
	offsets, err := store.Load(k.t.Context())
	must(k.t, errors.Join(err, store.Close()))
	if len(offsets) == 0 {
		return 0
	}
	position, err := offsets[0].Int()
	must(k.t, err)
	return position / lineLength
}

// await waits until something is true of what has come.
func (k *killing) await(ctx context.Context, cond func() bool) bool {
	for {
		k.mu.Lock()
		ok, change := cond() || len(k.problems) > 0, k.change
		k.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-change:
		case <-ctx.Done():
			return false
		}
	}
}

func TestKilledSource(t *testing.T) {
	type size struct{ kills, lines, keys int }
	for _, s := range []size{{6, 3_000, 0}, {6, 3_000, 3}, {200, 1_000_000, 4}} {
		t.Run(fmt.Sprintf("%d kills, %d lines, %d keys", s.kills, s.lines, s.keys), func(t *testing.T) {
			if s.kills > 10 && os.Getenv("DANUBE_LONG_TESTS") == "" {
				t.Skip("takes minutes; set DANUBE_LONG_TESTS=1 to run it")
			}
			b := danubetest.Run(t, danubetest.WithForgetAcked(), danubetest.WithCallLog(0), danubetest.WithMaxUnacked(1000),
				danubetest.WithTopic(killTopic, danubetest.TopicConfig{Partitions: s.keys}))
			dir := t.TempDir()
			k := &killing{t: t, lines: int64(s.lines), keys: int64(s.keys), dir: dir, broker: b, checkpoint: filepath.Join(dir, "checkpoint"),
				next: make(map[int32]int64), stamps: make(map[string]int), change: make(chan struct{}), runs: make(map[string]bool)}
			k.run(s.kills)
		})
	}
}

func (k *killing) run(kills int) {
	t := k.t
	var lines bytes.Buffer
	for i := range k.lines {
		fmt.Fprintf(&lines, "line %-*d\n", lineLength-6, i)
	}
	must(t, os.WriteFile(filepath.Join(k.dir, "lines"), lines.Bytes(), 0o644))
	l := &lab{t: t, suffix: "_real"}
	l.open(danube.Config{Seeds: []string{k.broker.URL()}})
	sink := l.sink(SinkFunc(func(_ context.Context, r *SinkRecord) error { k.message(r); return nil }),
		func(c *Config) { c.SourceTopic, c.Dedupe = killTopic, DedupeOff })

	start := time.Now()
	for run := range kills + 1 {
		from := k.position()
		k.mu.Lock()
		k.committed = append(k.committed, from)
		seen := k.published
		k.mu.Unlock()
		cmd, out := k.start(run)
		if run == kills { // the last run comes to its end
			if err := cmd.Wait(); err != nil {
				t.Fatalf("the last run: %v\n%s", err, out)
			}
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if run%5 == 1 { // while it starts
			ctx, cancel = context.WithTimeout(t.Context(), rand.N(100*time.Millisecond))
		}
		some := rand.Int64N(2*(k.lines-from)/int64(kills-run+1) + 1)
		k.await(ctx, func() bool { return int64(k.published-seen) >= some })
		cancel()
		must(t, cmd.Process.Kill())
		if err := cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatalf("run %d ended before it was killed: %v\n%s", run, err, out)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	k.await(ctx, func() bool {
		first := int64(k.published - k.again)
		return first == k.lines
	})
	took := time.Since(start)
	must(t, k.broker.WaitIdle(ctx, killTopic, "s"))
	sink.stopped()
	for _, p := range k.problems {
		t.Error(p)
	}
	if first := int64(k.published - k.again); first != k.lines || k.position() != k.lines {
		t.Errorf("%d lines came, %d are committed, want %d", first, k.position(), k.lines)
	}
	if len(k.runs) < kills/2 {
		t.Errorf("only %d of %d runs have published", len(k.runs), kills+1)
	}
	t.Logf("%d kills in %v: %d lines, %d messages again, %.0f for each run that published",
		kills, took.Round(time.Millisecond), k.lines, k.again, float64(k.again)/float64(len(k.runs)))
}
