package danube

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// As a broker of 0.15.1 writes them.
const someMetrics = `# HELP danube_subscription_lag_messages Number of messages the subscription is behind the topic WAL head
# TYPE danube_subscription_lag_messages gauge
danube_subscription_lag_messages{broker="136",topic="/default/a",subscription="s"} 45
danube_subscription_lag_messages{broker="136",topic="/default/b",subscription="s"} 7
danube_subscription_lag_messages{broker="136",topic="/default/a",subscription="other"} 8

danube_subscription_active_consumers{broker="136",topic="/default/a",subscription="s"} 1
danube_consumer_messages_out_total{broker="136",topic="/default/a",subscription="s"} 15
danube_producer_send_total{broker="136"} 0
danube_producer_send_total{broker="136",topic="/default/a",result="ok",error_code="OK"} 50
danube_producer_send_total{broker="136",topic="/default/a",result="error",error_code="PermissionDenied"} 3
danube_topic_messages_in_total{broker="136",topic="/default/a"} 53
`

var (
	subA = subscriptionKey{"/default/a", "s"}
	onA  = map[subscriptionKey]struct{}{subA: {}}
)

func TestParseMetrics(t *testing.T) {
	lag := func(labels, value string) string {
		return "danube_subscription_lag_messages{" + labels + "} " + value + "\n"
	}
	ours := `topic="/default/a",subscription="s"`
	tests := map[string]struct {
		text string
		want subscriptionMetrics
	}{
		"all":              {someMetrics, subscriptionMetrics{lag: 45, out: 15, consumers: 1, taken: 53, stored: 50}},
		"without the last": {strings.TrimSuffix(someMetrics, "\n"), subscriptionMetrics{lag: 45, out: 15, consumers: 1, taken: 53, stored: 50}},
		"a timestamp":      {lag(ours, "45 1395066363000"), subscriptionMetrics{lag: 45}},
		"spaces":           {lag(` topic="/default/a" , subscription="s", `, "  45"), subscriptionMetrics{lag: 45}},
		"an exponent":      {lag(ours, "4.5e1"), subscriptionMetrics{lag: 45}},
		"braces in a label": {
			lag(`x="}\"{,topic=\"no",`+ours, "45"), subscriptionMetrics{lag: 45},
		},
		"not a number": {lag(ours, "NaN"), subscriptionMetrics{}},
		"negative":     {lag(ours, "-1"), subscriptionMetrics{}},
		"infinite":     {lag(ours, "+Inf"), subscriptionMetrics{}},
		"too large":    {lag(ours, "1e300"), subscriptionMetrics{}},
		"no value":     {lag(ours, ""), subscriptionMetrics{}},
		"cut short":    {`danube_subscription_lag_messages{topic="/default/a",subscription="s`, subscriptionMetrics{}},
		"no braces":    {"danube_subscription_lag_messages 4\n", subscriptionMetrics{}},
		"no quotes":    {lag(`topic=/default/a,subscription=s`, "4"), subscriptionMetrics{}},
		"windows":      {strings.ReplaceAll(lag(ours, "45"), "\n", "\r\n"), subscriptionMetrics{lag: 45}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := parseMetrics(strings.NewReader("danube_topics 1\n"+tt.text), onA)
			if err != nil {
				t.Fatal(err)
			}
			var got subscriptionMetrics
			if m := found[subA]; m != nil {
				got = *m
			}
			if got != tt.want || len(found) > 1 {
				t.Errorf("got %+v of %d subscriptions, want %+v", got, len(found), tt.want)
			}
		})
	}
}

func TestParseMetricsRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		r   io.Reader
		say string
	}{
		"nothing":       {strings.NewReader(""), "danube_"},
		"another page":  {strings.NewReader("<html>\n<body>go_goroutines 7</body>\n"), "danube_"},
		"a long line":   {io.LimitReader(forever{'x'}, 1<<20), "65536 bytes"},
		"without end":   {forever{'\n'}, "67108864 bytes"},
		"a broken pipe": {io.MultiReader(strings.NewReader(someMetrics), broken{}), "broken pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseMetrics(tt.r, onA); err == nil || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("got %v, want an error that says %q", err, tt.say)
			}
		})
	}
}

