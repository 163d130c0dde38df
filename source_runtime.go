package connect

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/danube-messaging/danube-connect-go/internal/commit"
	"github.com/danube-messaging/danube-connect-go/internal/gate"
	"github.com/danube-messaging/danube-connect-go/internal/metrics"
	"github.com/danube-messaging/danube-connect-go/internal/ops"
)

// SourceRuntime moves records from a connector to Danube: it polls or runs the
// stream, publishes in order per partition with at most one send outstanding on
// each, retries until the broker has a record, commits the connector's own offsets
// behind that, and stops without dropping anything. One runtime runs once.
type SourceRuntime struct {
	*core
	source  SourceConnector
	stream  StreamConnector // set when the connector pushes
	commits *commit.Tracker[Offset]
	general *metrics.Topic // for what happens to no topic in particular

	closed bool // records for topics that are not in topics are bad
	topics sourceTopics
	dead   *sourceDead // nil unless on_error is dead_letter

	loop    sync.WaitGroup // the goroutines that call the connector
	gate    gate.Gate      // shut while the source is paused
	origins origins

	commitState commitState
	unpublished atomic.Int64           // given up by the end of the run
	crowded     atomic.Bool            // no record is taken before some are committed
	policyStop  atomic.Bool            // a record ended the run, as on_error = stop says
	failedLate  atomic.Bool            // an error that came during the drain is known
	uncommitted atomic.Pointer[string] // what was published, and not committed before the drain deadline
	store       CheckpointStore        // nil without one
	commitCall  *ops.Call

	polling    atomic.Pointer[string] // the call of Poll or Stream under way
	committing atomic.Pointer[string] // the call of Commit or of the store under way
	answering  atomic.Int32           // the done of EmitAsync that have not returned
	encoding   atomic.Int32           // the records of which a codec or MarshalJSON makes the payload
}

// NewSourceRuntime checks the configuration and everything else that can be checked
// without a broker. All problems of the configuration come in one [ConfigErrors].
func NewSourceRuntime(c SourceConnector, opts ...Option) (*SourceRuntime, error) {
	if c == nil {
		return nil, InvalidConfigf("the source connector is nil")
	}
	k, err := newCore(c, true, opts)
	if err != nil {
		return nil, err
	}
	rt := &SourceRuntime{
		core: k, source: c,
		commitCall: k.board.NewCall("commit"),
		commits:    commit.New[Offset](k.cfg.CommitLag, maxUncommitted),
		general:    k.metrics.Topic(k.cfg.DestinationTopic),
		store:      k.opts.checkpoints,
	}
	if a, ok := capability[*streamSource](c); ok {
		rt.stream = a.StreamConnector
	}
	return rt, nil
}

// Config returns the effective configuration.
func (rt *SourceRuntime) Config() Config { return rt.cfg }

// MetricsAddress returns where metrics and probes are served, nil when they are
// not. Valid once Initialize was called.
func (rt *SourceRuntime) MetricsAddress() net.Addr { return rt.addr }

// Run initializes the connector, opens its topics, and moves records until the
// source is finished, ctx ends, SIGINT or SIGTERM comes, or it cannot go on. It then
// stops asking for records, publishes what it has within drain_timeout_ms, commits,
// calls Shutdown and returns: nil after a clean stop or a finished source, else
// every error joined; see [ExitCode]. A second signal ends it at once.
func (rt *SourceRuntime) Run(ctx context.Context) error { return rt.run(ctx, rt) }

// Pause keeps the source from polling until Resume, and a stream's Emit waiting.
// What was accepted is still published and committed.
func (rt *SourceRuntime) Pause() {
	if rt.gate.Shut() {
		rt.log.Info("paused")
		rt.board.Set(paused, "paused by the operator")
	}
}

// Resume ends a Pause.
func (rt *SourceRuntime) Resume() {
	if rt.gate.Lift() {
		rt.log.Info("resumed")
		rt.board.Set(paused, "")
	}
}

func (rt *SourceRuntime) open(ctx context.Context) error {
	if err := rt.openCheckpoints(ctx); err != nil {
		return err
	}
	configs := []ProducerConfig{{Topic: rt.cfg.DestinationTopic, NonReliable: !rt.cfg.ReliableDispatch}}
	declared := false
	if c, ok := capability[ProducerConfigurer](rt.connector); ok {
		declared = true
		var own []ProducerConfig
		err := rt.guard("ProducerConfigs", func() (err error) {
			own, err = c.ProducerConfigs(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("producer configs: %w", asFatal(err))
		}
		configs = own
	}
	rt.closed = rt.cfg.refusesTopics(declared)
	if len(configs) == 0 {
		return InvalidConfigf("ProducerConfigs returned no topic")
	}
	if err := rt.checkSchemas(configs); err != nil {
		return err
	}
	if err := rt.openDead(ctx, configs); err != nil {
		return err
	}
	if err := rt.openTopics(ctx, configs); err != nil {
		return err
	}
	if rt.stream != nil {
		rt.loop.Go(rt.runStream)
		rt.loop.Go(rt.runCommits)
	} else {
		rt.loop.Go(rt.runPoll)
	}
	return nil
}

// drain waits for the loop to end and for everything accepted to be published, and
// commits behind it.
func (rt *SourceRuntime) drain(ctx context.Context) error {
	idle := make(chan struct{})
	go func() {
		rt.loop.Wait()
		close(idle)
	}()
	ended := rt.await(ctx, noticeTime, idle)
	if !ended {
		rt.log.Error("a call into the connector has not returned and is left behind", "call", rt.underWay())
	}
	rt.closeTopics(ctx)
	rt.closeDead(ctx)
	if !ended {
		select {
		case <-idle: // meanwhile
			ended = true
		default:
		}
	}
	if !ended {
		// Commit must not run beside Poll, but what is in the store is not the connector's.
		ended = rt.commitState.takeOver(rt.stream == nil)
	}
	if ended {
		rt.lastCommits(ctx)
	} else if n := rt.commits.Settled(); n > 0 {
		rt.leftUncommitted(n, or(rt.underWay(), "the loop that commits")+" has not returned")
	}
	return rt.closeCheckpoints(ctx, ended)
}

// underWay names the call into the connector that has not returned, if there is one.
func (rt *SourceRuntime) underWay() string {
	for _, call := range []*atomic.Pointer[string]{&rt.polling, &rt.committing} {
		if s := call.Load(); s != nil {
			return *s
		}
	}
	return ""
}

func (rt *SourceRuntime) unsettled() string {
	var left []string
	if n := rt.commits.Pending() + int(rt.unpublished.Load()); n > 0 {
		left = append(left, fmt.Sprintf("%d records were not published, and not committed", n))
	}
	if s := rt.uncommitted.Load(); s != nil {
		left = append(left, *s)
	}
	if call := rt.underWay(); call != "" {
		left = append(left, call+" has not returned")
	}
	if rt.answering.Load() > 0 {
		left = append(left, "the done of EmitAsync has not returned")
	}
	if rt.encoding.Load() > 0 {
		left = append(left, "what makes a record's payload, a codec or MarshalJSON, has not returned")
	}
	return strings.Join(left, "; ")
}
