package danube_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// story is a ledger with one producer and one subscription.
type story struct {
	*ledger
	s    *ledgerSub
	life uint32
}

const storyEpoch = 1000

func (s *story) sent(numbers ...int) {
	for _, n := range numbers {
		s.published("p", uint32(n), danube.Receipt{Topic: "/default/t", RequestID: storyEpoch<<32 | uint64(n), Attempts: 1}, nil)
	}
}

// came hands numbers out, each at the offset of the same number.
func (s *story) came(numbers ...int) {
	for _, n := range numbers {
		s.cameAt(n, n)
	}
}

func (s *story) cameAt(n, offset int) {
	s.received(s.s, s.life, s.message(n, offset), uint32(n))
}

func (s *story) message(n, offset int) *danube.Message {
	return &danube.Message{WireTopic: "/default/t", Offset: uint64(offset), ProducerName: "p", RequestID: storyEpoch<<32 | uint64(n),
		Attributes: map[string]string{danube.AttrStamp: fmt.Sprintf("p/%d-a/%d", storyEpoch, n)}}
}

func (s *story) says(kind danube.AnomalyKind, from, to int) {
	a := danube.Anomaly{Kind: kind, Topic: "/default/t", From: uint64(from), To: uint64(to)}
	switch kind {
	case danube.StampGap, danube.StampGapFilled, danube.StampRepeated:
		a.Producer, a.Epoch = "p", fmt.Sprintf("%d-a", storyEpoch)
	}
	s.told(s.s, s.life, a)
}

// The ledger of the chaos run finds what must not be, and nothing else.
func TestLedger(t *testing.T) {
	for _, c := range []struct {
		name string
		tell func(*story)
		want string
	}{
		{"all well", func(s *story) { s.sent(1, 2, 3); s.came(1, 2, 3) }, ""},
		{"a loss that nobody reported", func(s *story) { s.sent(1, 2, 3); s.came(1, 3) }, "number 2 is missing"},
		{"a loss at the end", func(s *story) { s.sent(1, 2, 3); s.came(1, 2) }, "number 3 is missing"},
		{"a loss at the end of a stall", func(s *story) { s.sent(1, 2, 3); s.came(1, 2); s.says(danube.Stalled, 0, 0) }, ""},
		{"a loss in the middle, and then a stall", func(s *story) { s.sent(1, 2, 3); s.came(1, 3); s.says(danube.Stalled, 0, 0) }, "number 2 is missing"},
		{"a loss at the end after a stall", func(s *story) {
			s.sent(1, 2, 3)
			s.says(danube.Stalled, 0, 0)
			s.says(danube.Resumed, 0, 0)
			s.came(1, 2)
		}, "number 3 is missing"},
		{"a loss at the end without a session", func(s *story) {
			s.sent(1, 2, 3)
			s.came(1, 2)
			s.consumerSession(s.s, danube.SessionEvent{State: danube.Connecting})
		}, ""},
		{"a loss that was reported", func(s *story) { s.sent(1, 2, 3); s.came(1); s.says(danube.StampGap, 2, 2); s.came(3) }, ""},
		{"reported by offset alone", func(s *story) { s.sent(1, 2, 3); s.came(1); s.says(danube.GapFound, 2, 2); s.came(3) }, "number 2 is missing"},
		{"reported and filled by word only", func(s *story) {
			s.sent(1, 2, 3)
			s.came(1)
			s.says(danube.StampGap, 2, 2)
			s.came(3)
			s.says(danube.StampGapFilled, 2, 2)
		}, "number 2 is missing"},
		{"reported although it came", func(s *story) { s.sent(1, 2); s.came(1); s.says(danube.StampGap, 1, 1); s.came(2) }, "was reported missing, and had come"},
		{"reported and never sent", func(s *story) { s.sent(1, 3); s.came(1); s.says(danube.StampGap, 2, 2); s.came(3) }, "was never sent"},
		{"late, and reported", func(s *story) {
			s.sent(1, 2, 3)
			s.came(1)
			s.says(danube.GapFound, 2, 2)
			s.says(danube.StampGap, 2, 2)
			s.came(3)
			s.says(danube.GapFilled, 2, 2)
			s.says(danube.StampGapFilled, 2, 2)
			s.came(2)
		}, ""},
		{"late, and not reported", func(s *story) { s.sent(1, 2, 3); s.came(1, 3, 2) }, "came after 3"},
		{"twice by one consumer", func(s *story) { s.sent(1); s.came(1, 1) }, "handed out twice"},
		{"twice by two consumers", func(s *story) { s.sent(1); s.came(1); s.life++; s.came(1) }, ""},
		{"again after a restart", func(s *story) {
			s.sent(1)
			s.came(1)
			s.says(danube.NumberingRestarted, 0, 1)
			s.cameAt(1, 0)
		}, ""},
		{"again without a reason", func(s *story) { s.sent(1); s.came(1); s.cameAt(1, 7) }, "was sent 1 times"},
		{"never sent", func(s *story) { s.sent(1); s.came(1, 2) }, "number 2 came, and was not sent"},
		{"another payload", func(s *story) {
			s.sent(1)
			s.received(s.s, 0, s.message(1, 1), 5)
		}, "came as 5, and was sent as 1"},
		{"another stamp", func(s *story) {
			s.sent(1)
			m := s.message(1, 1)
			m.Attributes[danube.AttrStamp] = "p/1000-a/2"
			s.received(s.s, 0, m, 1)
		}, "has the stamp"},
		{"an ack refused", func(s *story) {
			s.sent(1)
			s.came(1)
			s.ackedBy(s.s, 0, s.message(1, 1), danube.ErrInvalid)
		}, "acks were refused"},
		{"an ack refused after a restart", func(s *story) {
			s.sent(1)
			s.came(1)
			s.says(danube.NumberingRestarted, 0, 1)
			s.ackedBy(s.s, 0, s.message(1, 1), danube.ErrInvalid)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &story{ledger: newLedger()}
			s.s = s.sub("/default/t", "s")
			s.consumerSession(s.s, danube.SessionEvent{State: danube.Ready})
			c.tell(s)
			s.close()
			got := strings.Join(s.broken, "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A silence counts when nobody speaks of it for a while and a session is there.
func TestLedgerOfSilences(t *testing.T) {
	const patience = time.Minute
	for _, c := range []struct {
		name string
		tell func(*story)
		want bool
	}{
		{"nothing waits", func(s *story) { s.came(2) }, false},
		{"something waits", func(s *story) {}, true},
		{"without a session", func(s *story) { s.consumerSession(s.s, danube.SessionEvent{State: danube.Connecting}) }, false},
		{"nothing can be published", func(s *story) {
			s.producerSession("p", danube.SessionEvent{Topic: "/default/t", State: danube.Connecting})
		}, false},
		{"it can again", func(s *story) {
			s.producerSession("p", danube.SessionEvent{Topic: "/default/t", State: danube.Connecting})
			s.sent(3)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &story{ledger: newLedger()}
			s.s = s.sub("/default/t", "s")
			s.consumerSession(s.s, danube.SessionEvent{State: danube.Ready})
			s.sent(1, 2)
			s.came(1)
			c.tell(s)
			now := time.Now()
			for i := range 4 {
				s.silences(now.Add(time.Duration(i)*patience), patience)
			}
			if got := strings.Contains(strings.Join(s.broken, " "), "silent"); got != c.want || s.faults > 1 {
				t.Errorf("got %q, silence %v", s.broken, c.want)
			}
		})
	}
}
