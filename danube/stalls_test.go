package danube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// brokerPages are the metrics of brokers, by URL, for a client to fetch.
type brokerPages struct {
	mu    sync.Mutex
	pages map[string]string // a missing one refuses the connection, an empty one never answers
	asked map[string]int
}

func (b *brokerPages) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	if b.asked == nil {
		b.asked = map[string]int{}
	}
	b.asked[r.URL.String()]++
	text, ok := b.pages[r.URL.String()]
	b.mu.Unlock()
	switch {
	case !ok:
		return nil, errors.New("connection refused")
	case text == "":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case strings.HasPrefix(text, "danube_"):
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
	return &http.Response{StatusCode: 503, Status: "503 Service Unavailable", Body: io.NopCloser(strings.NewReader(text))}, nil
}

func (b *brokerPages) set(url, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pages == nil {
		b.pages = map[string]string{}
	}
	b.pages[url] = text
}

func (b *brokerPages) requests(url string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[url]
}

const pageA, pageB = "http://a:9040/metrics", "http://b:9040/metrics"

// page is what a broker says about one subscription.
func page(topic string, lag, stored, out int) string {
	k := fmt.Sprintf(`broker="1",topic="%s"`, topic)
	return fmt.Sprintf(`danube_subscription_lag_messages{%s,subscription="s"} %d
danube_subscription_active_consumers{%s,subscription="s"} 1
danube_consumer_messages_out_total{%s,subscription="s"} %d
danube_topic_messages_in_total{%s} %d
danube_producer_send_total{%s,result="ok",error_code="OK"} %d
`, k, lag, k, k, out, k, stored, k, stored)
}

// anomalies records what OnAnomaly says.
type anomalies struct {
	mu   sync.Mutex
	list []danube.Anomaly
}

func (a *anomalies) add(x danube.Anomaly) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, x)
}

// took returns what came since the last call, as text.
func (a *anomalies) took() (list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.list {
		list = append(list, x.String())
	}
	a.list = nil
	return list
}

// stalling is a broker made by hand that delivers what is put in feed, at offsets from
// 0 on, with its metrics beside it.
type stalling struct {
	*network
	pages brokerPages
	feed  chan string
	seen  anomalies
	topic string
}

func withStalling(t *testing.T, scenario func(*stalling)) {
	withBrokers(t, func(n *network) {
		s := &stalling{network: n, feed: make(chan string), topic: "/default/t"}
		n.brokers["a:1"].receive = func(stream danubepb.ConsumerService_ReceiveMessagesServer) error {
			for offset := uint64(0); ; offset++ {
				select {
				case payload := <-s.feed:
					if err := stream.Send(&danubepb.StreamMessage{RequestId: offset + 1, ProducerName: "p", Payload: []byte(payload), MsgId: &danubepb.MsgID{TopicName: s.topic, TopicOffset: offset}}); err != nil {
						return err
					}
				case <-stream.Context().Done():
					return nil
				}
			}
		}
		scenario(s)
	}, "a:1")
}

func (s *stalling) watched(change ...func(*danube.Config)) *danube.Client {
	s.Helper()
	return s.open(append([]func(*danube.Config){func(c *danube.Config) {
		c.Metrics, c.MetricsClient = []string{pageA, pageB}, &http.Client{Transport: &s.pages}
	}}, change...)...)
}

func (s *stalling) consume(c *danube.Client, change ...func(*danube.ConsumerConfig)) *danube.Consumer {
	s.Helper()
	return s.consumer(c, s.topic, append([]func(*danube.ConsumerConfig){func(c *danube.ConsumerConfig) {
		c.CreateTopic, c.OnAnomaly = false, s.seen.add
	}}, change...)...)
}

func (s *stalling) expect(want ...string) {
	s.Helper()
	got := s.seen.took()
	if len(got) != len(want) {
		s.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			s.Errorf("got %q, want %q", got, want)
		}
	}
}

// A silence is a stall where the broker says that it has something, and nowhere else;
// it is told once, and so is its end.
func TestStall(t *testing.T) {
	withStalling(t, func(s *stalling) {
		con := s.consume(s.watched())
		s.pages.set(pageA, page(s.topic, 0, 0, 0))
		s.pass(5 * time.Minute)
		s.expect()
		s.pages.set(pageA, page(s.topic, 3, 3, 0))
		s.pass(25 * time.Second)
		s.expect()
		s.pass(30 * time.Second)
		s.expect("has 3 messages and delivers none")
		s.pages.set(pageA, page(s.topic, 45000, 45000, 0))
		s.pass(5 * time.Minute)
		s.expect()

		s.feed <- "a"
		s.ack(con, s.receive(con, "a")...)
		s.expect("silence is over")
		s.pass(5 * time.Minute)
		s.expect("has 45000 messages and delivers none")
		s.pages.set(pageA, page(s.topic, 0, 45000, 1))
		s.pass(30 * time.Second)
		s.expect("silence is over")
		s.pass(5 * time.Minute)
		s.expect()
	})
}

// A broker that has restarted has no lag where its log is shorter than the position of
// the subscription, and delivers nothing: the stall lasts until something comes.
func TestStallOutlastsARestart(t *testing.T) {
	withStalling(t, func(s *stalling) {
		con := s.consume(s.watched())
		s.pages.set(pageA, page(s.topic, 3, 3, 0))
		s.pass(time.Minute)
		s.expect("has 3 messages and delivers none")
		s.pages.set(pageA, page(s.topic, 0, 0, 0))
		s.pass(5 * time.Minute)
		s.expect()
		s.pages.set(pageA, page(s.topic, 0, 1, 1))
		s.feed <- "a"
		s.ack(con, s.receive(con, "a")...)
		s.expect("silence is over")
		s.pass(5 * time.Minute)
		s.expect()
	})
}

