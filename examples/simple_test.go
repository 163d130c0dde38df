package examples_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// here is the environment of examples that meet at an address of the test's own.
func here(t *testing.T, more ...string) []string {
	return append([]string{"EXAMPLE_BROKER_ADDR=" + free(t), "METRICS_PORT=0", "PAUSE=10ms"}, more...)
}

// checkSink fails the test unless the sink has printed the crate's output for n
// messages, in order and each once.
func checkSink(t *testing.T, stdout, topic string, n int) {
	t.Helper()
	blocks := strings.Split(stdout, "=== Message #")[1:]
	if len(blocks) != n {
		t.Fatalf("%d messages, want %d", len(blocks), n)
	}
	for i, b := range blocks {
		for _, want := range []string{
			fmt.Sprintf("%d ===\nTopic: %s\nOffset: ", i+1, topic),
			"\nSize: ", " bytes\nProducer: ", "\nPublish Time: 2",
			fmt.Sprintf("\nPayload (string): Test message #%d - Timestamp: 1", i+1),
			fmt.Sprintf("\nAttributes:\n  batch_index = %d\n  message_number = %d\n  source = simple-source-connector\n", i%5, i+1),
		} {
			if !strings.Contains(b, want) {
				t.Fatalf("message %d lacks %q:\n%s", i+1, want, b)
			}
		}
	}
}

func TestSimpleSinkFirst(t *testing.T) {
	t.Parallel()
	env := here(t)
	sink := start(t, "simple_sink", run{env: env})
	sink.expect(&sink.stderr, "connector running")
	if !strings.Contains(sink.stderr.String(), "started an embedded one") {
		t.Error("it does not say that the broker is its own")
	}
	source := start(t, "simple_source", run{env: env})
	if code := source.wait(); code != 0 {
		t.Errorf("source: exit code %d", code)
	}
	if strings.Contains(source.stderr.String(), "started an embedded one") {
		t.Error("the source has not found the sink's broker")
	}
	if n := strings.Count(source.stdout.String(), "Generated message #"); n != 100 {
		t.Errorf("the source has generated %d messages", n)
	}
	sink.expect(&sink.stdout, "  message_number = 100\n")
	if code := sink.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("sink: exit code %d", code)
	}
	checkSink(t, sink.stdout.String(), "/default/test", 100)
	if !strings.Contains(sink.stdout.String(), "Total messages processed: 100\n") {
		t.Error("the sink was not shut down")
	}
}

func TestSimpleSourceFirst(t *testing.T) {
	t.Parallel()
	env := here(t, "DANUBE_TOPIC=/default/mine", "MESSAGES=12")
	source := start(t, "simple_source", run{env: env})
	source.expect(&source.stderr, "waiting for a subscription to /default/mine")
	if strings.Contains(source.stdout.String(), "Generated") {
		t.Error("it publishes what nobody will see")
	}
	sink := start(t, "simple_sink", run{env: env})
	sink.expect(&sink.stdout, "  message_number = 12\n")
	source.expect(&source.stderr, "the embedded broker stays")
	if code := sink.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("sink: exit code %d", code)
	}
	checkSink(t, sink.stdout.String(), "/default/mine", 12)
	if code := source.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("source: exit code %d", code)
	}
}

func TestSimpleSourceStopped(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		env := here(t, "PAUSE=1h")
		source := start(t, "simple_source", run{env: env})
		source.expect(&source.stderr, "waiting for a subscription")
		if code := source.stop(s); code != 0 {
			t.Errorf("%v while it waits: exit code %d", s, code)
		}
		source = start(t, "simple_source", run{env: env})
		source.expect(&source.stderr, "waiting for a subscription")
		sink := start(t, "simple_sink", run{env: env})
		sink.expect(&sink.stdout, "  message_number = 5\n  source = simple-source-connector\n")
		if code := source.stop(s); code != 0 {
			t.Errorf("%v between messages: exit code %d", s, code)
		}
		checkSink(t, sink.stdout.String(), "/default/test", 5) // what was generated was published
	}
}

func TestSimpleSinkWithoutABroker(t *testing.T) {
	t.Parallel()
	sink := start(t, "simple_sink", run{env: []string{"DANUBE_SERVICE_URL=http://" + free(t), "METRICS_PORT=0"}})
	sink.expect(&sink.stderr, "connection refused")
	begin := time.Now()
	if code := sink.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(begin); took > 10*time.Second { // the drain deadline is 20 s
		t.Errorf("it took %v to stop", took)
	}
	if strings.Contains(sink.stderr.String(), "embedded") {
		t.Error("a broker was started where one is configured")
	}
}

func TestSimpleWrongConfiguration(t *testing.T) {
	t.Parallel()
	source := start(t, "simple_source", run{env: here(t, "DANUBE_TOPIC=test", "BATCH_SIZE=many", "PAUSE=long")})
	if code := source.wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, want := range []string{"problems", "destination_topic", "BATCH_SIZE", "PAUSE"} {
		if !strings.Contains(source.stderr.String(), want) {
			t.Errorf("the error does not name %s", want)
		}
	}
}

// TestSimpleRealBroker runs both against the broker that DANUBE_SERVICE_URL names.
func TestSimpleRealBroker(t *testing.T) {
	t.Parallel()
	url := os.Getenv("DANUBE_SERVICE_URL")
	if url == "" {
		t.Skip("DANUBE_SERVICE_URL is not set: there is no real broker to run against")
	}
	topic := fmt.Sprintf("/default/simple-%d", time.Now().UnixNano())
	env := []string{"DANUBE_SERVICE_URL=" + url, "DANUBE_TOPIC=" + topic, "METRICS_PORT=0", "PAUSE=10ms"}
	sink := start(t, "simple_sink", run{env: env})
	sink.expect(&sink.stderr, "connector running")
	source := start(t, "simple_source", run{env: env})
	if code := source.wait(); code != 0 {
		t.Errorf("source: exit code %d", code)
	}
	sink.expect(&sink.stdout, "  message_number = 100\n")
	if code := sink.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("sink: exit code %d", code)
	}
	checkSink(t, sink.stdout.String(), topic, 100)
}
