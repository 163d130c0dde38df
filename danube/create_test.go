package danube_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// While a topic is being created, only the broker that was told to create it is asked
// for it: another one may not have heard of it and create it once more.
func TestOneBrokerCreates(t *testing.T) {
	addrs := []string{"a:1", "b:1", "c:1"}
	withBrokers(t, func(n *network) {
		var asked []string // for a producer, before the topic has an owner
		start := time.Now()
		owned := false
		for _, addr := range addrs {
			b := n.brokers[addr]
			b.lookup = func(string) (*danubepb.TopicLookupResponse, error) {
				if !owned {
					return nil, status.Error(codes.NotFound, "Unable to find the requested topic")
				}
				return &danubepb.TopicLookupResponse{ConnectUrl: "http://c:1", BrokerUrl: "http://c:1", ResponseType: redirect}, nil
			}
			b.create = func() error {
				if owned {
					return nil
				}
				asked = append(asked, addr)
				if since := time.Since(start); len(asked) == 2 && since < 3*time.Second {
					n.Errorf("asked again %v later, before the creation can have ended", since)
				}
				if len(asked) == 1 {
					return status.Error(codes.Unavailable, "The topic metadata was created, need to redo the lookup to find the correct broker")
				}
				owned = len(asked) == 4
				return status.Error(codes.Unavailable, "The topic exists but is served by another broker, redo the Lookup request")
			}
		}
		// As long as it takes: the waits between four attempts are random.
		p, err := n.open(func(c *danube.Config) { c.Seeds = addrs }).NewProducer(n.within(10*time.Minute), danube.ProducerConfig{Topic: "/default/t", Name: "p"})
		n.must(err)
		n.send(p, "x")
		if len(asked) != 4 || len(slices.Compact(asked)) != 1 {
			n.Errorf("asked for the producer: %v, want one broker each time", asked)
		}
		if !slices.Contains(n.brokers["c:1"].called(), "SendMessage") {
			n.Error("the message did not go to the owner")
		}
	}, addrs...)
}

// When the broker that was told is gone, another one is.
func TestCreatorIsGone(t *testing.T) {
	addrs := []string{"a:1", "b:1"}
	withBrokers(t, func(n *network) {
		told := ""
		for _, addr := range addrs {
			b := n.brokers[addr]
			b.lookup = func(string) (*danubepb.TopicLookupResponse, error) {
				return nil, status.Error(codes.NotFound, "Unable to find the requested topic")
			}
			b.create = func() error {
				switch told {
				case "":
					told = addr
					return status.Error(codes.Unavailable, "The topic metadata was created, need to redo the lookup to find the correct broker")
				case addr:
					return status.Error(codes.Unavailable, "connection reset")
				}
				return nil
			}
		}
		_, err := n.open(func(c *danube.Config) { c.Seeds = addrs }).NewProducer(n.within(10*time.Minute), danube.ProducerConfig{Topic: "/default/t", Name: "p"})
		n.must(err)
	}, addrs...)
}