// What the application holds back is its own doing.
func TestNoStallWhileTheApplicationWorks(t *testing.T) {
	withStalling(t, func(s *stalling) {
		con := s.consume(s.watched())
		s.pages.set(pageA, page(s.topic, 9, 9, 1))
		s.feed <- "a"
		s.pass(5 * time.Minute) // it waits for Receive
		m := s.receive(con, "a")
		s.pass(5 * time.Minute)
		s.expect()
		s.must(con.Nack(s.soon(), m[0], 0, "no"))
		s.pass(75 * time.Second) // the broker may bring it later
		s.expect()
		s.pass(75 * time.Second)
		s.expect("delivers none") // and does not: its deliveries may be used up
	})
}

// A Handler that does not return holds up its partition itself.
func TestNoStallWhileTheHandlerRuns(t *testing.T) {
	withStalling(t, func(s *stalling) {
		var con *danube.Consumer
		ready, hold := make(chan struct{}), make(chan struct{})
		con = s.consume(s.watched(), func(c *danube.ConsumerConfig) {
			c.Handler = func(m *danube.Message) {
				<-ready
				s.must(con.Ack(m))
				<-hold
			}
		})
		close(ready)
		s.pages.set(pageA, page(s.topic, 9, 9, 1))
		s.feed <- "a"
		s.pass(5 * time.Minute)
		s.expect()
		close(hold)
		s.pass(time.Minute)
		s.expect("delivers none")
	})
}

// A consumer that is paused, or away, hears of its sessions and of no stall.
func TestNoStallWithoutASession(t *testing.T) {
	withStalling(t, func(s *stalling) {
		con := s.consume(s.watched())
		s.pages.set(pageA, page(s.topic, 9, 9, 1))
		con.Pause()
		s.pass(5 * time.Minute)
		s.expect()
		con.Resume()
		s.pass(time.Minute)
		s.expect("delivers none")
	})
}

// On a Shared subscription others may hold up what is to come, for a while.
func TestStallOfSharedSubscription(t *testing.T) {
	withStalling(t, func(s *stalling) {
		s.consume(s.watched(), func(c *danube.ConsumerConfig) { c.Type = danube.Shared })
		for out := range 30 {
			s.pages.set(pageA, page(s.topic, 9, 100+out, out))
			s.pass(10 * time.Second)
		}
		s.pass(5 * time.Minute) // the lag may be what was skipped once
		s.expect()
		s.pages.set(pageA, page(s.topic, 9, 200, 29))
		s.pass(40 * time.Second)
		s.expect()
		s.pass(40 * time.Second)
		s.expect("delivers none")
	})
}

// One page serves all consumers, and a broker that does not answer, answers nonsense or
// has lost the topic neither delays the others' nor counts.
func TestStallsOfSeveralConsumers(t *testing.T) {
	withStalling(t, func(s *stalling) {
		client := s.watched(func(c *danube.Config) { c.MetricsInterval, c.StallAfter = time.Second, 10*time.Second })
		var events sessions
		s.consume(client, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		s.consume(client, func(c *danube.ConsumerConfig) { c.Subscription = "another" })
		s.pages.set(pageA, page(s.topic, 1, 1, 0))
		s.pages.set(pageB, strings.ReplaceAll(page(s.topic, 7, 9, 0), "active_consumers", "former"))
		s.pass(100 * time.Second)
		s.expect("has 1 messages")
		if n := s.pages.requests(pageA); n < 80 || n > 125 {
			s.Errorf("%d requests in 100 s, want one a second", n)
		}
		for _, text := range []string{"out of order", "", "danube_subscription_lag_messages{"} {
			s.pages.set(pageB, text)
			s.pass(30 * time.Second)
		}
		s.expect()
		s.pages.set(pageB, "out of order")
		s.pages.set(pageA, page(s.topic, 0, 1, 0))
		s.pass(10 * time.Second)
		s.expect("is over")
		events.wantStates(s.lab, s.topic, danube.Ready)
	})
}

// Without a consumer nobody asks, and none is told of anything once Close has returned.
func TestStallAfterClose(t *testing.T) {
	withStalling(t, func(s *stalling) {
		client := s.watched()
		con := s.consume(client)
		s.pages.set(pageA, page(s.topic, 9, 9, 1))
		s.pass(25 * time.Second)
		s.pages.set(pageA, "") // a request that hangs ends with the consumer
		s.pass(12 * time.Second)
		start := time.Now()
		s.must(con.Close(s.soon()))
		if d := time.Since(start); d > time.Second { // it lets the broker finish sending
			s.Errorf("Close took %v", d)
		}
		n := s.pages.requests(pageA)
		s.pages.set(pageA, page(s.topic, 9, 9, 1))
		s.pass(10 * time.Minute)
		s.expect()
		if more := s.pages.requests(pageA) - n; more > 0 {
			s.Errorf("%d requests without a consumer", more)
		}
		s.consume(client)
		s.pass(time.Minute)
		s.expect("delivers none")
	})
}

func TestMetricsConfig(t *testing.T) {
	l := &lab{T: t}
	_, err := danube.Open(danube.Config{Seeds: []string{"a:1"}, Metrics: []string{"http://ok:1", "b:9040"}, StallAfter: -1, MetricsInterval: -1})
	l.want(err, danube.ErrInvalid, "b:9040", "StallAfter", "MetricsInterval")
	metrics := []string{"http://ok:1"}
	c, err := danube.Open(danube.Config{Seeds: []string{"a:1"}, Metrics: metrics})
	l.must(err)
	l.must(c.Close(context.Background()))
	if metrics[0] != "http://ok:1" {
		t.Error("the caller's list was changed")
	}
}
