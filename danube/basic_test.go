package danube_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func TestPublishReceiveAck(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic)
		at := time.UnixMilli(1234567890123)
		out := &danube.Outgoing{Payload: []byte("hello"), Attributes: map[string]string{"a": "1", "": ""}, Key: "k", PublishTime: at}
		r, err := p.Send(l.soon(), out)
		l.must(err)
		if r.Topic != topic || r.Partition != danube.NoPartition || r.Attempts != 1 || r.Ambiguous || r.RequestID == 0 {
			l.Errorf("receipt: %+v", r)
		}
		m := l.receive(con, "hello")[0]
		if m.Topic != topic || m.WireTopic != topic || m.Partition != danube.NoPartition || m.Subscription != "s" ||
			m.ProducerName != "p" || m.RequestID != r.RequestID || m.ProducerID == 0 || !m.PublishTime.Equal(at) ||
			m.Key != "k" || len(m.Attributes) != 2 || m.Attributes["a"] != "1" || m.Schema != nil || m.BrokerAddr == "" {
			l.Errorf("message: %+v", m)
		}
		if want := (danube.ID{Topic: topic, Offset: m.Offset, Producer: "p", PublishedMs: at.UnixMilli(), RequestID: r.RequestID}); m.ID() != want {
			l.Errorf("id: got %+v, want %+v", m.ID(), want)
		}
		l.ack(con, m)
		if err := con.Ack(m); !errors.Is(err, danube.ErrInvalid) {
			l.Errorf("a second ack: got %v, want ErrInvalid", err)
		}
		if err := con.Ack(&danube.Message{WireTopic: "/default/other"}); !errors.Is(err, danube.ErrInvalid) {
			l.Errorf("an ack of another topic's message: got %v, want ErrInvalid", err)
		}

		// Order, empty payloads, and what is not there stays nil.
		l.send(p, "", "b", "c")
		list := l.receive(con, "", "b", "c")
		for i, m := range list {
			if i > 0 && m.Offset != list[i-1].Offset+1 {
				l.Errorf("offset %d follows %d", m.Offset, list[i-1].Offset)
			}
			if m.Attributes != nil || m.Key != "" {
				l.Errorf("attributes %v and key %q from nowhere", m.Attributes, m.Key)
			}
		}
		l.ack(con, list...)

		// Nothing of it comes again.
		l.must(con.Close(l.soon()))
		con = l.consumer(client, topic)
		l.send(p, "next")
		l.ack(con, l.receive(con, "next")...)
	})
}

func TestSendAsyncKeepsOrder(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		con := l.consumer(client, topic)
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.MaxPending = 7 })
		const n = 200
		done := make(chan danube.Receipt, n)
		for _, s := range series("m", n) {
			l.must(p.SendAsync(l.soon(), &danube.Outgoing{Payload: []byte(s)}, func(r danube.Receipt, err error) {
				if err != nil {
					l.Error(err)
				}
				done <- r
			}))
		}
		var last danube.Receipt
		go func() {
			for range n {
				r := <-done
				if last.RequestID != 0 && r.RequestID != last.RequestID+1 {
					l.Errorf("request %d follows %d", r.RequestID, last.RequestID)
				}
				last = r
			}
		}()
		for _, s := range series("m", n) {
			l.must(con.Ack(l.receive(con, s)[0]))
		}
		l.must(con.Flush(l.soon()))
		l.must(p.Close(l.soon()))
	})
}

func TestPartitionsAndKeys(t *testing.T) {
	onBoth(t, func(l *lab) {
		const parts = 11 // so that -part-10 is there, which brokers list before -part-2
		topic, client := l.topic(), l.open()
		p := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Partitions = parts })
		con := l.consumer(client, topic)
		if p.Partitions() != parts {
			l.Errorf("%d partitions", p.Partitions())
		}
		byKey := map[string]int32{}
		for i := range 40 {
			key := fmt.Sprintf("key-%d", i%8)
			r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte(fmt.Sprint(i)), Key: key})
			l.must(err)
			if before, ok := byKey[key]; ok && before != r.Partition {
				l.Errorf("key %s went to partitions %d and %d", key, before, r.Partition)
			}
			byKey[key] = r.Partition
			if want := fmt.Sprintf("%s-part-%d", topic, r.Partition); r.Topic != want {
				l.Errorf("receipt names %s, want %s", r.Topic, want)
			}
		}
		var turns []int32
		for range 2 * parts {
			r, err := p.Send(l.soon(), &danube.Outgoing{Payload: []byte("no key")})
			l.must(err)
			turns = append(turns, r.Partition)
		}
		for i, n := range turns {
			if n != int32(i%parts) {
				l.Fatalf("without keys: partitions %v", turns)
			}
		}
		last := map[string]int{}
		for range 40 + 2*parts {
			m, err := con.Receive(l.soon())
			l.must(err)
			if m.Topic != topic || m.WireTopic != fmt.Sprintf("%s-part-%d", topic, m.Partition) {
				l.Errorf("message of %s, partition %d, on the wire %s", m.Topic, m.Partition, m.WireTopic)
			}
			if m.Key != "" {
				if m.Partition != byKey[m.Key] || m.ProducerName != fmt.Sprintf("p-%d", m.Partition) {
					l.Errorf("key %s came from partition %d of producer %s", m.Key, m.Partition, m.ProducerName)
				}
				var i int
				fmt.Sscan(string(m.Payload), &i)
				if before, ok := last[m.Key]; ok && i <= before {
					l.Errorf("key %s: %d after %d", m.Key, i, before)
				}
				last[m.Key] = i
			}
			l.must(con.Ack(m))
		}
		l.must(con.Flush(l.soon()))

		// A producer that does not know the number asks the broker.
		again := l.producer(client, topic, func(c *danube.ProducerConfig) { c.Name = "q" })
		if again.Partitions() != parts {
			l.Errorf("the broker's own number: got %d, want %d", again.Partitions(), parts)
		}
	})
}

func TestHandlerGetsMessagesInOrder(t *testing.T) {
	onBoth(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		got := make(chan *danube.Message, 100)
		con := l.consumer(client, topic, func(c *danube.ConsumerConfig) { c.Handler = func(m *danube.Message) { got <- m } })
		if _, err := con.Receive(l.soon()); !errors.Is(err, danube.ErrInvalid) {
			l.Errorf("Receive beside a Handler: got %v, want ErrInvalid", err)
		}
		p := l.producer(client, topic)
		want := series("m", 50)
		l.post(p, want...)
		for _, w := range want {
			select {
			case m := <-got:
				if string(m.Payload) != w {
					l.Fatalf("got %q, want %q", m.Payload, w)
				}
				l.must(con.Ack(m))
			case <-l.soon().Done():
				l.Fatalf("%q did not come", w)
			}
		}
		l.must(con.Flush(l.soon()))
		select {
		case <-con.Done():
			l.Error("done before Close")
		default:
		}
		l.must(con.Close(l.soon()))
		<-con.Done()
		if con.Err() != nil {
			l.Errorf("closed, and failed: %v", con.Err())
		}
	})
}
