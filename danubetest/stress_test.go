package danubetest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Many publishers and consumers at once, and streams that break all the time.
func TestStress(t *testing.T) {
	const producers, each = 8, 100
	b := danubetest.Run(t, danubetest.WithFailurePolicy("", danubetest.FailurePolicy{MaxRedeliveries: 1 << 30}))
	ctx, cancel := context.WithCancel(t.Context())
	var wg, publishing sync.WaitGroup
	for i := range producers {
		p := dial(t, b).producer(topic, fmt.Sprint("p", i))
		publishing.Go(func() {
			for n := range each {
				if err := p.trySend(fmt.Sprint(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	consume := func(name string, typ pb.ConsumerRequest_SubscriptionType) {
		s := dial(t, b)
		for ctx.Err() == nil {
			c, err := s.trySubscribe(topic, "s"+typ.String(), name, typ)
			if err != nil {
				t.Error(err)
				return
			}
			st, err := s.consumers.ReceiveMessages(ctx, &pb.ReceiveRequest{ConsumerId: c.id})
			if err != nil {
				return
			}
			for {
				m, err := st.Recv()
				if err != nil {
					break
				}
				s.consumers.Ack(ctx, &pb.AckRequest{MsgId: m.GetMsgId(), SubscriptionName: "s" + typ.String()})
			}
		}
	}
	for typ, n := range map[pb.ConsumerRequest_SubscriptionType]int{exclusive: 1, shared: 4} {
		must(t, b.CreateSubscription(topic, "s"+typ.String(), danubetest.SubOpts{From: danubetest.Earliest}))
		for i := range n {
			wg.Go(func() { consume(fmt.Sprint("c", i), typ) })
		}
	}
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			b.DropStreams([]danubetest.StreamEnd{danubetest.StreamEOF, danubetest.StreamUnavailable, danubetest.StreamInternal}[i%3])
			b.Dump()
		}
	})
	publishing.Wait()
	for _, typ := range []pb.ConsumerRequest_SubscriptionType{exclusive, shared} {
		name := "s" + typ.String()
		must(t, b.WaitAcked(ctx, topic, name, producers*each))
		must(t, b.WaitIdle(ctx, topic, name))
	}
	cancel()
	wg.Wait()
	// Each producer's messages are in its order, since it had one outstanding.
	seen := make(map[string]int)
	for _, m := range b.Messages(topic) {
		want(t, "message of "+m.Producer, string(m.Payload), fmt.Sprint(seen[m.Producer]))
		seen[m.Producer]++
	}
}
