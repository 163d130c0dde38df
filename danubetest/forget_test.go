package danubetest_test

import (
	"runtime"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestForgetAcked(t *testing.T) {
	const n, size = 4_000, 16 << 10
	b := danubetest.Run(t, danubetest.WithForgetAcked(), danubetest.WithMaxUnacked(1000))
	s := dial(t, b)
	s.producer(topic, "p")
	slow := s.open(topic, "slow", "c", exclusive)
	c := s.open(topic, sub, "c", exclusive)
	payload := make([]byte, size)
	before := heap()
	last := make(chan struct{})
	go func() {
		defer close(last)
		for range n {
			m, err := c.stream.Recv()
			if err != nil {
				t.Error(err)
				return
			}
			c.ack(m.GetMsgId().GetTopicOffset())
		}
	}()
	published := 0
	for published < n {
		_, err := b.PublishN(topic, 500, func(int) []byte { return payload })
		must(t, err)
		published += 500
		slow.ack(slow.offsets(500)...)
		must(t, b.WaitAcked(t.Context(), topic, sub, published-1000))
	}
	<-last
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("%d KiB more after %d KiB of messages", grown>>10, n*size>>10)
	}
	ti := b.Topics()[0]
	want(t, "published, kept, bytes", []any{ti.Published, ti.Kept, ti.Bytes}, []any{n, 0, n * size})
	i := info(t, b)
	want(t, "acked, cursor, pending", []any{i.Acked, i.Cursor, i.Pending}, []any{n, n - 1, 0})
	st := b.Stats()
	want(t, "stats", []int{st.Published, st.Acked, st.Delivered}, []int{n, 2 * n, 2 * n})

	// What a subscription still needs is kept, what came before it is not.
	must(t, b.CreateSubscription(topic, "new", danubetest.SubOpts{From: danubetest.Earliest}))
	b.Publish(topic, []byte("kept"))
	c.ack(c.offsets(1)...)
	slow.ack(slow.offsets(1)...)
	b.CheckPayloads(t, topic, "kept")
	fresh := s.open(topic, "new", "c", exclusive)
	want(t, "offset", fresh.offsets(1), []int{n})
	fresh.ack(n)
	want(t, "kept", len(b.Messages(topic)), 0)

	must(t, b.CreateTopic("/default/loose", danubetest.TopicConfig{Dispatch: danubetest.NonReliable}))
	b.PublishN("/default/loose", 100, func(int) []byte { return payload })
	ti = b.Topics()[0]
	want(t, "loose", []any{ti.Name, ti.Published, ti.Kept}, []any{"/default/loose", 100, 0})
}
