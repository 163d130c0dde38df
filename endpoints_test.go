package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// get asks a runtime's server.
func get(t *testing.T, addr net.Addr, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + addr.String() + path)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

func onPort(port int) func(*Config) {
	return func(c *Config) { c.MetricsAddr, c.MetricsPort = "127.0.0.1", port }
}

// taken returns a port that somebody listens on, with the next ones free, most likely.
func taken(t *testing.T) int {
	t.Helper()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { busy.Close() })
	return busy.Addr().(*net.TCPAddr).Port
}

func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestEndpointsFollowTheRun(t *testing.T) {
	onTCP(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		release := make(chan struct{})
		initialized := make(chan net.Addr, 1)
		sink := &testSink{process: hang(release)}
		var rt *SinkRuntime
		hold := make(chan struct{})
		sink.initialize = func(context.Context, *Setup) error {
			initialized <- rt.MetricsAddress()
			<-hold
			return nil
		}
		rt = l.newSink(sink, l.config(onPort(free(t))))
		r := l.start(rt.core, rt.Run)
		addr := <-initialized

		code, body := get(t, addr, "/readyz")
		var answer struct {
			Ready   bool
			Reasons map[string]string
		}
		must(t, json.Unmarshal([]byte(body), &answer))
		if code != 503 || answer.Ready || answer.Reasons["start"] != "initializing" {
			t.Errorf("/readyz during Initialize: %d %s", code, body)
		}
		if code, body := get(t, addr, "/healthz"); code != 200 || !strings.Contains(body, `"alive":true`) {
			t.Errorf("/healthz during Initialize: %d %s", code, body)
		}
		close(hold)
		r.ready()
		if code, body := get(t, addr, "/readyz"); code != 200 || body != `{"ready":true}`+"\n" {
			t.Errorf("/readyz of a running sink: %d %s", code, body)
		}
		l.publish(topic, "1")
		l.until("in Process", func() bool { return len(sink.seen()) == 1 })
		_, body = get(t, addr, "/metrics")
		for _, line := range []string{
			fmt.Sprintf(`danube_connector_messages_received_total{connector="c",topic=%q} 1`, topic),
			fmt.Sprintf(`danube_connector_inflight_messages{connector="c",topic=%q} 1`, topic),
			"go_goroutines ",
		} {
			if !strings.Contains(body, line) {
				t.Errorf("/metrics lacks %s", line)
			}
		}
		r.cancel()
		l.until("stopping", func() bool { return r.board.NotReady()["stop"] != "" })
		if code, body := get(t, addr, "/readyz"); code != 503 || !strings.Contains(body, "stopping") {
			t.Errorf("/readyz during the drain: %d %s", code, body)
		}
		close(release)
		must(t, r.wait())
		if _, err := net.Dial("tcp", addr.String()); err == nil {
			t.Error("the port is still open")
		}
	})
}

func TestMetricsPortThatIsTaken(t *testing.T) {
	onTCP(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		port := taken(t)

		sink := &testSink{}
		err := l.begin(sink, onPort(port)).wait()
		if ExitCode(err) != 2 || !strings.Contains(fmt.Sprint(err), fmt.Sprint(port)) {
			t.Errorf("a configured port: got %v, want a configuration error that names it", err)
		}
		same(t, "the connector's life", sink.lifetime(), "")
	})
}

func TestDefaultMetricsPortThatIsTaken(t *testing.T) {
	onTCP(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		// The default port, or whoever has it already.
		busy, err := net.Listen("tcp", "127.0.0.1:9090")
		if err == nil {
			defer busy.Close()
		}
		rt := l.newSink(&testSink{}, l.config(func(c *Config) { c.MetricsAddr, c.MetricsPort = "127.0.0.1", 9090 }))
		r := l.start(rt.core, rt.Run).ready()
		if r.ended() {
			t.Fatalf("Run: %v", r.err)
		}
		addr, ok := rt.MetricsAddress().(*net.TCPAddr)
		if !ok || addr.Port <= 9090 || addr.Port >= 9100 {
			t.Errorf("serving on %v, want one of the nine ports after 9090", rt.MetricsAddress())
		}
		if l.log.count("WARN", "default metrics port is taken", fmt.Sprint(addr.Port)) != 1 {
			t.Error("the log does not say which port it is")
		}
		if code, _ := get(t, addr, "/healthz"); code != 200 {
			t.Errorf("/healthz: %d", code)
		}
		r.stopped()
	})
}

func TestNoEndpoints(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		rt := l.newSink(&testSink{}, l.config())
		r := l.start(rt.core, rt.Run).ready()
		if rt.MetricsAddress() != nil {
			t.Errorf("serving on %v", rt.MetricsAddress())
		}
		r.stopped()
	})
}

func TestReadinessFollowsTheSessions(t *testing.T) {
	for _, parts := range []int{0, 3} {
		t.Run(fmt.Sprint(parts, " partitions"), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				l.topic("t", parts)
				l.b.Stop()
				sink := l.begin(&testSink{})
				source := l.source(&testSource{})
				for what, r := range map[string]*run{"subscription": sink, "producer": source} {
					l.until("trying", func() bool { return len(r.board.NotReady()) > 1 })
					reasons := fmt.Sprint(r.board.NotReady())
					if !strings.Contains(reasons, what+" of "+l.name("t")) || !strings.Contains(reasons, "connecting") {
						t.Errorf("not ready: %s, want the %s", reasons, what)
					}
				}
				l.must(l.b.Start())
				sink.ready()
				source.ready()
				l.b.Stop()
				l.until("not ready", func() bool { return sink.board.NotReady() != nil && source.board.NotReady() != nil })
				l.must(l.b.Start())
				sink.ready()
				source.ready()
				same(t, "health", sink.metric("health"), 1)
				source.stopped()
				sink.stopped()
			})
		})
	}
}
