package danube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	c.chaos(d, seed)
	c.settle()
	c.finish()
}

func newChaosRun(t *testing.T) *chaosRun {
	dir := os.Getenv("DANUBE_CHAOS_DIR")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if dir == "" {
		dir = t.TempDir()
	} else {
		f, err := os.Create(filepath.Join(dir, "client.log"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		log = slog.New(slog.NewTextHandler(f, nil))
	}
	c := &chaosRun{T: t, ledger: newLedger(), always: t.Context(), start0: time.Now(), done: map[string]int{}}
	c.operator = &operator{run: c, tried: map[string]attempt{}}
	var err error
	c.cluster, err = realbroker.Start(t.Context(), realbroker.Options{Dir: dir, Nodes: 3, Flush: 500 * time.Millisecond,
		Advertise: func(_ int, addr string) (string, error) {
			p, err := tcpproxy.New(addr)
			if err != nil {
				return "", err
			}
			t.Cleanup(p.Close)
			c.proxies = append(c.proxies, p)
			return p.Addr(), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.cluster.Close)
	var admins, metrics []string
	for _, n := range c.cluster.Nodes {
		admins, metrics = append(admins, n.Admin), append(metrics, n.Metrics)
	}
	if c.client, err = danube.Open(danube.Config{Seeds: c.cluster.URLs(), Metrics: metrics, Logger: log}); err != nil {
		t.Fatal(err)
	}
	if c.admin, err = danube.OpenAdmin(danube.AdminConfig{Addresses: admins, Logger: log}); err != nil {
		t.Fatal(err)
	}
	return c
}

// chaosTopics are what the run is about.
var chaosTopics = []struct {
	name              string
	partitions        int
	senders, burst    int
	slow              bool
	subscriptionNames []string
}{
	{name: "plain", senders: 2, burst: 100, subscriptionNames: []string{"one", "two"}},
	{name: "slow", senders: 1, burst: 1000, slow: true, subscriptionNames: []string{"slow"}},
	{name: "parts", partitions: 3, senders: 2, burst: 300, subscriptionNames: []string{"all"}},
	{name: "single", senders: 1, burst: 30, subscriptionNames: []string{"one"}},
}

// open makes the topics, the subscriptions, and then those who publish.
func (c *chaosRun) open() {
	ctx, cancel := context.WithTimeout(c.always, 2*time.Minute)
	defer cancel()
	for _, t := range chaosTopics {
		topic := fmt.Sprintf("/default/%s_%d", t.name, time.Now().UnixNano())
		wires := []string{topic}
		var err error
		if t.partitions == 0 {
			err = c.admin.CreateTopic(ctx, topic, danube.TopicOptions{})
		} else {
			wires = nil
			for i := range t.partitions {
				wires = append(wires, fmt.Sprintf("%s-part-%d", topic, i))
			}
			err = c.admin.CreatePartitionedTopic(ctx, topic, t.partitions, danube.TopicOptions{})
		}
		c.must(err)
		for _, name := range t.subscriptionNames {
			r := &reader{run: c, topic: topic, name: name, slow: t.slow, subs: map[string]*ledgerSub{}}
			for _, wire := range wires {
				r.subs[wire] = c.ledger.sub(wire, name)
			}
			r.con, err = r.open(ctx)
			c.must(err)
			c.readers = append(c.readers, r)
		}
	}
	c.wait(ctx, 2*time.Second) // for producers that are opened after their subscriptions, to the second
	for i, t := range chaosTopics {
		topic := c.topics()[i]
		for n := range t.senders {
			name := fmt.Sprintf("%s%d", t.name, n)
			s := &sender{run: c, name: name, burst: t.burst}
			var err error
			s.p, err = c.client.NewProducer(ctx, danube.ProducerConfig{Topic: topic, Name: name, Stamp: true, MaxPending: 64,
				OnSession: func(e danube.SessionEvent) { c.ledger.producerSession(s.nameOn(e.Partition), e) }})
			c.must(err)
			c.senders = append(c.senders, s)
		}
	}
}

// topics are the topics, in their order.
func (c *chaosRun) topics() (list []string) {
	for _, r := range c.readers {
		if !slices.Contains(list, r.topic) {
			list = append(list, r.topic)
		}
	}
	return list
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
	wg.Go(func() { c.look(ctx) })
	rnd := rand.New(rand.NewPCG(seed, 1000))
	for {
		f := nextFault(rnd)
		if !c.wait(ctx, f.after) {
			break
		}
		c.mu.Lock()
		c.done[f.kind]++
		c.mu.Unlock()
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

// settle publishes to every topic once more and waits until it has come.
func (c *chaosRun) settle() {
	ctx, cancel := context.WithTimeout(c.always, 10*time.Minute)
	var looking sync.WaitGroup
	looking.Go(func() { c.look(ctx) })
	defer looking.Wait()
	defer cancel()
	for {
		for _, s := range c.senders {
			if s.under.Load() == 0 {
				s.round(ctx)
			}
		}
		c.wait(ctx, 10*time.Second)
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
		if ctx.Err() != nil {
			c.breach("something still waits")
			return
		}
	}
}

// finish closes everything and draws up the account.
func (c *chaosRun) finish() {
	ctx, cancel := context.WithTimeout(c.always, time.Minute)
	defer cancel()
	for _, s := range c.senders {
		if err := s.p.Close(ctx); err != nil {
			c.breach("closing the producer %s: %v", s.name, err)
		}
	}
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
	all := c.ledger.close()
	c.Logf("faults: %s; by the operator: move %d, restart %d\n%s", strings.Join(kinds, ", "), c.operator.moves, c.operator.restarts, report(all))
	for _, s := range c.ledger.broken {
		c.Error(s)
	}
	if n := c.ledger.faults - len(c.ledger.broken); n > 0 {
		c.Errorf("and %d more", n)
	}
}

// told notes what a consumer reported.
func (c *chaosRun) told(s *ledgerSub, life uint32, a danube.Anomaly) {
	c.ledger.told(s, life, a)
	switch a.Kind { // the others are too many
	case danube.NumberingRestarted, danube.Stalled, danube.Resumed:
		c.event("%s: %v", s.name, a)
	}
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
