package danubetest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// dialAll connects to every broker of a cluster.
func dialAll(t testing.TB, b *danubetest.Broker) (all []*stubs) {
	t.Helper()
	for _, url := range b.URLs() {
		conn, err := b.DialURL(url)
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		all = append(all, newStubs(t, conn))
	}
	return all
}

// cluster runs a test in virtual time on three brokers in memory.
func cluster(t *testing.T, f func(t *testing.T, b *danubetest.Broker, s []*stubs), opts ...danubetest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := danubetest.Run(t, append([]danubetest.Option{danubetest.WithBufconn(), danubetest.WithBrokers(3)}, opts...)...)
		f(t, b, dialAll(t, b))
	})
}

// where returns what a broker's lookup says: the type and the broker's number.
func where(s *stubs, b *danubetest.Broker, topic string) string {
	s.t.Helper()
	r, err := s.discovery.TopicLookup(s.t.Context(), &pb.TopicLookupRequest{Topic: topic})
	if err != nil {
		wantStatus(s.t, err, codes.NotFound, "Unable to find the requested topic")
		return "nowhere"
	}
	for _, n := range b.Brokers() {
		if n.URL == r.GetBrokerUrl() {
			return r.GetResponseType().String() + " " + string(rune('0'+n.ID))
		}
	}
	s.t.Errorf("no broker has the url %s", r.GetBrokerUrl())
	return ""
}

func TestClusterPlacesTopics(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		must(t, b.CreateTopic("/default/p", danubetest.TopicConfig{Partitions: 4}))
		var owners []int
		for _, ti := range b.Topics() {
			owners = append(owners, b.Owner(ti.Name))
		}
		want(t, "owners", owners, []int{1, 2, 3, 1})
		s[1].producer(topic, "p") // belongs to the broker that was asked
		for i, w := range []string{"Redirect 2", "Connect 2", "Redirect 2"} {
			want(t, "lookup", where(s[i], b, topic), w)
			r, err := s[i].discovery.TopicPartitions(t.Context(), &pb.TopicLookupRequest{Topic: "/default/p"})
			must(t, err)
			want(t, "partitions", len(r.GetPartitions()), 4)
		}
		_, err := s[0].tryProducer(topic, "p")
		wantStatus(t, err, codes.Unavailable, "redo the Lookup")
		_, err = s[0].trySubscribe(topic, sub, "c", exclusive)
		wantStatus(t, err, codes.Unavailable, "redo the Lookup")
		want(t, "brokers", b.Brokers()[1].Topics, []string{topic, "/default/p-part-1"})
		if d := b.Dump(); !strings.Contains(d, "broker 3, alive true, topics [/default/p-part-2]") {
			t.Errorf("dump: %s", d)
		}
	})
}

func TestIDsAreKnownToTheirBrokerAlone(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		p := s[0].producer(topic, "p")
		c := s[0].open(topic, sub, "c", exclusive)
		want(t, "health there", []any{s[0].check(asProd, p.id), s[0].check(asCons, c.id)}, []any{healthy, healthy})
		want(t, "health elsewhere", []any{s[1].check(asProd, p.id), s[1].check(asCons, c.id)}, []any{closed, closed})
		p.s, c.s = s[1], s[1]
		wantStatus(t, p.trySend("x"), codes.NotFound, "The producer with id")
		_, err := s[1].consumers.Ack(t.Context(), &pb.AckRequest{MsgId: c.msgID(0), SubscriptionName: sub})
		wantStatus(t, err, codes.Internal, "not found in registry")
		st, err := s[1].consumers.ReceiveMessages(t.Context(), &pb.ReceiveRequest{ConsumerId: c.id})
		must(t, err)
		_, err = st.Recv()
		wantStatus(t, err, codes.NotFound, "The consumer with the id")
	})
}

func TestBrokerAdmin(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		conn, err := b.DialURL(b.URLs()[1])
		must(t, err)
		defer conn.Close()
		admin := adminpb.NewBrokerAdminClient(conn)
		list := func() (ids []string) {
			r, err := admin.ListBrokers(t.Context(), new(adminpb.Empty))
			must(t, err)
			for _, i := range r.GetBrokers() {
				ids = append(ids, i.GetBrokerId()+" "+i.GetBrokerRole()+" "+i.GetBrokerAddr())
			}
			return ids
		}
		want(t, "brokers", list(), "[1 Cluster_Leader "+b.URLs()[0]+" 2 Cluster_Follower "+b.URLs()[1]+" 3 Cluster_Follower "+b.URLs()[2]+"]")
		must(t, b.KillBroker(1))
		want(t, "brokers", len(list()), 3) // its registration lasts a while
		time.Sleep(30 * time.Second)
		want(t, "brokers", len(list()), 2)
		r, err := admin.GetLeaderBroker(t.Context(), new(adminpb.Empty))
		must(t, err)
		want(t, "leader", r.GetLeader(), "2")
		n, err := admin.ListNamespaces(t.Context(), new(adminpb.Empty))
		must(t, err)
		want(t, "namespaces", n.GetNamespaces(), []string{"default", "system"})
		s[1].producer(topic, "p")
		d, err := s[2].topics.DescribeTopic(t.Context(), &adminpb.DescribeTopicRequest{Name: topic})
		must(t, err)
		want(t, "described at", d.GetBrokerId(), "2")
	})
}

