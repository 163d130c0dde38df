package connect

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A sink that everything happens to: streams end, topics move, brokers restart, acks
// get lost, dead letters are stored twice or late, the connector fails, panics and
// hangs, its system goes down, and the sink itself is stopped, cut off, forced to end and
// replaced. Nothing is lost, nothing overtakes in its key, and what is written twice
// has a reason.
func TestSinkChaos(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("DANUBE_CHAOS_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("DANUBE_CHAOS_SEED: %v", err)
		}
		seed = n
	}
	c := chaosRun{seed: seed, records: 20_000, faults: 26, keys: 300}
	if os.Getenv("DANUBE_LONG_TESTS") != "" {
		c.records, c.faults, c.keys = 1_000_000, 100, 10_000
	}
	onFake(t, c.run, danubetest.WithBrokers(3), danubetest.WithMaxUnacked(500), danubetest.WithForgetAcked(), danubetest.WithCallLog(0),
		danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: 1_000_000}))
}

type chaosRun struct {
	seed                  uint64
	records, faults, keys int

	*lab
	rnd   *rand.Rand
	topic string
	books *chaosBooks
	rt    *SinkRuntime
	now   *run
	sink  *chaosSink
	heap  uint64 // the most
	bad   int    // records published that make the connector panic
	ends  [endings]int64
	kinds map[string]int
}

// begin starts a run of the sink, of one kind or another.
func (c *chaosRun) begin() {
	c.books.begin()
	c.sink = &chaosSink{chaosBooks: c.books}
	c.rt = c.newSink(c.sink.connector(c.rnd.IntN(2) == 0), c.config(c.deadTopic, func(cfg *Config) {
		cfg.Ordering = []Ordering{OrderPartition, OrderKey}[c.rnd.IntN(2)]
		cfg.Concurrency = 1 + c.rnd.IntN(16)
		cfg.BatchSize, cfg.BatchTimeout = 1+c.rnd.IntN(200), 20*time.Millisecond
		cfg.RetryBackoff = 100 * time.Millisecond
		cfg.DrainTimeout = time.Duration(1+c.rnd.IntN(20)) * time.Second
	}))
	c.now = c.start(c.rt.core, c.rt.Run)
}

// over notes the end of a run, once its last call has returned.
func (c *chaosRun) over(rt *SinkRuntime, sink *chaosSink) {
	c.until("no call left", func() bool { return sink.inside.Load() == 0 })
	for _, r := range rt.routes {
		for how := range r.ends {
			c.ends[how] += r.ends[how].Load()
		}
	}
}

// again starts the next run when the last one is over.
func (c *chaosRun) again() {
	c.over(c.rt, c.sink)
	c.begin()
	c.books.settle()
}

// fault makes one thing go wrong.
func (c *chaosRun) fault(i int) {
	unavailable := status.Error(codes.Unavailable, "chaos")
	faults := []struct {
		name string
		make func()
	}{
		{"streams end", func() {
			c.b.DropStreams([]danubetest.StreamEnd{danubetest.StreamUnavailable, danubetest.StreamInternal}[c.rnd.IntN(2)])
		}},
		{"a move", func() {
			part := fmt.Sprintf("%s-part-%d", c.topic, c.rnd.IntN(4))
			c.must(c.b.MoveTopic(part, 1+c.b.Owner(part)%3))
		}},
		{"a restart of the brokers", func() {
			c.b.Stop()
			c.pause(time.Duration(c.rnd.IntN(20)) * time.Second)
			c.must(c.b.Start())
		}},
		{"acks lost", func() {
			f := danubetest.AckLost("s")
			f.Count, f.AfterApply, f.Optional = 1+c.rnd.IntN(50), c.rnd.IntN(2) == 0, true
			c.b.Fault(f)
		}},
		{"dead letters ambiguous", func() {
			c.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, Topic: c.name("dead"), Err: unavailable,
				AfterApply: c.rnd.IntN(2) == 0, Count: 1 + c.rnd.IntN(3), Optional: true})
			c.publishBad(1 + c.rnd.IntN(5))
		}},
		{"errors of the connector", func() { c.sink.fail.Store(int64(1 + c.rnd.IntN(20))) }},
		{"errors after the write", func() { c.sink.late.Store(int64(1 + c.rnd.IntN(20))) }},
		{"panics", func() { c.publishBad(1 + c.rnd.IntN(5)) }},
		{"hangs", func() { c.sink.hang.Store(int64(1 + c.rnd.IntN(3))) }},
		{"an outage", func() {
			lasts := time.Duration(c.rnd.IntN(300)) * time.Second
			c.books.down.Store(time.Now().Add(lasts).UnixNano())
		}},
		{"a stop and a start", func() {
			c.now.stop()
			c.again()
		}},
		{"a forced stop", func() {
			c.now.signalled(syscall.SIGTERM, false) // in the middle of its work
			c.now.signalled(syscall.SIGTERM, true)
			_ = c.now.wait() // says that it was forced
			c.again()
		}},
		{"a takeover", func() {
			old, rt, sink := c.now, c.rt, c.sink
			if old.board.NotReady() != nil {
				old.ready() // one that comes back later would take its place back
			}
			c.begin()
			_ = old.wait() // says that it was taken over
			c.over(rt, sink)
			c.books.settle()
		}},
	}
	f := faults[i%len(faults)]
	f.make()
	c.kinds[f.name]++
}

