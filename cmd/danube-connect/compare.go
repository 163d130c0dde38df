package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
	"github.com/danube-messaging/danube-connect-go/internal/scenarios"
)

const compareHelp = `Usage: danube-connect compare [flags]

Runs scenarios on the embedded broker, in its profile real, and on real brokers, and
compares what the client saw: the exit code is 0 when every scenario has run and every
difference is explained.

DANUBE_BROKER_BIN names the real broker's program: brokers of one and of three nodes
are started as scenarios need them, with their data in a temporary directory. Without it
the broker at DANUBE_SERVICE_URL, with its admin address in DANUBE_ADMIN_URL, serves
for the scenarios that one broker is enough for; it must have a window of 10. The others
are left out then, which is a failure unless -leave-out says that it is none.

Flags:
`

// comparison is what the flags of compare say.
type comparison struct {
	list        []scenarios.Scenario
	verbose     bool
	onlyNames   bool
	onlyReasons bool
	leaveOut    bool
	record      string
	parallel    int
	binary      string
	service     string
	admin       string
	stdout      io.Writer
	stderr      io.Writer
}

// runCompare is the command compare. The table goes to stdout, what happens to stderr.
func runCompare(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := comparison{service: os.Getenv("DANUBE_SERVICE_URL"), admin: os.Getenv("DANUBE_ADMIN_URL"), stdout: stdout, stderr: stderr}
	c.binary, _ = realbroker.Binary()
	err := c.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "danube-connect compare: %v; -h lists the flags\n", err)
		return exitUsage
	case c.onlyNames:
		for _, s := range c.list {
			fmt.Fprintf(stdout, "%-34s %s\n", s.Name, s.Needs)
		}
		return exitOK
	case c.onlyReasons:
		for _, e := range scenarios.Explained {
			fmt.Fprintf(stdout, "%s: %s\n    %s\n", e.Scenario, e.Line, e.Reason)
		}
		return exitOK
	}
	ok, err := c.run(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "danube-connect compare: %v\n", err)
		return exitError
	}
	if !ok {
		return exitError
	}
	return exitOK
}

// parse reads the flags. It shows the help itself and leaves errors to the caller.
func (c *comparison) parse(args []string) error {
	fs := flag.NewFlagSet("danube-connect compare", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	pattern := fs.String("run", "", "only scenarios whose names match this `regexp`")
	fs.BoolVar(&c.verbose, "v", false, "show the whole transcripts side by side, not only what differs")
	fs.BoolVar(&c.onlyNames, "list", false, "list the scenarios and what they need, and run nothing")
	fs.BoolVar(&c.onlyReasons, "reasons", false, "list the explained differences, and run nothing")
	fs.BoolVar(&c.leaveOut, "leave-out", false, "leave out what the brokers at hand cannot do, without that being a failure")
	fs.StringVar(&c.record, "record", "", "write the real broker's transcripts to this `file`; those of scenarios that are not run stay")
	fs.IntVar(&c.parallel, "parallel", 8, "run this many `scenarios` at once")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(c.stderr)
			fmt.Fprint(c.stderr, compareHelp)
			fs.PrintDefaults()
		}
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if c.parallel < 1 {
		return fmt.Errorf("-parallel %d: want 1 or more", c.parallel)
	}
	re, err := regexp.Compile(*pattern)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	for _, s := range scenarios.All() {
		if re.MatchString(s.Name) {
			c.list = append(c.list, s)
		}
	}
	if len(c.list) == 0 {
		return fmt.Errorf("-run %s: there is no such scenario", *pattern)
	}
	return nil
}

// outcome is one row of the table.
type outcome struct {
	real    []string
	diff    scenarios.Differences
	leftOut string // why it was not run
	err     error
	took    time.Duration
}

// run runs the scenarios and prints the table as far as it is known, in order.
func (c *comparison) run(ctx context.Context) (ok bool, err error) {
	get, end, err := c.brokers()
	if err != nil {
		return false, err
	}
	defer end()
	outcomes := make([]chan outcome, len(c.list))
	room := make(chan struct{}, c.parallel)
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	running.Go(func() {
		for i, s := range c.list { // in order, so that the table grows from the top
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				defer func() { <-room }()
				outcomes[i] <- c.both(ctx, s, get)
			})
		}
	})
	return c.print(ctx, outcomes)
}

type getBrokers func(context.Context, scenarios.Needs) (scenarios.Brokers, func(), error)

// errLeftOut: the brokers at hand cannot do what a scenario needs.
var errLeftOut = errors.New("it needs brokers of its own: set " + realbroker.Env)

