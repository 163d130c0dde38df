package danube_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/gate"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
	"github.com/danube-messaging/danube-connect-go/internal/tcpproxy"
)

// chaosRun is three real brokers, what goes wrong with them, and those who publish and
// receive meanwhile.
type chaosRun struct {
	*testing.T
	cluster  *realbroker.Cluster
	proxies  []*tcpproxy.Proxy // by node
	client   *danube.Client
	admin    *danube.Admin
	ledger   *ledger
	senders  []*sender
	readers  []*reader
	operator *operator

	always context.Context // of the whole run
	ctx    context.Context // of the faults
	quiet  gate.Gate       // shut while nobody publishes
	nodes  sync.Mutex      // held while a node is down
	start0 time.Time

	mu   sync.Mutex
	done map[string]int // faults, by kind
}

// TestChaosOnThreeRealBrokers lets three brokers move topics, stop, be killed and lose
// their connections, for as long as DANUBE_CHAOS_TIME says (two minutes by default),
// and then compares what was published with what came and with what the client
// reported. DANUBE_CHAOS_SEED repeats a plan of faults; DANUBE_CHAOS_DIR, a directory,
// keeps the logs of the brokers and of the client.
func TestChaosOnThreeRealBrokers(t *testing.T) {
	if _, ok := realbroker.Binary(); !ok {
		t.Skipf("%s is not set: no real brokers for chaos", realbroker.Env)
	}
	checkLeaks(t)
	c := newChaosRun(t)
	d, seed := 2*time.Minute, rand.Uint64N(1e6)
	if s := os.Getenv("DANUBE_CHAOS_TIME"); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			t.Fatalf("DANUBE_CHAOS_TIME: %v", err)
		}
	}
	if s := os.Getenv("DANUBE_CHAOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("DANUBE_CHAOS_SEED: %v", err)
		}
	}
	t.Logf("chaos for %v; DANUBE_CHAOS_SEED=%d repeats the faults", d, seed)
	c.open()
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() { c.look(ctx) })
	c.chaos(d, seed)
	c.settle()
	cancel()
	looking.Wait()
	c.finish()
}

// chaos publishes, and makes faults, for a while.
func (c *chaosRun) chaos(d time.Duration, seed uint64) {
	ctx, cancel := context.WithTimeout(c.always, d)
	defer cancel()
	c.ctx = ctx
	var wg sync.WaitGroup
	for i, s := range c.senders {
		wg.Go(func() { s.work(ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	rnd := rand.New(rand.NewPCG(seed, 1000))
	for {
		f := nextFault(rnd)
		if !c.wait(ctx, f.after) {
			break
		}
		c.count(f.kind)
		wg.Go(func() { c.do(f) })
	}
	wg.Wait()
	c.event("the faults are over")
}

// look looks at the subscriptions now and then.
func (c *chaosRun) look(ctx context.Context) {
	for c.wait(ctx, 5*time.Second) {
		c.ledger.silences(time.Now(), silent)
		c.operator.look(c.always)
		if n := runtime.NumGoroutine(); n > 2000 {
			c.breach("%d goroutines", n)
		}
	}
}

// silent is how long a subscription may wait for something without a word of anybody.
const silent = 150 * time.Second

// settling is how long the operator has to bring everything.
const settling = 6 * time.Minute

// settle publishes to every topic once more, again and again, and waits until it has
// come. What has not after a while, the client must say of: then nobody meddles any more
// until it does, or has had time for that.
func (c *chaosRun) settle() {
	start := time.Now()
	var alone time.Time // since when nobody meddles
	for {
		for _, s := range c.senders {
			if s.under.Load() < 32 { // no more than there is room for
				s.round(c.always)
			}
		}
		if !c.wait(c.always, 10*time.Second) {
			return
		}
		late := c.ledger.behind()
		under := int64(0)
		for _, s := range c.senders {
			under += s.under.Load()
		}
		if len(late) == 0 && under == 0 {
			return
		}
		var names []string
		for _, s := range late {
			names = append(names, s.name+" of "+s.wire)
		}
		c.event("%d messages are not published yet, and something has not come to: %s", under, strings.Join(names, ", "))
		switch {
		case !alone.IsZero() && (c.ledger.said(late) || time.Since(alone) > silent):
			return // what is not reported shows in the account
		case alone.IsZero() && time.Since(start) > settling:
			c.operator.retire()
			alone = time.Now()
		}
	}
}

// finish closes everything and draws up the account.
func (c *chaosRun) finish() {
	ctx, cancel := context.WithTimeout(c.always, time.Minute)
	defer cancel()
	if n := c.memory(); n > maxMemory {
		c.breach("%d MiB of memory without the ledger, at most %d", n>>20, maxMemory>>20)
	}
	for _, s := range c.senders {
		// On a topic that no broker has any more, it cannot publish all.
		if err := s.p.Close(ctx); err != nil && !errors.Is(err, danube.ErrNotSent) && !errors.Is(err, danube.ErrOutcomeUnknown) {
			c.breach("closing the producer %s: %v", s.name, err)
		}
	}
	all := c.ledger.close()
	for _, r := range c.readers {
		r.end(r.con)
		r.wg.Wait()
	}
	c.must(errors.Join(c.client.Close(ctx), c.admin.Close(ctx)))
	var kinds []string
	for kind, n := range c.done {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(kinds)
	c.Logf("faults: %s\n%s", strings.Join(kinds, ", "), report(all))
	for _, s := range c.ledger.broken {
		c.Error(s)
	}
	if n := c.ledger.faults - len(c.ledger.broken); n > 0 {
		c.Errorf("and %d more", n)
	}
}

// maxMemory is for five consumers and six producers, whose queues may be full.
const maxMemory = 128 << 20

// memory is what the process uses, without the ledger.
func (c *chaosRun) memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) - c.ledger.memory()
}

// told notes what a consumer reported.
func (c *chaosRun) told(s *ledgerSub, life uint32, a danube.Anomaly) {
	c.ledger.told(s, life, a)
	switch a.Kind { // the others are too many
	case danube.NumberingRestarted, danube.Stalled, danube.Resumed:
		c.event("%s: %v", s.name, a)
	}
}

func (c *chaosRun) count(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[kind]++
}

func (c *chaosRun) event(format string, args ...any) {
	c.Logf("%6.1fs %s", time.Since(c.start0).Seconds(), fmt.Sprintf(format, args...))
}

func (c *chaosRun) breach(format string, args ...any) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	c.ledger.breach(format, args...)
	c.event("BREACH "+format, args...)
}

func (c *chaosRun) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// wait waits in real time; false means that ctx has ended.
func (c *chaosRun) wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
