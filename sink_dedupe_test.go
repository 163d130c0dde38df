package connect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// stamped publishes a message with a stamp, or an origin.
func (l *lab) stamped(topic, key, payload, stamp, origin string) {
	l.t.Helper()
	attributes := map[string]string{}
	if stamp != "" {
		attributes[danube.AttrStamp] = stamp
	}
	if origin != "" {
		attributes[danube.AttrSource] = origin
	}
	_, err := l.b.Publish(topic, []byte(payload), danubetest.PubOpts{Key: key, Attributes: attributes, RequestID: l.requests.Add(1)})
	l.must(err)
}

// A message that was published twice is processed once; only an equal full stamp counts.
func TestSinkDropsWhatWasPublishedTwice(t *testing.T) {
	for _, batches := range []bool{false, true} {
		for _, ordering := range []Ordering{OrderPartition, OrderKey} {
			t.Run(fmt.Sprintf("batches %v, ordering %v", batches, ordering), func(t *testing.T) {
				onProfiles(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					single, many := &testSink{}, batch(nil)
					var c SinkConnector = single
					if batches {
						c = FromBatch(many)
					}
					r := l.sink(c, func(c *Config) { c.Ordering = ordering })
					for _, m := range [][2]string{
						{"1", "p/5/1"}, {"2", "p/5/2"}, {"2", "p/5/2"}, {"3", "p/5/3"}, {"1", "p/5/1"},
						{"4", "p/6/1"}, {"5", "q/5/1"}, {"6", "p/55/1"}, // another epoch, another producer
						{"7", "p/5/"}, {"8", "p/5/"}, {"9", "1"}, {"10", "1"}, {"11", ""}, // no stamps
						{"12", "2024/05"}, {"13", "2024/05"}, {"14", "p/5/01"}, {"15", "/5/1"}, {"16", "/5/1"}, // nor these
						{"5", "q/5/1"},
					} {
						l.stamped(topic, m[1], m[0], m[1], "")
					}
					l.must(l.b.WaitAcked(t.Context(), topic, "s", 19))
					r.stopped()
					got := append(single.payloads(), many.written()...)
					if ordering == OrderPartition {
						same(t, "processed", got, numbers(1, 16))
					}
					same(t, "processed", len(got), 16)
					same(t, "repeated", r.metric("messages_repeated_total", "by=stamp"), 3)
					same(t, "in flight", r.metric("inflight_messages"), 0)
					l.b.CheckNoUnacked(t, topic, "s")
				})
			})
		}
	}
}

// The copy of a record that is not written yet is no copy to be dropped: it waits, and
// goes when the record is written.
func TestSinkCopyOfARecordThatFails(t *testing.T) {
	for _, batches := range []bool{false, true} {
		t.Run(fmt.Sprintf("batches %v", batches), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				fails := 0
				single := &testSink{process: func(_ context.Context, p processed) error {
					if p.payload == "1" && p.attempt < 4 {
						return errors.New("busy")
					}
					return nil
				}}
				var c SinkConnector = single
				var written []string
				if batches {
					c = FromBatch(batch(func(_ context.Context, b *Batch, _ int) error {
						for _, rec := range b.Records() {
							if string(rec.Payload()) == "1" && fails < 3 {
								fails++
								return errors.New("busy")
							}
						}
						for _, rec := range b.Records() {
							written = append(written, string(rec.Payload()))
						}
						return nil
					}))
				}
				r := l.sink(c)
				l.stamped(topic, "", "1", "p/5/1", "")
				l.stamped(topic, "", "1", "p/5/1", "")
				l.stamped(topic, "", "2", "p/5/2", "")
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
				r.stopped()
				if batches {
					same(t, "written", strings.Join(written, " "), "1 2")
				} else {
					same(t, "calls", strings.Join(single.payloads(), " "), "1 1 1 1 2")
				}
				same(t, "repeated", r.metric("messages_repeated_total"), 1)
			})
		})
	}
}

// What a source publishes again is counted, and dropped only where that is wanted.
func TestSinkRecordsThatTheirSourceRepeats(t *testing.T) {
	for dedupe, want := range map[Dedupe]string{DedupeStamp: "1 2 1 2 3", DedupeSource: "1 2 3", DedupeOff: "1 2 1 2 3"} {
		t.Run(string(dedupe), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := &testSink{}
				r := l.sink(sink, func(c *Config) { c.Dedupe = dedupe })
				for i, p := range []string{"1", "2", "1", "2", "3"} { // another epoch after the crash
					l.stamped(topic, "", p, fmt.Sprintf("p/%d/%d", 5+i/2, i%2+1), "c/p@"+p+"#0")
				}
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 5))
				r.stopped()
				same(t, "processed", strings.Join(sink.payloads(), " "), want)
				counted := 2.0
				if dedupe == DedupeOff {
					counted = 0
				}
				same(t, "repeated", r.metric("messages_repeated_total", "by=source"), counted)
			})
		})
	}
}

// As it really happens: the answer to a publish is lost, and the producer repeats it.
func TestSinkAfterAnAmbiguousPublish(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		sink := &testSink{}
		r := l.sink(sink)
		p, err := l.client.NewProducer(t.Context(), danube.ProducerConfig{Topic: topic, Name: "p", Stamp: true})
		l.must(err)
		for i := range 20 {
			if i%4 == 0 {
				l.b.Fault(danubetest.AmbiguousPublish(topic))
			}
			_, err := p.Send(t.Context(), &danube.Outgoing{Payload: []byte(fmt.Sprint(i))})
			l.must(err)
		}
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 25))
		l.must(p.Close(t.Context()))
		r.stopped()
		same(t, "processed", sink.payloads(), numbers(0, 19))
		same(t, "repeated", r.metric("messages_repeated_total", "by=stamp"), 5)
	})
}

func TestStampRanges(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var s stampRanges
		model := map[uint64]bool{}
		for range 400 {
			n := rnd.Uint64N(300)
			if s.has(n) != model[n] {
				t.Fatalf("seed %d: %d: got %v", seed, n, s.has(n))
			}
			s.add(n)
			model[n] = true
		}
		for i := 1; i < len(s.list); i++ {
			if s.list[i].from <= s.list[i-1].to+1 {
				t.Fatalf("seed %d: ranges touch: %v", seed, s.list)
			}
		}
	}
}

// What is remembered has bounds.
func TestRepeatsAreForgotten(t *testing.T) {
	var r repeats
	message := func(stamp, origin string) *danube.Message {
		return &danube.Message{Attributes: map[string]string{danube.AttrStamp: stamp, danube.AttrSource: origin}, PublishTime: time.Time{}}
	}
	for i := range repeatOrigins + 500 {
		r.ended(message(fmt.Sprintf("p/%d/1", i%(2*repeatLines)), fmt.Sprint("c/p@", i, "#0")))
		r.ended(message(fmt.Sprint("one/1/", 2*i), ""))
	}
	if len(r.lines) > repeatLines || len(r.origins.known) != repeatOrigins || len(r.lines["one/1"].list) > repeatRanges {
		t.Errorf("%d lines, %d origins, %d ranges", len(r.lines), len(r.origins.known), len(r.lines["one/1"].list))
	}
	last := repeatOrigins + 499
	if !r.origin(message("", fmt.Sprint("c/p@", last, "#0"))) || r.origin(message("", "c/p@0#0")) || !r.stamp(message(fmt.Sprint("one/1/", 2*last), "")) {
		t.Error("not the newest are remembered")
	}
}