// brokers finds where the real side runs, and what to call at the end.
func (c *comparison) brokers() (getBrokers, func(), error) {
	switch {
	case c.binary != "":
		dir, err := os.MkdirTemp("", "danube-compare")
		if err != nil {
			return nil, nil, err
		}
		pool := &scenarios.Pool{Binary: c.binary, Dir: dir}
		return pool.Get, func() {
			pool.Close()
			_ = os.RemoveAll(dir)
		}, nil
	case c.service != "":
		on := scenarios.Given(c.service, c.admin)
		return func(_ context.Context, needs scenarios.Needs) (scenarios.Brokers, func(), error) {
			if needs != scenarios.OneNode {
				return nil, nil, errLeftOut
			}
			return on, func() {}, nil
		}, func() {}, nil
	}
	return nil, nil, fmt.Errorf("there is no real broker: %s names the program of one, or DANUBE_SERVICE_URL the address of one that runs", realbroker.Env)
}

// both plays a scenario on both sides at once, so that what must wait waits once.
func (c *comparison) both(ctx context.Context, s scenarios.Scenario, get getBrokers) (o outcome) {
	on, done, err := get(ctx, s.Needs)
	if errors.Is(err, errLeftOut) {
		return outcome{leftOut: err.Error()}
	}
	if err != nil {
		return outcome{err: err}
	}
	defer done()
	fake, err := scenarios.Embedded(s.Needs)
	if err != nil {
		return outcome{err: err}
	}
	defer fake.Close()
	start := time.Now()
	var embedded []string
	var errEmbedded error
	var wg sync.WaitGroup
	wg.Go(func() { embedded, errEmbedded = scenarios.Play(ctx, s, fake, scenarios.Options{}) })
	o.real, err = scenarios.Play(ctx, s, on, scenarios.Options{})
	wg.Wait()
	o.took = time.Since(start)
	if errors.Is(err, scenarios.ErrNoAdmin) {
		return outcome{leftOut: "it needs an admin address: set DANUBE_ADMIN_URL"}
	}
	o.err = errors.Join(err, errEmbedded)
	o.diff = scenarios.Judge(s.Name, embedded, o.real, scenarios.Explained)
	return o
}

// print prints the table, and writes what was recorded.
func (c *comparison) print(ctx context.Context, outcomes []chan outcome) (ok bool, err error) {
	recorded := scenarios.Golden{}
	if c.record != "" {
		recorded, err = scenarios.ReadGolden(c.record)
		if err == nil {
			err = recorded.Write(c.record) // a file that cannot be written shows before minutes have passed
		}
		if err != nil {
			return false, err
		}
	}
	counts := map[string]int{}
	var leftOut []string // why, each once
	ok = true
	for i, s := range c.list {
		var o outcome
		select {
		case o = <-outcomes[i]:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
		kind, text := judged(o)
		counts[kind]++
		fmt.Fprintf(c.stdout, "%-34s %-12s %4.0f s  %s\n", s.Name, s.Needs, o.took.Seconds(), text)
		if o.leftOut != "" {
			if !slices.Contains(leftOut, o.leftOut) {
				leftOut = append(leftOut, o.leftOut)
			}
			continue
		}
		ok = ok && o.err == nil && o.diff.OK()
		for _, e := range o.diff.Stale {
			fmt.Fprintf(c.stdout, "    explained and not there any more: %s\n", e.Line)
		}
		if c.verbose || !o.diff.Same() {
			fmt.Fprint(c.stdout, scenarios.Table(o.diff.Rows, c.verbose))
		}
		if o.err == nil {
			recorded[s.Name] = o.real
		}
	}
	fmt.Fprintf(c.stdout, "\n%d scenarios: %d the same, %d differ and are explained, %d DIFFER, %d left out, %d failed\n",
		len(c.list), counts["same"], counts["explained"], counts["DIFFERS"], counts["left out"], counts["failed"])
	if len(leftOut) > 0 && !c.leaveOut {
		// Not a word of the table says what these do: that must not look like agreement.
		fmt.Fprintf(c.stderr, "danube-connect compare: %d of %d scenarios were left out (%s); -leave-out makes that no failure\n",
			counts["left out"], len(c.list), strings.Join(leftOut, "; "))
		ok = false
	}
	if c.record != "" {
		return ok, recorded.Write(c.record)
	}
	return ok, nil
}

// judged is a row's last column.
func judged(o outcome) (kind, text string) {
	switch {
	case o.leftOut != "":
		return "left out", "left out: " + o.leftOut
	case o.err != nil:
		first, _, _ := strings.Cut(o.err.Error(), "\n")
		return "failed", "failed: " + first
	case !o.diff.OK():
		return "DIFFERS", "DIFFERS"
	case o.diff.Same():
		return "same", "same"
	}
	return "explained", "differs (explained: " + strings.Join(o.diff.Reasons, "; ") + ")"
}
