package main

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestProxyFlag(t *testing.T) {
	addr, c := program(t, "-proxy", "-brokers", "2", "-topic", "/default/a")
	r, err := calling(t, addr).lookup("/default/a")
	if err != nil || !r.GetProxy() || r.GetConnectUrl() != "http://"+addr || r.GetBrokerUrl() == r.GetConnectUrl() {
		t.Errorf("lookup: %v, %v", r, err)
	}
	if n := strings.Count(c.said, "http://"+addr); n != 1 || strings.Count(c.said, "http://") != 2 { // the other is the control
		t.Errorf("it says %s", c.said)
	}
}

func TestSeedFlag(t *testing.T) {
	id := func(args ...string) uint64 {
		addr, _ := program(t, args...)
		s := calling(t, addr)
		id, err := s.producer("/default/a", "p")
		s.wantCode("a producer", err, codes.OK)
		return id
	}
	first, again, other := id("-seed", "7"), id("-seed", "7"), id("-seed", "8")
	if first != again || first == other {
		t.Errorf("ids %d and %d, of another seed %d", first, again, other)
	}
	refused(t, exitUsage, "-seed -1", `invalid value "-1" for flag -seed: want a number, 0 or more`)
}

func TestMetricsFlag(t *testing.T) {
	_, c := program(t, "-metrics", "127.0.0.1:0", "-brokers", "2", "-topic", "/default/a")
	line := regexp.MustCompile(`metrics at (\S+) (\S+)`).FindStringSubmatch(c.said)
	if line == nil {
		t.Fatalf("it says %s", c.said)
	}
	c.do("POST", "/publish", `{"topic": "/default/a", "payload": "x", "count": 3}`)
	var text string
	for _, url := range line[1:] {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		text += string(body)
	}
	if !strings.Contains(text, "danube_topic_messages_in_total") {
		t.Errorf("metrics: %s", text)
	}
	refused(t, exitError, "-metrics nowhere", `metrics: address "nowhere": want host:port`)
}

func TestMoveFlags(t *testing.T) {
	t.Run("gap", func(t *testing.T) {
		addr, c := program(t, "-gap", "1h", "-brokers", "2", "-topic", "/default/a")
		c.do("POST", "/move", `{"topic": "/default/a", "broker": 2}`)
		_, err := calling(t, addr).lookup("/default/a")
		if status.Code(err) != codes.NotFound {
			t.Errorf("lookup: %v", err)
		}
	})
	t.Run("no gap", func(t *testing.T) {
		addr, c := program(t, "-gap", "0s", "-brokers", "2", "-topic", "/default/a")
		c.do("POST", "/move", `{"topic": "/default/a", "broker": 2}`)
		until(t, "a broker", func() (string, bool) {
			r, err := calling(t, addr).lookup("/default/a")
			return fmt.Sprint(r, err), err == nil && r.GetConnectUrl() != "http://"+addr
		})
	})
	t.Run("draining", func(t *testing.T) {
		addr, c := program(t, "-draining", "1h", "-brokers", "2", "-topic", "/default/a")
		s := calling(t, addr)
		p, err := s.producer("/default/a", "p")
		s.wantCode("a producer", err, codes.OK)
		c.do("POST", "/move", `{"topic": "/default/a", "broker": 2}`)
		s.wantCode("send", s.send("/default/a", p, nil), codes.PermissionDenied)
	})
	t.Run("failover", func(t *testing.T) {
		_, c := program(t, "-failover", "0s", "-gap", "0s", "-brokers", "2", "-topic", "/default/a")
		second := regexp.MustCompile(`listening on \S+ http://([^\s,]+),`).FindStringSubmatch(c.said)[1]
		c.do("POST", "/kill", `{"broker": 1}`)
		until(t, "the other broker", func() (string, bool) {
			r, err := calling(t, second).lookup("/default/a")
			return fmt.Sprint(r, err), err == nil && r.GetConnectUrl() == "http://"+second
		})
	})
	for _, name := range []string{"gap", "draining", "failover"} {
		refused(t, exitUsage, "-"+name+" -1s", `invalid value "-1s" for flag -`+name+": want a duration")
	}
	refused(t, exitUsage, "-brokers 101", "want a number, 1 to 100")
}

func TestTopicFlags(t *testing.T) {
	addr, c := program(t, "-auto-create-topics=false", "-namespace", "mine,yours", "-non-reliable-topic", "/other/b:2")
	s := calling(t, addr)
	_, err := s.producer("/default/a", "p")
	s.wantCode("a topic on demand", err, codes.NotFound)
	if !strings.Contains(c.said, "topics are created by hand only") {
		t.Errorf("it says %s", c.said)
	}
	c.do("POST", "/topics", `{"name": "/yours/a"}`)
	if got := c.do("GET", "/dump", ""); !strings.Contains(got, "topic /other/b-part-1, NonReliable") || !strings.Contains(got, "topic /yours/a, Reliable") {
		t.Errorf("dump: %s", got)
	}

	addr, _ = program(t, "-cluster-create", "-namespace", "mine")
	s = calling(t, addr)
	_, err = s.producer("/mine/a", "p")
	s.wantCode("the first producer", err, codes.Unavailable)
	_, err = s.producer("/mine/a", "p")
	s.wantCode("the second one", err, codes.OK)

	for args, contains := range map[string]string{
		"-cluster-create -auto-create-topics=false": "exclude each other",
		"-namespace a,,b":             "want the name of a namespace",
		"-non-reliable-topic a":       "want /namespace/topic",
		"-topic /default/":            "want /namespace/topic",
		"-auto-create-topics=perhaps": "invalid boolean value",
	} {
		refused(t, exitUsage, args, contains)
	}
	refused(t, exitError, "-namespace a.b", "letters, digits")
}