type forever struct{ b byte }

func (f forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = f.b
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, fmt.Errorf("broken pipe") }

// Whatever a broker writes: nothing that was not asked for, no number that cannot be one,
// and a line that can be read is read, whatever stands before it.
func FuzzParseMetrics(f *testing.F) {
	f.Add([]byte(someMetrics))
	f.Add([]byte(`danube_subscription_lag_messages{topic="\\\"\n",subscription="}"} 1e9 7`))
	f.Add([]byte("danube_subscription_lag_messages{"))
	f.Add([]byte("danube_subscription_lag_messages \n\xff{} \x00"))
	for _, value := range []string{"-1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1e400", "-Inf", "NaN", "0x1p62", "1_000", "0.5", "-0"} {
		f.Add([]byte(`danube_subscription_lag_messages{topic="/default/a",subscription="s"} ` + value))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := parseMetrics(bytes.NewReader(b), onA)
		if err != nil && found != nil {
			t.Errorf("%v beside %v", err, found)
		}
		for k, m := range found {
			if k != subA {
				t.Errorf("%v was not asked for", k)
			}
			if most := max(m.lag, m.out, m.consumers, m.taken, m.stored); most >= 1<<63 {
				t.Errorf("%d was said to be in %q", most, b)
			}
		}
		again, err := parseMetrics(bytes.NewReader(append(append(b[:len(b):len(b)], '\n'), someMetrics...)), onA)
		if want := (subscriptionMetrics{lag: 45, out: 15, consumers: 1, taken: 53, stored: 50}); err == nil && (again[subA] == nil || *again[subA] != want) {
			t.Errorf("behind %q: %+v", b, again[subA])
		}
	})
}

func TestMetricsURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://h:9040/metrics":    "http://h:9040/metrics",
		"http://h:9040":            "http://h:9040/metrics",
		"http://h:9040/":           "http://h:9040/metrics",
		"https://u:secret@h/m/x?y": "https://u:secret@h/m/x?y",
		"http://[::1]:9040":        "http://[::1]:9040/metrics",
	} {
		if got, err := metricsURL(in); got != want || err != nil {
			t.Errorf("%s: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "h:9040", "http://", "ftp://h/metrics", "://", "http://u:secret@h:x", "udp://u:secret@h/", "u:secret@h:9040/metrics", "http://u:secret/@h:9040",
		"http://:9040", "http://h:", "http://h:0", "http://[::1]:65536", "http://[::&]:1", "http://h/metrics#x"} {
		if got, err := metricsURL(in); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

func TestChooseMetrics(t *testing.T) {
	of := func(consumers, lag uint64) brokerMetrics {
		return brokerMetrics{subA: {consumers: consumers, lag: lag}}
	}
	urls := []string{"a", "b", "c"}
	for name, tt := range map[string]struct {
		said []brokerMetrics
		at   string
	}{
		"nobody answers":             {[]brokerMetrics{nil, nil, nil}, ""},
		"nobody knows it":            {[]brokerMetrics{{}, {}, {}}, ""},
		"one that it has left":       {[]brokerMetrics{of(0, 7), {}, {}}, ""},
		"one has it, one had it":     {[]brokerMetrics{of(0, 0), of(1, 7), nil}, "b"},
		"two have it, so they say":   {[]brokerMetrics{of(1, 9), of(1, 7), of(2, 8)}, "b"},
		"two have it and no backlog": {[]brokerMetrics{{}, of(1, 0), of(1, 0)}, "b"},
	} {
		if at, m := choose(urls, tt.said, subA); at != tt.at || (m == nil) != (at == "") {
			t.Errorf("%s: got %q, %v", name, at, m)
		}
	}
}
