package main

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
)

func TestLimitFlags(t *testing.T) {
	addr, _ := program(t, "-max-producers", "1", "-max-subscriptions", "2", "-max-consumers", "2", "-max-consumers-per-subscription", "1",
		"-max-message-size", "3", "-topic", "/default/a", "-topic", "/mine/b")
	s := calling(t, addr)
	p, err := s.producer("/default/a", "p")
	s.wantCode("one producer", err, codes.OK)
	_, err = s.producer("/default/a", "q")
	s.wantCode("two producers", err, codes.ResourceExhausted)
	s.wantCode("3 bytes", s.send("/default/a", p, []byte("abc")), codes.OK)
	s.wantCode("4 bytes", s.send("/default/a", p, []byte("abcd")), codes.InvalidArgument)

	for _, tc := range []struct {
		sub, name string
		want      codes.Code
	}{
		{"s", "a", codes.OK}, {"s", "b", codes.PermissionDenied}, {"t", "a", codes.OK}, {"u", "a", codes.PermissionDenied},
	} {
		_, err = s.subscribe("/mine/b", tc.sub, tc.name)
		s.wantCode(tc.sub+" "+tc.name, err, tc.want)
	}
	addr, _ = program(t, "-max-consumers", "1", "-topic", "/default/a")
	s = calling(t, addr)
	_, err = s.subscribe("/default/a", "s", "a")
	s.wantCode("one consumer", err, codes.OK)
	_, err = s.subscribe("/default/a", "t", "a")
	s.wantCode("two consumers", err, codes.ResourceExhausted)

	for _, name := range []string{"max-producers", "max-subscriptions", "max-consumers", "max-consumers-per-subscription", "max-message-size", "dispatch-rate"} {
		refused(t, exitUsage, "-"+name+" -1", `invalid value "-1" for flag -`+name+": want a number, 0 or more")
		refused(t, exitUsage, "-"+name+" x", "want a number, 0 or more")
	}
	refused(t, exitUsage, "-cache 0", "want a number, 1 or more")
}

func TestRateFlag(t *testing.T) {
	for trap, lost := range map[string]string{"-trap": `"skipped":5`, "-no-trap": `"skipped":0`} {
		addr, c := program(t, "-dispatch-rate", "3", trap, "Rate", "-topic", "/default/a")
		s := calling(t, addr)
		st := s.receive("/default/a", "s", "c")
		c.do("POST", "/publish", `{"topic": "/default/a", "payload": "x", "count": 8}`)
		for range 3 {
			s.next(st, "s")
		}
		if trap == "-no-trap" {
			s.next(st, "s") // a second later
		}
		c.says("/subscription?topic=/default/a&subscription=s", lost)
	}
	refused(t, exitUsage, "-trap Rate", "-trap Rate needs -dispatch-rate")
	refused(t, exitUsage, "-trap Rate -profile real", "-trap Rate needs -dispatch-rate")
}

func TestCacheFlag(t *testing.T) {
	for cache, messages := range map[string]int{"1": 1024, "500": 1401} {
		addr, c := program(t, "-cache", cache, "-trap", "Lag", "-max-unacked", "10000", "-topic", "/default/a")
		c.do("POST", "/publish", `{"topic": "/default/a"}`)
		c.do("POST", "/subscriptions", `{"topic": "/default/a", "subscription": "s", "from": "earliest"}`)
		c.do("POST", "/publish", `{"topic": "/default/a", "count": 1400}`)
		s := calling(t, addr)
		st := s.receive("/default/a", "s", "c")
		for range messages {
			s.next(st, "s")
		}
		c.says("/subscription?topic=/default/a&subscription=s", fmt.Sprintf(`"pending":%d,`, 1401-messages))
	}
}

func TestForgetAckedFlag(t *testing.T) {
	addr, c := program(t, "-forget-acked", "-topic", "/default/a")
	s := calling(t, addr)
	st := s.receive("/default/a", "s", "c")
	c.do("POST", "/publish", `{"topic": "/default/a", "payload": "x"}`)
	s.next(st, "s")
	if got := c.do("GET", "/messages?topic=/default/a", ""); got != `{"messages":[]}` {
		t.Errorf("messages: %s", got)
	}
}
