package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// peerTopics are how many topics a source publishes to by turns.
var peerTopics = []int{1, 8}

// peerResult is a source of this SDK beside one of the published Rust crate.
type peerResult struct {
	Broker  string     `json:"broker"`
	URL     string     `json:"url"`
	Cells   []peerCell `json:"cells"`
	Skipped string     `json:"skipped,omitempty"`
}

type peerCell struct {
	Topics int       `json:"topics"`
	Size   int       `json:"size"`
	Ours   []float64 `json:"ours"` // records a second, by round
	Peer   []float64 `json:"peer"`
}

// peer measures both sources, one after the other in each round.
func peer(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	res := peerResult{Broker: b.broker.name, URL: b.broker.url}
	program, err := buildPeer(ctx, log)
	if err != nil {
		res.Skipped = err.Error()
		fmt.Fprintf(log, "peer                 NOT MEASURED: %v\n", err)
		return res, nil
	}
	n := f.n
	if n == 0 {
		n = 10_000 // more than a second of the peer
	}
	for _, size := range f.sizes {
		for _, topics := range peerTopics {
			c := peerCell{Topics: topics, Size: size}
			start := time.Now()
			for range f.rounds {
				ours, err := b.ownPeer(ctx, c, n)
				if err != nil {
					return nil, fmt.Errorf("our source: %w", err)
				}
				theirs, err := b.otherPeer(ctx, program, c, n)
				if err != nil {
					return nil, fmt.Errorf("the peer: %w", err)
				}
				c.Ours, c.Peer = append(c.Ours, ours), append(c.Peer, theirs)
			}
			fmt.Fprintf(log, "peer %d topics %-6s %d rounds, %v\n", topics, sizeName(size), f.rounds, time.Since(start).Round(100*time.Millisecond))
			res.Cells = append(res.Cells, c)
		}
	}
	return res, nil
}

// buildPeer builds the Rust program, outside of the repository.
func buildPeer(ctx context.Context, log io.Writer) (program string, err error) {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		return "", errors.New("there is no cargo in the path")
	}
	manifest := filepath.Join("benchmarks", "peer", "Cargo.toml")
	if _, err := os.Stat(manifest); err != nil {
		return "", fmt.Errorf("run it from the top of the repository: %w", err)
	}
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		target = filepath.Join(cache, "danube-connect-go", "peer")
	}
	fmt.Fprintln(log, "peer                 building it, which takes minutes the first time; it needs protobuf-compiler")
	cmd := exec.CommandContext(ctx, cargo, "build", "--release", "--quiet", "--manifest-path", manifest, "--target-dir", target)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cargo build: %w\n%s", err, out.String())
	}
	return filepath.Join(target, "release", "peer"), nil
}

// peerRun names the topics of one pass, and forgets them afterwards.
func (b *bench) peerRun(topics int) (prefix string, names []string, forget func()) {
	b.runs++
	prefix = fmt.Sprintf("/default/peer-%s-%04d", b.stamp, b.runs)
	for i := range topics {
		names = append(names, fmt.Sprintf("%s-%d", prefix, i))
	}
	return prefix, names, func() {
		for _, n := range names {
			b.broker.forget(n)
		}
	}
}

// otherPeer makes one pass of the Rust program.
func (b *bench) otherPeer(ctx context.Context, program string, c peerCell, n int) (rate float64, err error) {
	prefix, _, forget := b.peerRun(c.Topics)
	defer forget()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, b.broker.url, prefix, strconv.Itoa(c.Topics), strconv.Itoa(c.Size), strconv.Itoa(n/5), strconv.Itoa(n))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%w: %s%s", err, out, stderr.String())
	}
	lines := strings.Fields(string(out))
	if len(lines) == 0 {
		return 0, fmt.Errorf("it has printed nothing: %s", stderr.String())
	}
	seconds, err := strconv.ParseFloat(lines[len(lines)-1], 64)
	if err != nil || seconds <= 0 {
		return 0, fmt.Errorf("it has printed %q", out)
	}
	return float64(n) / seconds, nil
}

