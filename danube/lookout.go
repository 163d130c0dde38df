package danube

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// lookout reads the brokers' metrics for all consumers of a client, on one goroutine
// that is there while there is a consumer.
type lookout struct {
	client *Client
	urls   []string
	http   *http.Client

	mu      sync.Mutex
	watched map[*partition]struct{}
	stop    context.CancelFunc // nil while nothing is watched
	stopped chan struct{}

	failing map[string]bool // by URL; the goroutine's own
}

// metricsTimeout bounds one request to one broker.
const metricsTimeout = 5 * time.Second

func newLookout(c *Client, urls []string) *lookout {
	l := &lookout{client: c, urls: urls, http: c.cfg.MetricsClient, watched: map[*partition]struct{}{}, failing: map[string]bool{}}
	if l.http == nil {
		// Seldom enough for a connection each, which leaves none behind.
		l.http = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ResponseHeaderTimeout: metricsTimeout}}
	}
	return l
}

// add watches a partition from now on.
func (l *lookout) add(p *partition) {
	if len(l.urls) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watched[p] = struct{}{}
	if l.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		l.stop, l.stopped = cancel, make(chan struct{})
		go l.run(ctx, l.stopped)
	}
}

// remove forgets a partition. With the last one it waits until the goroutine is gone.
func (l *lookout) remove(p *partition) {
	l.mu.Lock()
	delete(l.watched, p)
	var stopped chan struct{}
	if len(l.watched) == 0 && l.stop != nil {
		l.stop()
		l.stop, stopped = nil, l.stopped
	}
	l.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

func (l *lookout) run(ctx context.Context, stopped chan struct{}) {
	defer close(stopped)
	for sleep(ctx, spread(l.client.cfg.MetricsInterval)) {
		l.round(ctx)
	}
}

// round asks every broker once and lets every partition judge.
func (l *lookout) round(ctx context.Context) {
	l.mu.Lock()
	parts := slices.Collect(maps.Keys(l.watched))
	l.mu.Unlock()
	// Each says what it has before the brokers are asked: what they have counted by then
	// it may still receive, what it has received they have counted.
	views := make([]partitionView, len(parts))
	about := map[subscriptionKey]struct{}{}
	for i, p := range parts {
		views[i] = p.view()
		about[p.key()] = struct{}{}
	}
	said := l.ask(ctx, about)
	if ctx.Err() != nil {
		return
	}
	for i, p := range parts {
		at, m := choose(l.urls, said, p.key())
		p.look(views[i], at, m)
	}
}

// ask asks all brokers at once; one that does not answer is nil.
func (l *lookout) ask(ctx context.Context, about map[subscriptionKey]struct{}) []brokerMetrics {
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	said := make([]brokerMetrics, len(l.urls))
	errs := make([]error, len(l.urls))
	var wg sync.WaitGroup
	for i, at := range l.urls {
		wg.Go(func() { said[i], errs[i] = l.fetch(ctx, at, about) })
	}
	wg.Wait()
	for i, at := range l.urls {
		if failing := errs[i] != nil; failing != l.failing[at] && ctx.Err() != context.Canceled {
			l.failing[at] = failing
			if failing {
				l.client.log.Warn("danube: the metrics of a broker cannot be read: consumers that it has stalled would look idle", "metrics", redacted(at), "error", errs[i])
			} else {
				l.client.log.Info("danube: the metrics of a broker can be read again", "metrics", redacted(at))
			}
		}
	}
	return said
}

func (l *lookout) fetch(ctx context.Context, at string, about map[subscriptionKey]struct{}) (brokerMetrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return nil, fmt.Errorf("status %s: %q", resp.Status, text)
	}
	return parseMetrics(resp.Body, about)
}

// choose picks the broker whose word on a subscription counts: one that has consumers
// of it, since one that the topic has left repeats for ever what it said last. Between
// two that both have some, the smaller lag is the safer guess.
func choose(urls []string, said []brokerMetrics, k subscriptionKey) (at string, m *subscriptionMetrics) {
	for i, broker := range said {
		if s := broker[k]; s != nil && s.consumers > 0 && (m == nil || s.lag < m.lag) {
			at, m = urls[i], s
		}
	}
	return at, m
}

// metricsURL checks one address of Config.Metrics and adds the path where it has none.
func metricsURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", invalid("Metrics: an address that cannot be read; want http://host:9040/metrics")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !isHost(u.Hostname()) || u.Fragment != "" {
		return "", invalid("Metrics: %q; want http://host:9040/metrics", shown(s))
	}
	if strings.Contains(u.Host[strings.LastIndexByte(u.Host, ']')+1:], ":") && !isPort(u.Port()) {
		return "", invalid("Metrics: %q: the port is not a number from 1 to 65535", shown(s))
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/metrics"
	}
	return u.String(), nil
}

// redacted is an address without the password that it may hold.
func redacted(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "?"
	}
	return u.Redacted()
}
