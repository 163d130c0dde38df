package danube_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// lists records what OnPartitions says.
type lists struct {
	mu   sync.Mutex
	list []string
}

func (s *lists) add(e danube.PartitionsEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, fmt.Sprintf("listed %v, used %d, missing %v", e.Listed, e.Used, e.Missing))
}

func (s *lists) took() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, s.list = s.list, nil
	return list
}

// want checks what was told since the last call.
func (s *lists) want(l *lab, want ...string) {
	l.Helper()
	if got := s.took(); !slices.Equal(got, want) {
		l.Errorf("got %q, want %q", got, want)
	}
}

// Partitions that are added are consumed, and published to where that is wanted.
func TestPartitionsGrow(t *testing.T) {
	onBoth(t, func(l *lab) {
		const refresh = 500 * time.Millisecond
		topic, client := l.topic(), l.open()
		fixed := func(n int) func(*danube.ProducerConfig) {
			return func(c *danube.ProducerConfig) { c.Name, c.Partitions = fmt.Sprint("fixed", n), n }
		}
		l.producer(client, topic, fixed(2))
		var ofConsumer, ofNever, ofUnkeyed, ofAll lists
		var events sessions
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) {
			c.CreateTopic, c.PartitionRefresh, c.OnPartitions, c.OnSession = false, refresh, ofConsumer.add, events.add
		})
		growing := func(g danube.Growth, told *lists) *danube.Producer {
			return l.producer(client, topic, func(c *danube.ProducerConfig) {
				c.Name, c.Growth, c.PartitionRefresh, c.OnPartitions = g.String(), g, refresh, told.add
			})
		}
		never, unkeyed, all := growing(danube.GrowNever, &ofNever), growing(danube.GrowUnkeyed, &ofUnkeyed), growing(danube.GrowAll, &ofAll)
		l.pass(2 * time.Second)
		ofConsumer.want(l)

		l.producer(client, topic, fixed(3))
		l.pass(4 * time.Second)
		ofConsumer.want(l, "listed [0 1 2], used 3, missing []")
		ofNever.want(l, "listed [0 1 2], used 2, missing []")
		ofUnkeyed.want(l, "listed [0 1 2], used 3, missing []")
		ofAll.want(l, "listed [0 1 2], used 3, missing []")
		events.wantStates(l, topic+"-part-2", danube.Ready)

		where := func(p *danube.Producer, key string) int32 {
			r, err := p.Send(l.soon(), &danube.Outgoing{Key: key, Payload: []byte(key)})
			l.must(err)
			m, err := con.Receive(l.soon())
			l.must(err)
			l.ack(con, m)
			if m.Partition != r.Partition {
				l.Errorf("%q went to partition %d and came from %d", key, r.Partition, m.Partition)
			}
			return r.Partition
		}
		// shipping: 2 modulo 3, and 32dc79fad303b063 is odd.
		for p, want := range map[*danube.Producer]struct {
			partitions int
			keyed      int32
			unkeyed    []int32
		}{never: {2, 1, []int32{0, 0, 0, 1, 1, 1}}, unkeyed: {3, 1, []int32{0, 0, 1, 1, 2, 2}}, all: {3, 2, []int32{0, 0, 1, 1, 2, 2}}} {
			if got := p.Partitions(); got != want.partitions {
				l.Errorf("%d partitions, want %d", got, want.partitions)
			}
			if got := where(p, "shipping"); got != want.keyed {
				l.Errorf("with a key: partition %d, want %d", got, want.keyed)
			}
			var got []int32
			for range 6 {
				got = append(got, where(p, ""))
			}
			slices.Sort(got)
			if !slices.Equal(got, want.unkeyed) {
				l.Errorf("without a key: partitions %v, want %v", got, want.unkeyed)
			}
		}
	})
}

