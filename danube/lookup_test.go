package danube_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func answer(how danubepb.TopicLookupResponse_LookupType, connect, broker string, proxy bool) func(string) (*danubepb.TopicLookupResponse, error) {
	return func(string) (*danubepb.TopicLookupResponse, error) {
		return &danubepb.TopicLookupResponse{ResponseType: how, ConnectUrl: connect, BrokerUrl: broker, Proxy: proxy}, nil
	}
}

func deliver(msgs ...*danubepb.StreamMessage) func(danubepb.ConsumerService_ReceiveMessagesServer) error {
	return func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
		for _, m := range msgs {
			if err := s.Send(m); err != nil {
				return err
			}
		}
		<-s.Context().Done()
		return nil
	}
}

func at(offset uint64) *danubepb.MsgID {
	return &danubepb.MsgID{ProducerId: 1, TopicName: "/default/t", BrokerAddr: "http://owner:1", TopicOffset: offset}
}

var redirect = danubepb.TopicLookupResponse_Redirect

// The owner is elsewhere: everything but lookups goes there, and says nothing of a
// proxy.
func TestRedirect(t *testing.T) {
	withBrokers(t, func(n *network) {
		owner := n.brokers["owner:1"]
		n.brokers["seed:1"].lookup = answer(redirect, "http://owner:1", "http://owner:1", false)
		owner.receive = deliver(&danubepb.StreamMessage{MsgId: at(0)})
		client := n.open()
		p, con := n.producer(client, "/default/t"), n.consumer(client, "/default/t")
		n.send(p, "a")
		m, err := con.Receive(n.soon())
		n.must(err)
		n.ack(con, m)
		n.pass(6 * time.Second)
		if got := n.brokers["seed:1"].called(); slices.ContainsFunc(got, func(m string) bool { return !strings.HasPrefix(m, "Topic") }) {
			n.Errorf("the seed got %v", got)
		}
		for _, m := range []string{"CreateProducer", "SendMessage", "Subscribe", "ReceiveMessages", "Ack", "HealthCheck"} {
			if !slices.Contains(owner.called(), m) {
				n.Errorf("the owner got no %s", m)
			}
			if via := owner.sentTo(m); len(via) != 0 {
				n.Errorf("%s names a broker behind a proxy: %v", m, via)
			}
		}
	}, "seed:1", "owner:1")
}

// Behind a proxy everything goes to the proxy and names the broker that it is for.
func TestProxy(t *testing.T) {
	withBrokers(t, func(n *network) {
		proxy := n.brokers["proxy:1"]
		n.brokers["seed:1"].lookup = answer(redirect, "http://proxy:1/", "http://owner:1", true)
		proxy.receive = deliver(&danubepb.StreamMessage{MsgId: at(0)}, &danubepb.StreamMessage{MsgId: at(1)})
		client := n.open()
		p, con := n.producer(client, "/default/t"), n.consumer(client, "/default/t")
		n.send(p, "a")
		list := n.receive(con, "", "")
		n.must(con.Nack(n.soon(), list[1], time.Second, "why"))
		n.ack(con, list[0])
		n.pass(6 * time.Second)
		for _, m := range []string{"CreateProducer", "SendMessage", "Subscribe", "ReceiveMessages", "Ack", "Nack", "HealthCheck"} {
			if via := proxy.sentTo(m); len(via) != 1 || via[0] != "http://owner:1" {
				n.Errorf("%s names %v, want http://owner:1", m, via)
			}
		}
		if via := n.brokers["seed:1"].sentTo("TopicLookup"); len(via) != 0 {
			n.Errorf("a lookup names %v", via)
		}
	}, "seed:1", "proxy:1")
}

// A broker that does not know its own address is where it was asked.
func TestUnspecifiedAddress(t *testing.T) {
	withBrokers(t, func(n *network) {
		n.brokers["seed:1"].lookup = answer(redirect, "http://0.0.0.0:2", "http://0.0.0.0:2", false)
		n.send(n.producer(n.open(), "/default/t"), "a")
		if !slices.Contains(n.brokers["seed:2"].called(), "SendMessage") {
			n.Error("the message did not arrive there")
		}
	}, "seed:1", "seed:2")
}

