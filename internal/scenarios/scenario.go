// Package scenarios holds what happens the same way on danubetest and on a real
// broker: each scenario drives the client and writes a transcript of what it saw.
// Comparing the two transcripts is how danubetest is held to the real broker, and how
// the client is shown to survive it.
//
// A transcript says only what does not depend on how fast a machine is: what came, in
// which order, with which status, after which event. Times are in it as bounds.
package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Needs says what a scenario runs on.
type Needs int

const (
	// OneNode is one broker with its defaults, which other scenarios use as well.
	OneNode Needs = iota
	// WideWindow is one broker with a window of 10000.
	WideWindow
	// Limited is one broker with small limits, which creates no topics on demand.
	Limited
	// OwnNode is one broker that the scenario may stop and start.
	OwnNode
	// Cluster is three brokers that share their storage.
	Cluster
	// OwnCluster is three brokers that the scenario may stop and start.
	OwnCluster
	// Secured is one broker with TLS that asks for tokens and goes by grants.
	Secured
	// OwnSharedFS is one broker that the scenario may stop and start, which keeps its
	// messages as those of a cluster do.
	OwnSharedFS
	// SmallCache is three brokers, each with the last 500 messages of a topic in memory.
	SmallCache
)

func (n Needs) String() string {
	return [...]string{"one node", "wide window", "limits", "restarts", "three nodes", "kills", "security", "shared fs", "small cache"}[n]
}

// Shared reports that scenarios with this need can run on one broker together.
func (n Needs) Shared() bool { return n != OwnNode && n != OwnCluster && n != OwnSharedFS }

// Nodes is the number of brokers.
func (n Needs) Nodes() int {
	if n == Cluster || n == OwnCluster || n == SmallCache {
		return 3
	}
	return 1
}

// Scenario is one of them. Its name is made of words with hyphens between.
type Scenario struct {
	Name  string
	Needs Needs
	Run   func(*Lab)
}

// All returns every scenario, in the order of the table.
func All() []Scenario {
	return slices.Concat(publishing, starting, consuming, redelivering, sharing, keyed, lagging, crowding, loose, parted, policies, schemas, governing, refusing, limiting, securing, granting, restarting, moving, stalling, dying)
}

// ErrNoAdmin: the brokers have no admin address, and the scenario needs one.
var ErrNoAdmin = errors.New("there is no admin address")

// Play runs a scenario on brokers and returns what it wrote. What keeps it from going
// on is its last line.
func Play(ctx context.Context, s Scenario, on Brokers, opts Options) ([]string, error) {
	l := &Lab{on: on, opts: opts, run: runName()}
	patience := patience
	if l.virtual() {
		patience = time.Hour
	}
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	defer l.close()
	if err := l.play(s); err != nil {
		return nil, err
	}
	return l.lines, nil
}

// patience is what one scenario may take where time is real.
const patience = 5 * time.Minute

// Options are about how a scenario is run, not about what happens.
type Options struct {
	// Settle, if set, returns when nothing moves any more. A bubble of
	// testing/synctest has such a thing.
	Settle func()
}

const stoppedMark = "stopped: "

// stopped is the panic of a scenario that cannot go on.
type stopped struct{}

func (l *Lab) play(s Scenario) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil, stopped:
		case error:
			if !errors.Is(e, ErrNoAdmin) {
				panic(e)
			}
			err = e
		default:
			panic(e)
		}
	}()
	s.Run(l)
	return nil
}

// Stop ends the scenario with a last line.
func (l *Lab) Stop(format string, args ...any) {
	l.Log(stoppedMark+format, args...)
	panic(stopped{})
}

// Log writes a line of the transcript, one whatever is in it. What is different in each run
// is taken out.
func (l *Lab) Log(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", `\n`)
	line = strings.ReplaceAll(line, "_"+l.run+"_z", "")
	for i, url := range l.on.Seeds() {
		line = strings.ReplaceAll(line, hostport(url), fmt.Sprintf("NODE%d", i))
	}
	l.lines = append(l.lines, line)
}
