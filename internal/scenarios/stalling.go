package scenarios

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// lag is what the metrics of a node say that a subscription has not acknowledged.
func (l *Lab) lag(node int, topic, subscription string) uint64 {
	urls, client := l.on.Metrics()
	req, err := http.NewRequestWithContext(l.Soon(), http.MethodGet, urls[node], nil)
	l.Must("metrics", err)
	resp, err := client.Do(req)
	l.Must("metrics", err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, "danube_subscription_lag_messages{") ||
			!strings.Contains(line, fmt.Sprintf("topic=%q", topic)) || !strings.Contains(line, fmt.Sprintf("subscription=%q", subscription)) {
			continue
		}
		n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		l.Must("lag", err)
		return uint64(n)
	}
	return 0
}

// watch has all clients look at the metrics from now on.
func (l *Lab) watch() {
	l.change = append(l.change, func(c *danube.Config) {
		c.Metrics, c.MetricsClient = l.on.Metrics()
		c.MetricsInterval, c.StallAfter = time.Second, 5*time.Second
	})
}

// stalling is brokers that fall silent, and what tells that.
var stalling = []Scenario{
	{"silence-after-a-move", SmallCache, func(l *Lab) { // 17.2
		l.watch()
		topic, p, c := l.begun()
		l.move(topic)
		c.Back()
		p.Send("second")
		c.Work(1)
		const n = 5000
		p.Post(n, "m")
		came := c.slowRest()
		l.Log("of %d some came: %t, all: %t", n, len(came) > 0, len(came) == n)
		p.Post(100, "later")
		c.Quiet("100 more", 10*time.Second)
		l.Log("the lag is what did not come: %t", l.lag(l.Owner(topic), topic, "s") == uint64(n+100-len(came)))
		c.stalls()
		l.move(topic)
		c.Back()
		came = append(came, c.WorkRest(8*time.Second)...)
		once := map[uint64]bool{}
		for _, m := range came {
			once[m.Offset] = true
		}
		l.Log("after another move all %d came: %t", n+100, len(once) == n+100)
		c.stalls()
	}},
}

// slowRest takes what comes, 2 ms for each, until nothing has come for a while.
func (c *Sub) slowRest() (list []*danube.Message) {
	for {
		m, err := c.receive(5 * time.Second)
		if err != nil {
			return list
		}
		c.l.Pass(2 * time.Millisecond)
		c.l.Must("ack", c.Consumer.Ack(m))
		list = append(list, m)
	}
}

// stalls writes what the client said about silence.
func (c *Sub) stalls() {
	told := []string{}
	for _, a := range c.Anomalies() {
		switch a.Kind {
		case danube.Stalled:
			told = append(told, fmt.Sprintf("stalled with a lag: %t", a.Lag > 0))
		case danube.Resumed:
			told = append(told, "resumed")
		}
	}
	c.l.Log("the client says: %s", strings.Join(told, ", "))
}
