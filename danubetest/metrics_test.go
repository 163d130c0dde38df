package danubetest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// line returns the value of the one series that begins so, empty when there is none.
func line(text, series string) string {
	for _, l := range strings.Split(text, "\n") {
		if v, ok := strings.CutPrefix(l, series+" "); ok {
			return v
		}
	}
	return ""
}

// Each broker counts for itself: what has moved away stays in its gauges, and a restart
// begins at nothing.
func TestMetricsOfACluster(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		client := &http.Client{Transport: b.MetricsTransport()}
		url := b.MetricsURLs()
		want(t, "first", b.MetricsURL(), url[0])
		p := s.producer(topic, "p")
		c := s.open(topic, "s", "c", exclusive)
		p.send(numbers(0, 5)...)
		c.ack(c.offsets(5)[0])
		time.Sleep(time.Second)
		expect := func(what string, broker int, values map[string]string) {
			t.Helper()
			text := get(t, client, url[broker-1])
			for series, value := range values {
				series = strings.Replace(series, "}", `topic="`+topic+`",subscription="s"}`, 1)
				series = strings.Replace(series, `T`, `topic="`+topic+`"}`, 1)
				series = strings.Replace(series, "{", `{broker="`+string(rune('0'+broker))+`",`, 1)
				series = strings.Replace(series, ",-", "}", 1)
				want(t, what+": "+series, line(text, series), value)
			}
		}
		const (
			lag, out = "danube_subscription_lag_messages{}", "danube_consumer_messages_out_total{}"
			owned    = "danube_broker_topics_owned{-"
			in       = "danube_topic_messages_in_total{T"
		)
		expect("at first", 1, map[string]string{lag: "4", out: "5", in: "5", owned: "1", "danube_leader_election_state{-": "1"})
		expect("at first", 2, map[string]string{lag: "", out: "", in: "", owned: "0", "danube_leader_election_state{-": "0"})

		must(t, b.MoveTopic(topic, 2))
		time.Sleep(5 * time.Second)
		expect("moved away", 1, map[string]string{lag: "4", out: "5", in: "5", owned: "0"})
		expect("moved here", 2, map[string]string{lag: "", out: "", in: "", owned: "1"})
		conn, err := b.DialURL(b.URLs()[1])
		must(t, err)
		defer conn.Close()
		s2 := newStubs(t, conn)
		p = s2.producer(topic, "p")
		p.send("5")
		c = s2.open(topic, "s", "c", exclusive)
		time.Sleep(time.Second)
		expect("nothing acked here", 2, map[string]string{lag: "0", out: "5", in: "1"})
		c.ack(c.offsets(1)...)
		time.Sleep(time.Second)
		expect("acked here", 2, map[string]string{lag: "4", out: "5"})
		expect("moved away long ago", 1, map[string]string{lag: "4", out: "5"})

		list, err := adminpb.NewBrokerAdminClient(conn).ListBrokers(t.Context(), &adminpb.Empty{})
		must(t, err)
		for i, info := range list.GetBrokers() {
			want(t, "address", "http://"+info.GetMetricsAddr()+"/metrics", url[i])
		}
		must(t, b.KillBroker(1))
		if _, err := client.Get(url[0]); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("a dead broker: got %v", err)
		}
		must(t, b.StartBroker(1))
		expect("restarted", 1, map[string]string{lag: "", out: "", in: "", owned: "0"})
		if _, err := client.Get("http://elsewhere:9040/metrics"); err == nil {
			t.Error("another host: no error")
		}
	}, danubetest.WithBrokers(2), danubetest.WithTopic(topic, danubetest.TopicConfig{}))
}

// Over TCP each broker has a port.
func TestMetricsOverTCP(t *testing.T) {
	b := danubetest.Run(t, danubetest.WithBrokers(2), danubetest.WithMetrics("127.0.0.1:0"), danubetest.WithTopic(topic, danubetest.TopicConfig{}))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i, url := range b.MetricsURLs() {
		text := get(t, client, url)
		want(t, "topics", line(text, `danube_broker_topics_owned{broker="`+string(rune('1'+i))+`"}`), 1-i)
		if !strings.Contains(text, "# TYPE danube_subscription_lag_messages gauge\n") {
			t.Errorf("no type: %s", text)
		}
	}
	b.Stop()
	if _, err := client.Get(b.MetricsURL()); err == nil {
		t.Error("a stopped broker answers")
	}
	must(t, b.Start())
	get(t, client, b.MetricsURL())
	must(t, b.Close())
	if _, err := client.Get(b.MetricsURL()); err == nil {
		t.Error("a closed broker answers")
	}
	if urls := danubetest.Run(t).MetricsURLs(); len(urls) > 0 {
		t.Errorf("without metrics: %v", urls)
	}
	if _, err := danubetest.New(danubetest.WithMetrics("nonsense")); err == nil {
		t.Error("a bad address: no error")
	}
}

// While a dispatcher waits for a consumer that does not read, lag stays as it was.
func TestMetricsOfAStuckDispatcher(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		client := &http.Client{Transport: b.MetricsTransport()}
		lag := func() string {
			return line(get(t, client, b.MetricsURL()), `danube_subscription_lag_messages{broker="1",topic="`+topic+`",subscription="s"}`)
		}
		p := s.producer(topic, "p")
		c := s.open(topic, "s", "c", exclusive)
		p.send("0", "1")
		c.ack(c.offsets(2)[0])
		time.Sleep(time.Second)
		want(t, "lag", lag(), 1)
		s.subscribe(topic, "s", "c", exclusive) // and no stream
		p.send(numbers(0, 10)...)
		time.Sleep(time.Second)
		if got := lag(); got == "" || len(got) > 1 {
			t.Errorf("stuck: %s", got)
		}
		was := lag()
		p.send(numbers(0, 10)...)
		time.Sleep(time.Second)
		want(t, "lag of a stuck dispatcher", lag(), was)
		c = s.open(topic, "s", "c", exclusive)
		c.offsets(10)
		time.Sleep(time.Second)
		want(t, "lag of one that goes on", lag(), 21)
	}, danubetest.WithTraps(danubetest.TrapNoStream))
}
