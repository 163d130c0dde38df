package danube_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Over a restart of the broker nothing is lost, what the application has comes once,
// and what it acknowledged does not come again.
func TestConsumerOverRestart(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		p := l.producer(client, topic)
		l.send(p, series("m", 8)...)
		list := l.receive(con, series("m", 8)...)
		l.ack(con, list[0], list[1], list[3])
		l.must(con.Ack(list[4]))
		l.broker.Stop()
		l.must(con.Ack(list[2])) // waits for the broker
		l.pass(20 * time.Second)
		l.must(l.broker.Start())
		l.must(con.Ack(list[6]))
		l.must(con.Ack(list[7])) // waits for m-5
		l.must(con.Flush(l.soon()))
		l.send(p, "next")
		next := l.receive(con, "next")[0]
		l.ack(con, next, list[5])
		l.silent(con, time.Minute)
		l.broker.CheckNoUnacked(l, topic, "s")
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
	})
}

// However a stream ends, another follows, and nothing is lost or handed out twice.
func TestStreamEnds(t *testing.T) {
	for _, end := range []danubetest.StreamEnd{danubetest.StreamEOF, danubetest.StreamUnavailable, danubetest.StreamInternal} {
		t.Run(end.String(), func(t *testing.T) {
			embedded(t, func(l *lab) {
				var events sessions
				topic, client := l.topic(), l.open()
				con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
				p := l.producer(client, topic)
				l.send(p, "a", "b")
				a := l.receive(con, "a", "b")
				if n := l.broker.DropStreams(end); n != 1 {
					l.Fatalf("%d streams ended", n)
				}
				l.send(p, "c")
				l.ack(con, append(l.receive(con, "c"), a...)...)
				l.silent(con, time.Minute)
				l.broker.CheckNoUnacked(l, topic, "s")
				events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
			})
		})
	}
}

// A stream that breaks in the middle, again and again.
func TestStreamEndsAtDeliveries(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprint("the message goes out: ", after), func(t *testing.T) {
			embedded(t, func(l *lab) {
				topic, client := l.topic(), l.open()
				con := l.consumer(client, topic)
				p := l.producer(client, topic)
				l.broker.Fault(danubetest.Fault{EndStream: danubetest.StreamUnavailable, AfterApply: after, Skip: 3, Count: 5})
				l.post(p, series("m", 30)...)
				for _, m := range series("m", 30) {
					l.must(con.Ack(l.receive(con, m)[0]))
				}
				l.must(con.Flush(l.soon()))
				l.silent(con, time.Minute)
				l.broker.CheckNoUnacked(l, topic, "s")
			}, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: 100}))
		})
	}
}

// A broker that says CLOSE has lost the consumer though its stream is silent and open.
func TestHealthCloseForConsumer(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		p := l.producer(client, topic)
		l.send(p, "a")
		a := l.receive(con, "a")
		l.broker.Fault(danubetest.HealthClose("c"))
		l.pass(6 * time.Second)
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
		l.send(p, "b")
		l.ack(con, append(a, l.receive(con, "b")...)...)
		l.broker.CheckNoUnacked(l, topic, "s")
	})
}

// Health checks go on for as long as the session lasts.
func TestHealthChecksGoOn(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		f := danubetest.HealthClose("c")
		f.Skip = 9
		l.broker.Fault(f)
		l.pass(55 * time.Second)
		events.wantStates(l, topic, danube.Ready, danube.Connecting, danube.Ready)
	})
}

// A client with many sessions checks each less often; once most are gone, as often as the
// configuration says.
func TestHealthChecksOfManySessions(t *testing.T) {
	embedded(t, func(l *lab) {
		const parts, all = 299, time.Minute
		checks := func() (perTopic map[string]int, together int) {
			from := time.Now()
			l.pass(all)
			perTopic = make(map[string]int)
			for _, call := range l.broker.Calls(func(c danubetest.Call) bool {
				return c.Method == danubetest.MethodHealthCheck && !c.At.Before(from)
			}) {
				perTopic[call.Topic]++
				together++
			}
			return perTopic, together
		}
		topic, one, client := l.topic(), l.topic(), l.open()
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{Partitions: parts}))
		con := l.consumer(client, topic)
		l.producer(client, one)
		l.pass(all + all/1000) // not in a beat, whose checks might count or not
		each, _ := checks()
		for topic, n := range each {
			if n != 10 {
				l.Errorf("%s was checked %d times in %v with %d sessions", topic, n, all, parts+1)
			}
		}
		if len(each) != parts+1 {
			l.Errorf("%d topics were checked, want %d", len(each), parts+1)
		}
		l.must(con.Close(l.soon()))
		l.pass(all)
		if each, together := checks(); each[one] != together || together != 12 {
			l.Errorf("%d checks in %v with one session, %d of the one that is left", together, all, each[one])
		}
	})
}

// An interval that never passes is as good as no checks.
func TestHealthChecksNever(t *testing.T) {
	embedded(t, func(l *lab) {
		l.consumer(l.open(func(c *danube.Config) { c.HealthInterval = math.MaxInt64 }), l.topic())
		l.pass(time.Minute)
		if n := len(l.broker.Calls(func(c danubetest.Call) bool { return c.Method == danubetest.MethodHealthCheck })); n > 0 {
			l.Errorf("%d checks", n)
		}
	})
}

// A session that lasted makes the waits between attempts begin anew.
func TestBackoffOfConsumerBeginsAnew(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		for range 10 {
			l.pass(15 * time.Second)
			l.broker.DropStreams(danubetest.StreamUnavailable)
			l.pass(160 * time.Millisecond)
			if got := events.of(topic); got[len(got)-1] != danube.Ready {
				l.Fatalf("160 ms after the stream broke: %v", got)
			}
		}
	})
}

// A stream that the broker refuses is no session.
func TestRefusedStream(t *testing.T) {
	embedded(t, func(l *lab) {
		var events sessions
		topic, client := l.topic(), l.open()
		l.producer(client, topic)
		l.broker.Fault(danubetest.Fault{
			Methods: []danubetest.Method{danubetest.MethodReceiveMessages}, Count: 2,
			Err: status.Error(codes.NotFound, "The consumer with the id 7 does not exist"),
		})
		l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = events.add })
		events.wantStates(l, topic, danube.Connecting, danube.Ready)
	})
}

// Without the permission to receive there is nothing to try again.
func TestReceiveForbidden(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.producer(client, topic)
		l.broker.Fault(danubetest.Fault{
			Methods: []danubetest.Method{danubetest.MethodReceiveMessages},
			Err:     status.Error(codes.PermissionDenied, "no binding grants Consume on the cluster"),
		})
		_, err := client.NewConsumer(l.soon(), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.want(err, danube.ErrPermission, "no binding grants", topic)
	})
}

// Nothing is told once Close has returned, whatever the broker does then.
func TestNoEventsAfterClose(t *testing.T) {
	embedded(t, func(l *lab) {
		var ofProducer, ofConsumer sessions
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.OnSession = ofProducer.add })
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.OnSession = ofConsumer.add })
		l.must(p.Close(l.soon()))
		l.must(con.Close(l.soon()))
		l.broker.Stop()
		l.pass(time.Minute)
		ofProducer.wantStates(l, topic, danube.Ready)
		ofConsumer.wantStates(l, topic, danube.Ready)
	})
}