// A new partition that cannot be had yet is tried again, and does not hold up the rest.
func TestPartitionsGrowSlowly(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.producer(client, topic, func(c *danube.ProducerConfig) { c.Name, c.Partitions = "fixed", 2 })
		var told lists
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Growth, c.OnPartitions = danube.GrowAll, told.add })
		l.producer(client, topic, func(c *danube.ProducerConfig) { c.Name, c.Partitions = "fixed3", 3 })
		l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodCreateProducer}, Err: status.Error(codes.FailedPrecondition, "dispatch strategy does not match"), Count: 1})
		l.pass(75 * time.Second)
		told.want(l, "listed [0 1 2], used 2, missing []")
		l.send(p, "a", "b", "c")
		l.pass(75 * time.Second)
		told.want(l, "listed [0 1 2], used 3, missing []")
		l.must(p.Close(l.soon()))
	})
}

// Whatever a broker lists, nothing falls over, and what is odd is told once.
func TestPartitionListsThatMakeNoSense(t *testing.T) {
	const topic = "/default/t"
	wire := func(numbers ...int) (list []string) {
		list = []string{}
		for _, n := range numbers {
			list = append(list, fmt.Sprintf("%s-part-%d", topic, n))
		}
		return list
	}
	many := wire()
	for i := range 20000 {
		many = append(many, wire(i)...)
	}
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1")
		s := n.at["a:1"]
		list := func(wire []string) {
			s.mu.Lock()
			s.partitions = wire
			s.mu.Unlock()
			n.pass(150 * time.Second)
		}
		s.partitions = wire(0, 1)
		var told lists
		var events sessions
		client := n.client("http://a:1")
		p := n.producer(client, topic, func(c *danube.ProducerConfig) {
			c.Growth, c.OnPartitions, c.OnSession = danube.GrowAll, told.add, events.add
		})
		n.pass(time.Hour)
		told.want(n.lab)
		list(wire(1))
		told.want(n.lab, "listed [1], used 2, missing [0]")
		list(wire())
		told.want(n.lab, "listed [], used 2, missing [0 1]")
		list(wire(0, 1, 3, 5))
		told.want(n.lab, "listed [0 1 3 5], used 2, missing [2 4]")
		for _, junk := range [][]string{{topic}, {"", "nonsense", topic + "-part-", topic + "-part--1", topic + "-part-99999999999999999999", "\x00"}} {
			list(append(junk, wire(1, 0, 0)...))
			told.want(n.lab, "listed [0 1], used 2, missing []")
			list(wire(0))
			told.want(n.lab, "listed [0], used 2, missing [1]")
		}
		list(many)
		told.want(n.lab)
		list(wire(2147483647))
		if got := told.took(); len(got) != 1 || !strings.Contains(got[0], "used 2") {
			t.Errorf("got %d events: %.100q", len(got), got)
		}
		list(wire(0, 1, 2))
		told.want(n.lab, "listed [0 1 2], used 3, missing []")
		if p.Partitions() != 3 {
			t.Errorf("%d partitions", p.Partitions())
		}
		events.check(n.lab)
	})
}

// Neither Close waits for a look at the partitions that gets no answer.
func TestCloseDuringALookAtThePartitions(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Name, c.Partitions = "fixed", 2 })
		l.must(p.Close(l.soon()))
		p = l.producer(client, topic)
		con := l.consumer(client, topic)
		l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodTopicPartitions}, Delay: time.Hour})
		l.pass(75 * time.Second)
		start := time.Now()
		l.must(p.Close(context.Background()))
		l.must(con.Close(context.Background()))
		if d := time.Since(start); d > time.Second {
			l.Errorf("closing took %v", d)
		}
	})
}

func TestGrowthConfig(t *testing.T) {
	l := &lab{T: t}
	client := l.open(func(c *danube.Config) { c.Seeds, c.DialOptions = []string{"a:1"}, []grpc.DialOption{} })
	_, err := client.NewProducer(t.Context(), danube.ProducerConfig{Topic: "/default/t", Name: "p", Growth: 7})
	l.want(err, danube.ErrInvalid, "growth 7")
	_, err = client.NewProducer(t.Context(), danube.ProducerConfig{Topic: "/default/t", Name: "p", Growth: danube.GrowAll, Partitions: 2})
	l.want(err, danube.ErrInvalid, "Growth all")
}