// ownPeer makes one pass of a SourceRuntime that does the same.
func (b *bench) ownPeer(ctx context.Context, c peerCell, n int) (rate float64, err error) {
	_, names, forget := b.peerRun(c.Topics)
	defer forget()
	cfg := connect.DefaultConfig()
	cfg.ServiceURL, cfg.ConnectorName, cfg.MetricsPort = b.broker.url, "peer", 0
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	s := &peerSource{topics: names, payload: bytes.Repeat([]byte("x"), c.Size), warmup: n / 5, count: n, done: cancel}
	rt, err := connect.NewSourceRuntime(s, connect.WithConfig(cfg), connect.WithLogger(silent), connect.WithoutSignals())
	if err != nil {
		return 0, err
	}
	err = rt.Run(ctx)
	if s.took <= 0 {
		return 0, errors.Join(err, errors.New("it has not come to its end"))
	}
	return float64(n) / s.took.Seconds(), err
}

// peerSource is the same connector as benchmarks/peer/src/main.rs.
type peerSource struct {
	topics    []string
	payload   []byte
	turn      int
	warmup    int
	count     int
	committed int
	start     time.Time
	took      time.Duration
	done      func()
}

func (s *peerSource) Initialize(context.Context, *connect.Setup) error { return nil }

func (s *peerSource) ProducerConfigs(context.Context) ([]connect.ProducerConfig, error) {
	var list []connect.ProducerConfig
	for _, t := range s.topics {
		list = append(list, connect.ProducerConfig{Topic: t})
	}
	return list, nil
}

func (s *peerSource) Poll(context.Context) ([]*connect.SourceRecord, error) {
	if s.took > 0 {
		return nil, nil
	}
	list := make([]*connect.SourceRecord, pollBatch)
	for i := range list {
		list[i] = connect.NewRecord(s.topics[s.turn%len(s.topics)], s.payload).WithOffset(positions[s.turn%2])
		s.turn++
	}
	return list, nil
}

func (s *peerSource) Commit(_ context.Context, offsets []connect.Offset) error {
	s.committed += len(offsets)
	switch {
	case s.took > 0:
	case s.start.IsZero() && s.committed >= s.warmup:
		s.start, s.committed = time.Now(), 0
	case !s.start.IsZero() && s.committed >= s.count:
		s.took = time.Since(s.start) * time.Duration(s.count) / time.Duration(s.committed)
		s.done()
	}
	return nil
}

func (s *peerSource) Shutdown(context.Context) error { return nil }

func (c peerCell) ratio() summary { return summarize(ratios(c.Ours, c.Peer)) }

func (r peerResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nbroker: %s, %s\n\n", r.Broker, r.URL)
	if r.Skipped != "" {
		fmt.Fprintf(w, "NOT MEASURED: %s\n", r.Skipped)
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "topics\tsize\tours msg/s\t\tpeer msg/s\t\tratio\t")
	for _, c := range r.Cells {
		ours, theirs := summarize(c.Ours), summarize(c.Peer)
		ratio, around := ratioText(c.ratio())
		fmt.Fprintf(tw, "%d\t%s\t%.0f\t(%.0f-%.0f)\t%.0f\t(%.0f-%.0f)\t%s\t%s\n", c.Topics, sizeName(c.Size),
			ours.Median, ours.Low, ours.High, theirs.Median, theirs.Low, theirs.High, ratio, around)
	}
	_ = tw.Flush()
}

func (r peerResult) targets() (list []target) {
	for _, c := range r.Cells {
		want := "level at least"
		if c.Topics > 1 {
			want = "at least 3 times"
		}
		list = append(list, target{fmt.Sprintf("a source on %d topics, %s, against the Rust crate", c.Topics, sizeName(c.Size)), want, c.ratio().spread("%.2f")})
	}
	return list
}

func (peerResult) legend() string {
	return `
The peer is a source of the published Rust crate danube-connect-core 0.4.1, in benchmarks/peer. Both do the same: 64
records from each poll, to the topics by turns, and count what is committed. Ours has stamps on its messages.
`
}
