package danubetest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// storm does anything to a cluster with some traps. Whatever the traps lose, the broker
// stays whole: it goes on answering, and a topic of its own works at the end.
func storm(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var traps, without []danubetest.Trap
	for _, tr := range danubetest.Traps() {
		switch rnd.IntN(3) {
		case 0:
			traps = append(traps, tr)
		case 1:
			without = append(without, tr)
		}
	}
	t.Log("traps:", traps, "without:", without)
	b := danubetest.Run(t, danubetest.WithBufconn(), danubetest.WithBrokers(2), danubetest.WithMaxUnacked(1+rnd.IntN(20)),
		danubetest.WithProfile(danubetest.Profile(rnd.IntN(2))), danubetest.WithTraps(traps...), danubetest.WithoutTraps(without...),
		danubetest.WithDispatchRate(rnd.IntN(2)*5), danubetest.WithCache(100),
		danubetest.WithFailurePolicy("", danubetest.FailurePolicy{
			MaxRedeliveries: rnd.IntN(3) - 1, Poison: danubetest.Poison(rnd.IntN(3)), DeadLetterTopic: "/default/dead", AckTimeout: 2 * time.Second,
		}))
	var brokers []*stubs
	for _, url := range b.URLs() {
		conn, err := b.DialURL(url)
		must(t, err)
		defer conn.Close()
		brokers = append(brokers, newStubs(t, conn))
	}
	try := func(f func(ctx context.Context)) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f(ctx)
	}
	types := []pb.ConsumerRequest_SubscriptionType{exclusive, shared, failover, keyShared}
	streams := map[string]context.CancelFunc{}
	defer func() {
		for _, cancel := range streams {
			cancel()
		}
	}()
	open := func(s *stubs, name string, sub int) {
		try(func(ctx context.Context) {
			r, err := s.consumers.Subscribe(ctx, &pb.ConsumerRequest{
				TopicName: topic, ConsumerName: name, Subscription: fmt.Sprint("s", sub), SubscriptionType: types[sub],
			})
			if err != nil || rnd.IntN(8) == 0 {
				return // without a stream, perhaps
			}
			ctx, cancel := context.WithCancel(t.Context())
			st, err := s.consumers.ReceiveMessages(ctx, &pb.ReceiveRequest{ConsumerId: r.GetConsumerId()})
			if err != nil {
				cancel()
				return
			}
			key := fmt.Sprint(name, sub)
			if old := streams[key]; old != nil && rnd.IntN(2) == 0 {
				old()
			}
			streams[key] = cancel
			go func() {
				defer cancel()
				for {
					if _, err := st.Recv(); err != nil {
						return
					}
				}
			}()
		})
	}
	send := func(s *stubs) {
		try(func(ctx context.Context) {
			p, err := s.producers.CreateProducer(ctx, &pb.ProducerRequest{TopicName: topic, ProducerName: "p", DispatchStrategy: pb.DispatchStrategy_Reliable})
			if err != nil {
				return
			}
			for range 1 + rnd.IntN(5) {
				key := fmt.Sprint(rnd.IntN(4))
				s.producers.SendMessage(ctx, &pb.StreamMessage{
					MsgId: &pb.MsgID{ProducerId: p.GetProducerId(), TopicName: topic}, RoutingKey: &key, Payload: []byte("x"),
				})
			}
		})
	}
	for range 300 {
		s := brokers[rnd.IntN(2)]
		sub := rnd.IntN(4)
		offset := rnd.Uint64N(40)
		if ms := b.Messages(topic); len(ms) > 0 {
			offset = ms[max(0, len(ms)-1-rnd.IntN(20))].Offset
		}
		id, name := &pb.MsgID{TopicName: topic, TopicOffset: offset}, fmt.Sprint("s", sub)
		switch k := rnd.IntN(100); {
		case k < 35:
			send(s)
		case k < 55:
			try(func(ctx context.Context) { s.consumers.Ack(ctx, &pb.AckRequest{MsgId: id, SubscriptionName: name}) })
		case k < 63:
			try(func(ctx context.Context) { s.consumers.Nack(ctx, &pb.NackRequest{MsgId: id, SubscriptionName: name}) })
		case k < 76:
			open(s, string(rune('a'+rnd.IntN(2))), sub)
		case k < 80:
			for key, cancel := range streams {
				cancel()
				delete(streams, key)
				break
			}
		case k < 84:
			b.PublishN(topic, rnd.IntN(400), func(int) []byte { return nil })
		case k < 86:
			f := []danubetest.Fault{
				{Methods: only(mSend), Hang: true}, {Reorder: true}, {Duplicate: 1}, {EndStream: danubetest.StreamReset},
				{Methods: only(mDelivery), Hang: true}, {Methods: only(mAck), AfterApply: true}, {Methods: only(mSend), Cut: true},
			}[rnd.IntN(7)]
			f.Optional = true
			h := b.Fault(f)
			send(s)
			h.Remove()
		case k < 94:
			time.Sleep(time.Duration(rnd.IntN(5000)) * time.Millisecond)
		case k < 96:
			b.UnloadTopic(topic)
		case k < 98:
			n := 1 + rnd.IntN(2)
			b.KillBroker(n)
			time.Sleep(time.Duration(rnd.IntN(40)) * time.Second)
			b.StartBroker(n)
		case k < 99:
			b.Stop()
			b.Start()
		default:
			try(func(ctx context.Context) { s.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: topic}) })
		}
		synctest.Wait()
	}
	b.Dump()
	_, err := b.Publish("/default/whole", []byte("x"))
	must(t, err)
	time.Sleep(time.Minute)
	want(t, "a topic of its own", len(b.Messages("/default/whole")), 1)
}

func TestTrapStorm(t *testing.T) {
	seeds := []uint64{rand.Uint64()}
	for i := range uint64(10) {
		seeds = append(seeds, i)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, seed) })
		})
	}
}
