package danubetest_test

import (
	"fmt"
	"time"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// againScenarios are about acks, nacks, and what comes again.
var againScenarios = []soundScenario{
	{"acks and nacks that miss", func(l *lab) {
		ctx, p := l.t.Context(), l.ready(l.topic("acks"))
		c := l.open(p.topic, "s", "c", exclusive)
		for _, id := range []*pb.MsgID{{TopicName: p.topic, TopicOffset: 77}, {TopicName: l.topic("acks0")}, nil} {
			for _, name := range []string{"s", "t"} {
				what := fmt.Sprintf("%s %d in %s", id.GetTopicName(), id.GetTopicOffset(), name)
				r, err := l.consumers.Ack(ctx, &pb.AckRequest{MsgId: id, SubscriptionName: name, RequestId: 4})
				l.status("ack "+what, err)
				l.log("request %d", r.GetRequestId())
				_, err = l.consumers.Nack(ctx, &pb.NackRequest{MsgId: id, SubscriptionName: name})
				l.status("nack "+what, err)
			}
		}
		p.send("0")
		c.ack(c.offsets(1)[0])
		c.ack(0) // once more
		l.log("%q", l.within(c))
	}, []string{
		"ack /default/acks_RUN_z 77 in s: OK",
		"request 4",
		"nack /default/acks_RUN_z 77 in s: OK",
		`ack /default/acks_RUN_z 77 in t: Internal "Error acknowledging message" "Subscription not found"`,
		"request 0",
		`nack /default/acks_RUN_z 77 in t: Internal "Error negatively acknowledging message" "Subscription not found"`,
		`ack /default/acks0_RUN_z 0 in s: Internal "not found in registry" "Error acknowledging message"`,
		"request 0",
		`nack /default/acks0_RUN_z 0 in s: Internal "not found in registry" "Error negatively acknowledging message"`,
		`ack /default/acks0_RUN_z 0 in t: Internal "not found in registry" "Error acknowledging message"`,
		"request 0",
		`nack /default/acks0_RUN_z 0 in t: Internal "not found in registry" "Error negatively acknowledging message"`,
		"ack  0 in s: Canceled",
		"request 0",
		"nack  0 in s: Canceled",
		"ack  0 in t: Canceled",
		"request 0",
		"nack  0 in t: Canceled",
		`""`,
	}},

	{"acks after the stream ended do not count", func(l *lab) {
		p := l.ready(l.topic("late"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 5)...)
		l.log("%v", c.offsets(5))
		c.ack(0)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		c.ack(1, 2, 3, 4)
		c.receive()
		l.log("again: %s", l.within(c))
	}, []string{"[0 1 2 3 4]", "again: 1 2 3 4"}},

	{"nack", func(l *lab) {
		p := l.ready(l.topic("nack"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 3)...)
		l.log("%v", c.offsets(3))
		start := time.Now()
		c.nack(2, 0)
		l.log("%v", c.offsets(1))
		c.nack(2, 3*time.Second)
		l.log("%v", c.offsets(1))
		took := time.Since(start)
		l.log("after 4 s to 5.5 s: %t", took >= 4*time.Second && took < 5500*time.Millisecond)
		c.ack(0, 1, 2)
		l.log("then %q", l.within(c))
	}, []string{"[0 1 2]", "[2]", "[2]", "after 4 s to 5.5 s: true", `then ""`}},

	{"ack timeout (slow)", func(l *lab) {
		p := l.ready(l.topic("timeout"))
		c := l.open(p.topic, "s", "c", exclusive)
		start := time.Now()
		p.send("0", "1")
		l.log("%v", c.offsets(2))
		c.ack(1)
		p.send("2")
		l.log("%v", c.offsets(1))
		c.ack(2)
		l.sleep(20 * time.Second)
		p.send("3") // the real broker does nothing more on a topic where nothing happens
		l.log("%v", c.offsets(1))
		l.log("%v", c.offsets(1))
		took := time.Since(start)
		l.log("after 31 s to 32.5 s: %t", took >= 31*time.Second && took < 32500*time.Millisecond)
	}, []string{"[0 1]", "[2]", "[3]", "[0]", "after 31 s to 32.5 s: true"}},

	{"six deliveries, then blocked (slow)", func(l *lab) {
		p := l.ready(l.topic("poison"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send("0")
		start := time.Now()
		for range 6 {
			o := c.offsets(1)
			l.log("%v after %d s", o, time.Since(start)/time.Second)
			start = time.Now()
			c.nack(0, 0)
		}
		p.send("1")
		l.log("then %q", l.within(c))
		c = l.open(p.topic, "s", "c", exclusive)
		l.log("and on a new stream %q", l.within(c))
	}, []string{
		"[0] after 0 s", "[0] after 1 s", "[0] after 2 s", "[0] after 4 s", "[0] after 8 s", "[0] after 16 s",
		`then ""`, `and on a new stream ""`,
	}},

	{"lost streams count as deliveries", func(l *lab) {
		p := l.ready(l.topic("burn"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send("0")
		for range 5 {
			c.offsets(1)
			c = l.open(p.topic, "s", "c", exclusive) // takes over
		}
		l.log("%v", c.offsets(1))
		c.nack(0, 0)
		p.send("1")
		l.log("then %q", l.within(c))
	}, []string{"[0]", `then ""`}},

	{"a window of acks in any order", func(l *lab) {
		p := l.ready(l.topic("anyorder"))
		c := l.open(p.topic, "s", "c", exclusive)
		p.send(numbers(0, 30)...)
		got := c.offsets(10)
		for i := range 20 {
			c.ack(got[len(got)-10+(i*7)%10])
			if i%10 == 9 {
				got = append(got, c.offsets(10)...)
			}
		}
		l.log("%v", got)
	}, []string{"[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29]"}},
}