func (c *chaosRun) publishBad(n int) {
	for range n {
		c.publishKey(c.topic, fmt.Sprint(c.rnd.IntN(c.keys)), fmt.Sprint("bad ", c.bad))
		c.bad++
	}
}

func (c chaosRun) run(t *testing.T, l *lab) {
	t.Logf("seed %d: %d records of %d keys, %d faults", c.seed, c.records, c.keys, c.faults)
	c.lab, c.rnd, c.kinds = l, rand.New(rand.NewPCG(c.seed, 11)), map[string]int{}
	c.topic, c.books = l.topic("t", 4), newChaosBooks(t, c.keys)
	l.topic("dead", 0)
	began := time.Now()
	c.begin()
	c.now.ready()
	c.books.settle()
	published := make([]int, c.keys)
	done := 0
	for i := range c.faults {
		for target := c.records * (i + 1) / c.faults; done < target; done++ {
			if done%500 == 0 { // a backlog of a few thousand
				l.until("taken", func() bool { return done-c.books.count() < 3000 })
			}
			key := c.rnd.IntN(c.keys)
			l.publishKey(c.topic, fmt.Sprint(key), fmt.Sprint(key, " ", published[key]))
			published[key]++
		}
		c.fault(i)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.heap = max(c.heap, m.HeapAlloc)
		if c.now.ended() {
			t.Fatalf("the sink has ended: %v", c.now.err)
		}
	}
	// What hung and was given up as the last of its key is not among the written.
	l.until("all acked", func() bool { return l.ackedOf(c.topic) == c.records+c.bad })
	l.until("nothing in hand", func() bool { return c.now.metric("inflight_messages") == 0 })
	c.now.stopped()
	c.over(c.rt, c.sink)
	l.b.CheckNoUnacked(t, c.topic, "s")
	c.check(t, published)
	t.Logf("in %v of the brokers' time: 0 lost, 0 out of order; %d written twice: %d after a stop, %d after a call that wrote and failed; %d dead letters; at most %d MiB of memory, the brokers' included",
		time.Since(began).Round(time.Second), c.books.restarts+c.books.uncertain, c.books.restarts, c.books.uncertain, c.ends[deadLettered], c.heap>>20)
	t.Logf("deliveries: %d acked, %d dead-lettered, %d handed back; faults: %v", c.ends[acked], c.ends[deadLettered], c.ends[handedBack], c.kinds)
}

// check compares what there is with what should be.
func (c *chaosRun) check(t *testing.T, published []int) {
	for _, text := range c.books.unexpected {
		t.Error(text)
	}
	for key, n := range published {
		for i := c.books.next[key]; i < n; i++ {
			c.books.skipped[fmt.Sprint(key, " ", i)] = true
		}
	}
	letters := map[string]int{}
	for _, m := range c.b.Messages(c.name("dead")) {
		letters[string(m.Payload)]++
	}
	for i := range c.bad {
		if letters[fmt.Sprint("bad ", i)] == 0 {
			t.Errorf("bad record %d is not among the dead letters", i)
		}
	}
	for payload := range c.books.skipped {
		if letters[payload] == 0 {
			t.Errorf("%s was neither written nor stored among the dead letters", payload)
		}
	}
	for payload := range letters { // what only hung was in time for none
		if !strings.HasPrefix(payload, "bad ") && !c.books.skipped[payload] && !c.books.mayRepeat[payload] {
			t.Errorf("%s was written and is among the dead letters", payload)
		}
	}
}