func TestProxy(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		want(t, "urls", b.URLs(), []string{b.URL()})
		must(t, b.CreateTopic("/default/first", danubetest.TopicConfig{}))
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{}))
		r, err := s[0].discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
		must(t, err)
		second := b.Brokers()[1].URL
		want(t, "lookup", []any{r.GetConnectUrl(), r.GetBrokerUrl(), r.GetProxy()}, []any{b.URL(), second, true})

		create := func(ctx context.Context) error {
			_, err := s[0].producers.CreateProducer(ctx, &pb.ProducerRequest{TopicName: topic, ProducerName: "p", DispatchStrategy: pb.DispatchStrategy_Reliable})
			return err
		}
		named := metadata.AppendToOutgoingContext(t.Context(), "x-danube-broker-url", second)
		must(t, create(named))
		// Without the name requests go to the brokers in turn.
		var codes3 []codes.Code
		for range 3 {
			codes3 = append(codes3, code(create(t.Context())))
		}
		want(t, "codes", count(codes3, codes.OK), 1)
		wantStatus(t, create(metadata.AppendToOutgoingContext(t.Context(), "x-danube-broker-url", "http://nobody:1")), codes.Unavailable, "nobody")
		calls := b.Calls(func(in danubetest.Call) bool { return in.BrokerURL == second })
		want(t, "calls", []any{len(calls), calls[0].Broker, calls[0].Method}, []any{1, 2, danubetest.MethodCreateProducer})

		// A broker dies behind the proxy.
		resp, err := s[0].consumers.Subscribe(named, &pb.ConsumerRequest{TopicName: topic, ConsumerName: "c", Subscription: sub})
		must(t, err)
		st, err := s[0].consumers.ReceiveMessages(named, &pb.ReceiveRequest{ConsumerId: resp.GetConsumerId()})
		must(t, err)
		_, err = st.Header()
		must(t, err)
		must(t, b.KillBroker(2))
		_, err = st.Recv()
		wantStatus(t, err, codes.Unavailable, "")
		wantStatus(t, create(named), codes.Unavailable, "")
		must(t, b.StartBroker(2))
		must(t, create(named))
		b.Stop()
		wantStatus(t, create(named), codes.Unavailable, "")
		must(t, b.Start())
	}, danubetest.WithProxy())
}

func TestFaultOfOneBroker(t *testing.T) {
	cluster(t, func(t *testing.T, b *danubetest.Broker, s []*stubs) {
		b.Fault(danubetest.Fault{Methods: only(danubetest.MethodTopicLookup), Broker: 2})
		must(t, b.CreateTopic(topic, danubetest.TopicConfig{}))
		want(t, "first", where(s[0], b, topic), "Connect 1")
		_, err := s[1].discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
		wantStatus(t, err, codes.Unavailable, "fault")
	})
}

func TestClusterOverTCP(t *testing.T) {
	b := danubetest.Run(t, danubetest.WithBrokers(2), danubetest.WithTiming(danubetest.Timing{Gap: 20 * time.Millisecond}), danubetest.WithAddr("0.0.0.0:0"))
	s := dialAll(t, b)
	p := s[0].producer(topic, "p")
	c := s[0].open(topic, sub, "c", exclusive)
	p.send("a")
	c.offsets(1)
	must(t, b.UnloadTopic(topic))
	wantEOF(t, c)
	for where(s[1], b, topic) == "nowhere" {
		<-time.After(time.Millisecond)
	}
	want(t, "lookup", where(s[0], b, topic), "Redirect 2")
	want(t, "again", s[1].open(topic, sub, "c", exclusive).offsets(1), []int{0})
	must(t, b.KillBroker(2))
	for b.Owner(topic) != 1 {
		<-time.After(time.Millisecond)
	}
	s[0].producer(topic, "p").send("b")
	want(t, "again", s[0].open(topic, sub, "c", exclusive).offsets(2), []int{0, 1})
}

func TestClusterOptions(t *testing.T) {
	for _, o := range []danubetest.Option{
		danubetest.WithBrokers(0), danubetest.WithBrokers(101), danubetest.WithTiming(danubetest.Timing{Gap: -1}),
	} {
		if _, err := danubetest.New(o); err == nil {
			t.Error("nonsense was taken")
		}
	}
}
