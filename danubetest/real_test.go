package danubetest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// The scenarios below run on danubetest and, where DANUBE_SERVICE_URL names one, on a
// real broker with a window of 10 and its admin service at DANUBE_ADMIN_URL. What they
// write down must be the same on both.

var scenarios = slices.Concat(noTraps(), schemaScenarios, metricScenarios, trapScenarios, keyScenarios)

func noTraps() (list []scenario) {
	for _, sc := range slices.Concat(publishScenarios, deliveryScenarios, againScenarios, adminScenarios) {
		list = append(list, scenario{name: sc.name, run: sc.run, want: sc.want})
	}
	return list
}

// lab is one broker and what a scenario saw of it.
type lab struct {
	*stubs
	run string // makes names unique
	// scrape returns the broker's metrics; nil on a real one whose address nobody knows.
	scrape func() string
	seen   []string
}

// topic returns the name of a topic of this run. None is the beginning of another:
// the real broker would confuse them.
func (l *lab) topic(name string) string { return "/default/" + name + "_" + l.run + "_z" }

func (l *lab) log(format string, args ...any) {
	l.seen = append(l.seen, strings.ReplaceAll(fmt.Sprintf(format, args...), l.run, "RUN"))
}

// fragments are what clients look for in the texts of statuses.
var fragments = []string{
	"invalid format", "redo the Lookup", "redo the lookup", "Unable to find the namespace", "Unable to find the topic",
	"dispatch strategy does not match", "The producer with id", "Unable to publish the message:", "not found in registry",
	"is not attached to topic", "message length too large", "Exclusive subscription can't be shared", "Not able to subscribe",
	"The consumer with the id", "Error acknowledging message", "Error negatively acknowledging message", "Subscription not found",
	"Unable to find the requested topic", "Dispatch strategy is missing", "Invalid client type", "already exist", "non-partitioned topic",
}

// status writes down the code and the known fragments of an answer.
func (l *lab) status(what string, err error) {
	text := ""
	for _, f := range fragments {
		if strings.Contains(status.Convert(err).Message(), f) {
			text += fmt.Sprintf(" %q", f)
		}
	}
	l.log("%s: %s%s", what, status.Code(err), text)
	if testing.Verbose() && err != nil {
		l.t.Logf("%s: %v", what, err)
	}
}

// sleep waits: no time at all in a bubble, but a real broker tells nobody when it has
// done something.
func (l *lab) sleep(d time.Duration) { time.Sleep(d) }

// until waits until something is true, for ten seconds at most.
func (l *lab) until(true func() bool) {
	for range 100 {
		if true() {
			return
		}
		l.sleep(100 * time.Millisecond)
	}
}

// ready creates a topic by creating a producer, again and again until the topic is there.
func (l *lab) ready(topic string) (p *producer) {
	l.t.Helper()
	var err error
	l.until(func() bool {
		p, err = l.tryProducer(topic, "p")
		return status.Code(err) != codes.Unavailable
	})
	must(l.t, err)
	return p
}

// within returns the payloads that come until the stream has been quiet for a second,
// and how it ended if it did.
func (l *lab) within(c *consumer) string {
	var got []string
	type item struct {
		m   *pb.StreamMessage
		err error
	}
	items := make(chan item)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := c.stream.Recv()
			select {
			case items <- item{m, err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	defer func() {
		close(stop)
		c.cancel()
		<-done
	}()
	for {
		select {
		case i := <-items:
			if i.err != nil {
				if errors.Is(i.err, io.EOF) {
					return strings.Join(append(got, "EOF"), " ")
				}
				return strings.Join(append(got, status.Code(i.err).String()), " ")
			}
			got = append(got, string(i.m.GetPayload()))
		case <-time.After(time.Second):
			return strings.Join(got, " ")
		}
	}
}

func numbers(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func fakeRun(t *testing.T, run func(*lab), opts ...danubetest.Option) (seen []string) {
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, append(opts, danubetest.WithBufconn(), danubetest.WithClusterCreate())...)
		l := &lab{stubs: dial(t, b), run: "fake"}
		client := &http.Client{Transport: b.MetricsTransport()}
		l.scrape = func() string { return get(t, client, b.MetricsURL()) }
		run(l)
		seen = l.seen
	})
	return seen
}

func realRun(t *testing.T, run func(*lab)) []string {
	dial := func(url string) *grpc.ClientConn {
		conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(url, "http://"),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(8<<20), grpc.MaxCallSendMsgSize(8<<20)))
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	l := &lab{stubs: newStubs(t, dial(os.Getenv("DANUBE_SERVICE_URL"))), run: fmt.Sprint(time.Now().UnixNano())}
	l.topics, l.spaces = nil, nil
	if url := os.Getenv("DANUBE_ADMIN_URL"); url != "" {
		admin := newStubs(t, dial(url))
		l.topics, l.spaces = admin.topics, admin.spaces
	}
	if url := os.Getenv("DANUBE_METRICS_URL"); url != "" {
		l.scrape = func() string { return get(t, http.DefaultClient, url+"/metrics") }
	}
	run(l)
	return l.seen
}

func TestScenarios(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			for _, p := range []danubetest.Profile{danubetest.Sound, danubetest.Real} {
				if p == danubetest.Sound && sc.trap {
					continue
				}
				if got := fakeRun(t, sc.run, danubetest.WithProfile(p)); !slices.Equal(got, sc.want) {
					t.Errorf("profile %d: got:\n%s\nwant:\n%s", p, strings.Join(got, "\n"), strings.Join(sc.want, "\n"))
				}
			}
		})
	}
}

func TestScenariosOnTheRealBroker(t *testing.T) {
	if os.Getenv("DANUBE_SERVICE_URL") == "" {
		t.Skip("DANUBE_SERVICE_URL is not set: not compared with a real broker")
	}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			got := realRun(t, sc.run)
			if got == nil {
				t.Skip("DANUBE_ADMIN_URL or DANUBE_METRICS_URL is not set: not compared with a real broker")
			}
			if !slices.Equal(got, sc.want) {
				t.Errorf("real broker:\n%s\ndanubetest:\n%s", strings.Join(got, "\n"), strings.Join(sc.want, "\n"))
			}
		})
	}
}
