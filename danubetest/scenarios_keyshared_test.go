package danubetest_test

import (
	"fmt"
	"time"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// keyScenarios are those of KeyShared. Its subscription looks for messages every 500 ms.
var keyScenarios = []scenario{
	{name: "KeyShared: one of a key at a time", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("onekey"))
		c := l.openKeys(p.topic, "c")
		for _, key := range []string{"a", "a", "b", "a", "b"} {
			p.sendKey(key)
		}
		l.log("%v", c.offsets(2))
		c.ack(2)
		l.log("%v", c.offsets(1))
		c.ack(0)
		l.log("%v", c.offsets(1))
	}, want: []string{"[0 2]", "[4]", "[1]"}},

	{name: "KeyShared: filters", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("filters"))
		eu, us := l.openKeys(p.topic, "eu", "eu-*"), l.openKeys(p.topic, "us", "us-?", "c*")
		for _, key := range []string{"eu-1", "us-1", "us-10", "ca", "eu-2", "EU-1"} {
			p.sendKey(key)
		}
		l.log("eu %v, us %v", eu.offsets(2), us.offsets(2))
		late := l.openKeys(p.topic, "late")
		l.log("then %q %q %q", l.within(eu), l.within(us), l.within(late))
	}, want: []string{"eu [0 4], us [1 3]", `then "" "" ""`}},

	{name: "KeyShared: parked while it waits for an ack", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("keyparked"))
		c := l.openKeys(p.topic, "c")
		p.sendKey("a")
		l.log("%v", c.offsets(1))
		l.sleep(1200 * time.Millisecond) // it parks at its next look
		c.nack(0, 0)
		l.sleep(4 * time.Second)
		p.sendKey("b")
		l.log("after the next message %s", l.within(c)) // and it parks again
	}, want: []string{"[0]", "after the next message b"}},

	{name: "KeyShared: parked, nobody is forgotten", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("keyaway"))
		c := l.openKeys(p.topic, "c")
		p.sendKey("a")
		l.log("%v", c.offsets(1))
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		l.sleep(6 * time.Second)
		c = l.openKeys(p.topic, "c")
		p.sendKey("b")
		l.log("%v, health %s", c.offsets(1), l.check(asCons, c.id))
	}, want: []string{"[0]", "[1], health OK"}},

	{name: "T11: KeyShared, away for 5 s", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("keygone"))
		c := l.openKeys(p.topic, "c")
		p.sendKey("first")
		c.ack(c.offsets(1)...)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		l.sleep(5 * time.Second)
		c = l.openKeys(p.topic, "c")
		for i := range 12 {
			p.sendKey(fmt.Sprint("key-", i))
		}
		l.log("the same name: health %s, %q", l.check(asCons, c.id), l.within(c))
		d := l.openKeys(p.topic, "d")
		p.sendKey("last")
		var got []uint64
		for range 13 {
			got = append(got, d.offsets(1)...)
			d.ack(got[len(got)-1])
		}
		l.log("a fresh one %v", got)
	}, want: []string{`the same name: health OK, ""`, "a fresh one [1 2 3 4 5 6 7 8 9 10 11 12 13]"}},

	{name: "KeyShared: what waited for somebody forgotten is lost", trap: true, run: func(l *lab) {
		p := l.ready(l.topic("keyfull"))
		c := l.openKeys(p.topic, "c")
		p.sendKey("first")
		c.ack(c.offsets(1)...)
		c.cancel()
		l.until(func() bool { return l.check(asCons, c.id) == closed })
		for i := range 12 {
			p.sendKey(fmt.Sprint("key-", i))
		}
		l.sleep(5 * time.Second)
		c = l.openKeys(p.topic, "c")
		d := l.openKeys(p.topic, "d")
		p.sendKey("last")
		l.log("a fresh one: health %s, %q", l.check(asCons, d.id), l.within(d))
		l.until(func() bool { return l.check(asCons, d.id) == closed })
		d = l.openKeys(p.topic, "d")
		l.log("and its next stream %q", l.within(d))
	}, want: []string{`a fresh one: health OK, "key-10 key-11 last"`, `and its next stream ""`}},

	{name: "KeyShared: dropped with its key", trap: true, run: func(l *lab) {
		if l.topics == nil {
			return
		}
		p := l.ready(l.topic("keydrain"))
		_, err := l.topics.SetSubscriptionFailurePolicy(l.t.Context(), &adminpb.SetSubscriptionFailurePolicyRequest{
			Topic: p.topic, Subscription: sub, FailurePolicy: &adminpb.SubscriptionFailurePolicy{
				AckTimeoutMs: 30000, BaseRedeliveryDelayMs: 100, MaxRedeliveryDelayMs: 60000, PoisonPolicy: adminpb.SubscriptionPoisonPolicy_Drop,
			},
		})
		must(l.t, err)
		c := l.openKeys(p.topic, "c")
		for _, key := range []string{"a", "a", "b"} {
			p.sendKey(key)
		}
		l.log("%v", c.offsets(2))
		c.nack(0, 0)
		l.sleep(2 * time.Second)
		p.sendKey("a")
		l.log("%v", c.offsets(1))
		c.ack(3)
		l.log("then %q", l.within(c))
	}, want: []string{"[0 2]", "[3]", `then ""`}},
}