// Lookups may be wrong for a while: a dead owner, no owner, no sense. They are asked
// again until they are right.
func TestLookupsThatAreWrong(t *testing.T) {
	answers := map[string]func(string) (*danubepb.TopicLookupResponse, error){
		"dead owner":  answer(redirect, "http://dead:1", "http://dead:1", false),
		"no address":  answer(redirect, "", "", false),
		"not http":    answer(redirect, "file:///etc/passwd", "", false),
		"failed":      answer(danubepb.TopicLookupResponse_Failed, "http://owner:1", "http://owner:1", false),
		"unavailable": func(string) (*danubepb.TopicLookupResponse, error) { return nil, status.Error(codes.Unavailable, "") },
		"internal":    func(string) (*danubepb.TopicLookupResponse, error) { return nil, status.Error(codes.Internal, "") },
	}
	for name, wrong := range answers {
		t.Run(name, func(t *testing.T) {
			withBrokers(t, func(n *network) {
				seed := n.brokers["seed:1"]
				var asked atomic.Int32
				seed.lookup = func(topic string) (*danubepb.TopicLookupResponse, error) {
					if asked.Add(1) <= 3 {
						return wrong(topic)
					}
					return answer(redirect, "http://owner:1", "http://owner:1", false)(topic)
				}
				n.send(n.producer(n.open(), "/default/t"), "a")
				asked.Store(0)
				n.consumer(n.open(), "/default/t", func(c *danube.ConsumerConfig) { c.CreateTopic = false })
			}, "seed:1", "owner:1")
		})
	}
}

// A seed that knows nothing does not keep the client from asking the next.
func TestSeedThatFails(t *testing.T) {
	withBrokers(t, func(n *network) {
		n.brokers["seed:1"].lookup = func(string) (*danubepb.TopicLookupResponse, error) {
			return nil, status.Error(codes.Internal, "no leader")
		}
		client := n.open(func(c *danube.Config) { c.Seeds = []string{"seed:1", "nobody:1", "seed:2"} })
		start := time.Now()
		n.send(n.producer(client, "/default/t"), "a")
		if d := time.Since(start); d > time.Second {
			n.Errorf("it took %v", d)
		}
	}, "seed:1", "seed:2")
}

func TestLookupRefused(t *testing.T) {
	withBrokers(t, func(n *network) {
		n.brokers["seed:1"].lookup = func(string) (*danubepb.TopicLookupResponse, error) {
			return nil, status.Error(codes.Unauthenticated, "User credentials are missing")
		}
		start := time.Now()
		_, err := n.open().NewProducer(n.soon(), danube.ProducerConfig{Topic: "/default/t", Name: "p"})
		n.want(err, danube.ErrAuth, "credentials", "seed:1", "look up /default/t")
		if d := time.Since(start); d > 0 {
			n.Errorf("it took %v", d)
		}
	}, "seed:1")
}

// Nothing that a broker sends makes the client panic, lose what is right, or spin.
func TestHostileMessages(t *testing.T) {
	withBrokers(t, func(n *network) {
		const max = ^uint64(0)
		good := &danubepb.StreamMessage{MsgId: at(7), Payload: []byte("good"), RequestId: 1}
		var sessions atomic.Int32
		n.brokers["seed:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			sessions.Add(1)
			for _, m := range []*danubepb.StreamMessage{
				{MsgId: at(max), RequestId: max, PublishTime: max, ProducerName: strings.Repeat("p", 1<<16), Payload: []byte("absurd")},
				{MsgId: at(max), RequestId: max, PublishTime: max, ProducerName: strings.Repeat("p", 1<<16), Payload: []byte("absurd")},
				{MsgId: &danubepb.MsgID{TopicOffset: 3, TopicName: "/other/topic"}, PublishTime: 1 << 63, Payload: []byte("elsewhere")},
				{MsgId: &danubepb.MsgID{}, Payload: []byte("empty id")},
				good,
				{Payload: []byte("no id")},
				good, // not reached: what has no id cannot be acknowledged, so the stream is of no use
			} {
				if err := s.Send(m); err != nil {
					return err
				}
			}
			<-s.Context().Done()
			return nil
		}
		con := n.consumer(n.open(), "/default/t")
		list := n.receive(con, "absurd", "empty id", "elsewhere", "good")
		for _, m := range list {
			n.must(con.Ack(m))
		}
		n.pass(time.Minute)
		if s := sessions.Load(); s < 2 || s > 100 {
			n.Errorf("%d sessions in a minute", s)
		}
		// Each session ends at once, and whether an ack gets out before that is luck.
		if err := con.Close(n.soon()); err != nil && !errors.Is(err, danube.ErrOutcomeUnknown) {
			n.Errorf("Close: %v", err)
		}
	}, "seed:1")
}

// Two messages that a hostile broker gives one offset, in one stream, for ever.
func TestHostileOffsets(t *testing.T) {
	withBrokers(t, func(n *network) {
		n.brokers["seed:1"].receive = func(s danubepb.ConsumerService_ReceiveMessagesServer) error {
			for i := uint64(0); ; i++ {
				if err := s.Send(&danubepb.StreamMessage{MsgId: at(i % 2 * 1000), RequestId: i}); err != nil {
					return err
				}
			}
		}
		con := n.consumer(n.open(), "/default/t")
		for range 2000 {
			m, err := con.Receive(n.soon())
			n.must(err)
			_ = con.Ack(m) // mostly of an older epoch by now
		}
		n.must(con.Close(n.soon()))
	}, "seed:1")
}
