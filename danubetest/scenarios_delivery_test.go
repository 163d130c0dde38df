package danubetest_test

import (
	"slices"
	"strings"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// deliveryScenarios are about subscriptions, and what comes to their consumers.
var deliveryScenarios = []soundScenario{
	{"a new subscription starts at latest", func(l *lab) {
		a := l.topic("latest")
		p := l.ready(a)
		p.send(numbers(0, 5)...)
		c := l.open(a, "s", "c", exclusive)
		p.send(numbers(5, 8)...)
		l.log("%s", l.within(c))
	}, []string{"5 6 7"}},

	{"the window", func(l *lab) {
		a := l.topic("window")
		p := l.ready(a)
		c := l.open(a, "s", "c", exclusive)
		p.send(numbers(0, 25)...)
		var got []uint64
		got = append(got, c.offsets(10)...)
		c.ack(0, 1, 2)
		got = append(got, c.offsets(3)...)
		l.log("%v", got)
		l.log("then %q", l.within(c))
	}, []string{"[0 1 2 3 4 5 6 7 8 9 10 11 12]", `then ""`}},

	{"exclusive and takeover", func(l *lab) {
		a := l.topic("takeover")
		p := l.ready(a)
		c1 := l.open(a, "s", "c", exclusive)
		p.send(numbers(0, 3)...)
		l.log("%v", c1.offsets(3))
		c1.ack(0)
		_, err := l.trySubscribe(a, "s", "d", exclusive)
		l.status("another name", err)
		_, err = l.trySubscribe(a, "s", "d", shared)
		l.status("another name, as shared", err)
		c2 := l.open(a, "s", "c", shared)
		l.log("same id: %t", c1.id == c2.id)
		l.log("older stream: %s", l.within(c1))
		l.log("health %s", l.check(asCons, c1.id))
		l.log("newer stream: %s", l.within(c2)) // ends it
		l.until(func() bool { return l.check(asCons, c1.id) == closed })
		l.log("health %s", l.check(asCons, c1.id))
		_, err = l.trySubscribe(a, "s", "d", exclusive)
		l.status("another name, nobody there", err)
	}, []string{
		"[0 1 2]",
		`another name: PermissionDenied "Exclusive subscription can't be shared" "Not able to subscribe"`,
		`another name, as shared: PermissionDenied "Exclusive subscription can't be shared" "Not able to subscribe"`,
		"same id: true",
		"older stream: EOF",
		"health OK",
		"newer stream: 1 2",
		"health CLOSE",
		`another name, nobody there: PermissionDenied "Exclusive subscription can't be shared" "Not able to subscribe"`,
	}},

	{"the stream of an id that has one", func(l *lab) {
		a := l.topic("twice")
		p := l.ready(a)
		c1 := l.open(a, "s", "c", exclusive)
		p.send("0")
		l.log("%v", c1.offsets(1))
		c1.ack(0)
		c2 := &consumer{s: l.stubs, id: c1.id, topic: a, sub: "s"}
		c2.receive()
		l.log("older stream: %s", l.within(c1))
		p.send("1")
		l.log("newer stream: %s", l.within(c2))
	}, []string{"[0]", "older stream: EOF", "newer stream: 1"}},

	{"receive refused", func(l *lab) {
		st, err := l.consumers.ReceiveMessages(l.t.Context(), &pb.ReceiveRequest{ConsumerId: 12345})
		if err == nil {
			_, err = st.Recv()
		}
		l.status("unknown id", err)
	}, []string{`unknown id: NotFound "The consumer with the id"`}},

	{"health", func(l *lab) {
		p := l.ready(l.topic("health"))
		c := l.subscribe(p.topic, "s", "c", exclusive)
		l.log("%s %s", l.check(asProd, p.id), l.check(asCons, c.id))
		l.log("%s %s", l.check(asProd, 12345), l.check(asCons, 12345))
		_, err := l.health.HealthCheck(l.t.Context(), &pb.HealthCheckRequest{Client: 7, Id: p.id})
		l.status("client type 7", err)
	}, []string{"OK OK", "CLOSE CLOSE", `client type 7: InvalidArgument "Invalid client type"`}},

	{"shared", func(l *lab) {
		p := l.ready(l.topic("shared"))
		c1 := l.open(p.topic, "s", "c1", shared)
		c2 := l.open(p.topic, "s", "c2", exclusive) // its type does not matter any more
		p.send(numbers(0, 8)...)
		a, b := c1.offsets(4), c2.offsets(4)
		l.log("%v %v", a, b)
		c2.ack(b[0])
		c1.cancel()
		got := strings.Fields(l.within(c2))
		slices.Sort(got)
		l.log("%v", got)
	}, []string{
		"[0 2 4 6] [1 3 5 7]",
		"[0 2 4 6]",
	}},

	{"non-reliable", func(l *lab) {
		a := l.topic("loose")
		var p *producer
		l.until(func() bool {
			r, err := l.producers.CreateProducer(l.t.Context(), &pb.ProducerRequest{TopicName: a, ProducerName: "p"})
			p = &producer{s: l.stubs, id: r.GetProducerId(), topic: a, name: "p"}
			return err == nil
		})
		p.send("nobody there")
		c := l.open(a, "s", "c", exclusive)
		p.send("0")
		m := c.next()
		l.log("%s at %d", m.GetPayload(), m.GetMsgId().GetTopicOffset())
		_, err := l.consumers.Ack(l.t.Context(), &pb.AckRequest{MsgId: m.GetMsgId(), SubscriptionName: "s"})
		l.status("ack", err)
		_, err = l.consumers.Ack(l.t.Context(), &pb.AckRequest{MsgId: m.GetMsgId(), SubscriptionName: "t"})
		l.status("ack in another subscription", err)
		_, err = l.consumers.Nack(l.t.Context(), &pb.NackRequest{MsgId: m.GetMsgId(), SubscriptionName: "s"})
		l.status("nack", err)
		l.log("%q", l.within(c))
	}, []string{
		"0 at 0",
		"ack: OK",
		`ack in another subscription: Internal "Error acknowledging message" "Subscription not found"`,
		"nack: OK",
		`""`,
	}},
}
