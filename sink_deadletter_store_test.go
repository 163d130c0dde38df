package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// deadPublishes is a fault of publishing dead letters.
func (l *lab) deadPublishes(f danubetest.Fault) *danubetest.FaultHandle {
	f.Methods, f.Topic = []danubetest.Method{danubetest.MethodSendMessage}, l.name("dead")
	return l.b.Fault(f)
}

func TestSinkAcksOnlyWhenTheDeadLetterIsStored(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault danubetest.Fault
		times int // that the letter may be there
	}{
		{"no answer", danubetest.Fault{Hang: true}, 1},
		{"refused for a while", danubetest.Fault{Err: status.Error(codes.ResourceExhausted, "later"), Count: -1}, 1},
		{"stored, answer lost", danubetest.Fault{Err: status.Error(codes.Unavailable, "gone"), AfterApply: true, Count: 3}, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := fails("3", InvalidDataf("no"))
				r := l.sink(sink, l.deadTopic)
				h := l.deadPublishes(tc.fault)
				l.publish(topic, numbers(1, 6)...)
				l.must(h.Wait(t.Context(), 1))
				l.pause(20 * time.Second)
				if tc.fault.Count != 3 {
					same(t, "seen while the letter is not stored", strings.Join(sink.payloads(), " "), "1 2 3")
					same(t, "acked", l.acked(), 2)
					same(t, "in flight", r.metric("inflight_messages"), 4)
				}
				h.Remove()
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 6))
				r.stopped()
				same(t, "seen", strings.Join(sink.payloads(), " "), "1 2 3 4 5 6")
				letters := l.b.Messages(l.name("dead"))
				if len(letters) == 0 || len(letters) > tc.times {
					t.Fatalf("%d dead letters, want 1 to %d", len(letters), tc.times)
				}
				tries := l.b.Messages(topic)[2].Deliveries
				acked := tries[len(tries)-1]
				if stored := letters[0].StoredAt; acked.Outcome != danubetest.Acked || acked.Ended.Before(stored) {
					t.Errorf("acked at %v, stored at %v", acked.Ended, stored)
				}
				same(t, "dead-lettered", r.metric("messages_dead_lettered_total"), 1)
			})
		})
	}
}

func TestSinkStopWhileADeadLetterIsNotStored(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		r := l.sink(fails("1", InvalidDataf("no")), l.deadTopic, func(c *Config) { c.DrainTimeout = 3 * time.Second })
		h := l.deadPublishes(danubetest.Fault{Hang: true})
		l.publish(topic, "1", "2")
		l.must(h.Wait(t.Context(), 1))
		err, took := r.stop()
		if !errors.Is(err, ErrDrainDeadline) || took > 5*time.Second {
			t.Errorf("got %v after %v, want the drain deadline after 3s", err, took)
		}
		same(t, "acked", l.acked(), 0)
		same(t, "in flight", r.metric("inflight_messages"), 0)
		h.Remove()
		r = l.sink(fails("1", InvalidDataf("no")), l.deadTopic)
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 2))
		r.stopped()
	})
}

// The record is in the file when the broker hears of its ack.
func TestSinkDeadLetterFileIsWrittenBeforeTheAck(t *testing.T) {
	onProfiles(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		path := filepath.Join(t.TempDir(), "dead.jsonl")
		r := l.sink(fails("2", InvalidDataf("no")), func(c *Config) { c.DeadLetterFile = path })
		looked := 0
		l.b.Fault(danubetest.Fault{Observe: true, Methods: []danubetest.Method{danubetest.MethodAck}, Offsets: []uint64{1}, Count: -1, When: func(danubetest.Call) bool {
			looked++
			if data, err := os.ReadFile(path); err != nil || !bytes.HasSuffix(data, []byte("\n")) || !bytes.Contains(data, []byte(`"payload":"2"`)) {
				t.Errorf("acked when the file has %q (%v)", data, err)
			}
			return true
		}})
		l.publish(topic, "1", "2", "3")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
		r.stopped()
		if looked == 0 {
			t.Error("no ack was seen")
		}
	})
}

// A file that cannot be written, or not be seen to the disk, is waited for: the
// partition that has the letter rests, the others go on, and no retry comes at once.
func TestSinkDeadLetterFileThatFails(t *testing.T) {
	for _, path := range []string{"/dev/full", "/dev/null"} { // takes nothing; cannot be synced
		t.Run(path, func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
			onProfiles(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 2)
				sink := fails("1", InvalidDataf("no"))
				r := l.sink(sink, func(c *Config) { c.DeadLetterFile = path })
				l.publish(topic, numbers(1, 20)...)
				l.until("the other partition done", func() bool { return r.metric("messages_processed_total") == 10 })
				l.pause(28 * time.Second)
				tries := l.log.count("could not be stored")
				if tries < 2 || tries > 20 {
					t.Errorf("%d attempts to store it in 28 s, want a few", tries)
				}
				same(t, "processed", r.metric("messages_processed_total"), 10)
				same(t, "in flight", r.metric("inflight_messages"), 10)
				err, took := r.stop()
				l.must(err)
				if took > time.Second {
					t.Errorf("the stop took %v", took)
				}
				sub, _ := l.b.Subscription(topic, "s")
				same(t, "acked", sub.Acked, 10)
			})
		})
	}
}

// A letter that the topic refuses is in the file, once.
func TestSinkDeadLetterThatTheTopicRefusesIsInTheFile(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		path := filepath.Join(t.TempDir(), "dead.jsonl")
		r := l.sink(fails("2", InvalidDataf("no")), l.deadTopic, func(c *Config) { c.DeadLetterFile = path })
		h := l.deadPublishes(danubetest.Fault{Err: status.Error(codes.InvalidArgument, "exceeds maximum allowed")})
		l.publish(topic, "1", "2", "3")
		l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
		r.stopped()
		same(t, "refused by the topic", h.Hits(), 1)
		same(t, "in the topic", len(l.b.Messages(l.name("dead"))), 0)
		same(t, "in the file", len(filed(t, path)), 1)
		if l.log.count("ERROR", "in the file only") != 1 {
			t.Error("the log does not say where the record is")
		}
	})
}

// Where nothing can be published any more, waiting is of no use.
func TestSinkStopsWhenTheDeadLetterTopicIsLost(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		path := filepath.Join(t.TempDir(), "dead.jsonl")
		r := l.sink(fails("2", InvalidDataf("no")), l.deadTopic, func(c *Config) { c.DeadLetterFile = path })
		l.deadPublishes(danubetest.Fault{Err: errDenied, Count: -1})
		l.publish(topic, "1", "2", "3")
		err := r.wait()
		same(t, "exit code", ExitCode(err), 2)
		if !strings.Contains(fmt.Sprint(err), l.name("dead")) {
			t.Errorf("%v does not name the topic", err)
		}
		same(t, "acked", l.acked(), 1)
		same(t, "in the file", len(filed(t, path)), 1)
	})
}

// What the topic will never take stops the sink, unless the file has it: a record is
// never dropped.
func TestSinkDeadLetterThatIsTooLarge(t *testing.T) {
	large := strings.Repeat("x", 4<<20-1000)
	for _, file := range []bool{false, true} {
		name := "topic only"
		if file {
			name = "file too"
		}
		t.Run(name, func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				path := filepath.Join(t.TempDir(), "dead.jsonl")
				sink := fails(large, InvalidDataf("no"))
				r := l.sink(sink, l.deadTopic, func(c *Config) {
					if file {
						c.DeadLetterFile = path
					}
				})
				l.publish(topic, "1", large, "3")
				if !file {
					err := r.wait()
					same(t, "exit code", ExitCode(err), 5)
					if !errors.Is(err, ErrStoppedByPolicy) || !strings.Contains(err.Error(), "too large") {
						t.Errorf("got %v", err)
					}
					same(t, "acked", l.acked(), 1)
					same(t, "calls", len(sink.seen()), 2)
					return
				}
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 3))
				r.stopped()
				same(t, "in the file", len(filed(t, path)[0].Payload), len(large))
			})
		})
	}
}

// The text of an error may be anything; the broker's wire takes valid UTF-8 only.
func TestSinkDeadLetterOfAnErrorThatIsNoText(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		for _, tc := range []struct{ payload, reason string }{
			{"1", "cannot parse \xff\xfe"},
			{"2", "é" + strings.Repeat("é", 3000)}, // cut somewhere in the middle
			{"3", "x" + strings.Repeat("é", 3000)},
		} {
			r := l.sink(fails(tc.payload, InvalidDataf("%s", tc.reason)), l.deadTopic)
			l.publish(topic, tc.payload)
			l.until("dead-lettered", func() bool { return r.metric("messages_dead_lettered_total") == 1 })
			r.stopped()
		}
		letters := l.letters(l.name("dead"), 3)
		same(t, "reason", letters[0].Attributes["x-failure-reason"], "invalid data: cannot parse \uFFFD")
	})
}

// In a batch, a record whose dead letter cannot be stored holds up what is behind it
// in its order, and nothing else.
func TestSinkDeadLetterThatWaitsHoldsUpItsOrderInBatches(t *testing.T) {
	for _, tc := range []struct {
		ordering Ordering
		others   int // that are written meanwhile, of the twelve with other keys
	}{
		{OrderPartition, 6}, // at most: those before it, and with it in its batch
		{OrderKey, 12},
	} {
		t.Run(string(tc.ordering), func(t *testing.T) {
			onFake(t, func(t *testing.T, l *lab) {
				topic := l.topic("t", 0)
				sink := fails("3", InvalidDataf("no"))
				r := l.sink(FromBatch(inBatches{sink}), l.deadTopic, func(c *Config) { c.Ordering, c.Concurrency, c.BatchSize = tc.ordering, 1, 4 })
				h := l.deadPublishes(danubetest.Fault{Err: status.Error(codes.ResourceExhausted, "later"), Count: -1})
				keys := []string{"a", "b", "c"}
				for i := range 18 {
					l.publishKey(topic, keys[i%3], numbers(0, 17)[i])
				}
				l.must(h.Wait(t.Context(), 3))
				l.pause(5 * time.Second)
				own, others := 0, 0
				for _, p := range sink.seen() {
					if p.rec.Key() == "a" {
						own++
					} else {
						others++
					}
				}
				if own >= 6 || tc.ordering == OrderPartition && others > tc.others || tc.ordering == OrderKey && others != tc.others {
					t.Errorf("seen %d of its key and %d others while the letter waits", own, others)
				}
				h.Remove()
				l.must(l.b.WaitAcked(t.Context(), topic, "s", 18))
				r.stopped()
				l.b.CheckPayloads(t, l.name("dead"), "3")
			}, danubetest.WithMaxUnacked(18))
		})
	}
}

// Routes that share a dead letter topic share one producer: a broker keeps the order
// of one outstanding publish only.
func TestSinkRoutesShareADeadLetterTopic(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		a, b := l.topic("a", 0), l.topic("b", 0)
		sink := topicsSink{fails("bad", InvalidDataf("no")), func(context.Context) ([]ConsumerConfig, error) {
			return []ConsumerConfig{{Topic: a}, {Topic: b}}, nil
		}}
		r := l.sink(sink, l.deadTopic)
		l.publish(a, "bad", "good")
		l.publish(b, "bad", "good")
		l.must(l.b.WaitAcked(t.Context(), a, "s", 2))
		l.must(l.b.WaitAcked(t.Context(), b, "s", 2))
		r.stopped()
		l.b.CheckPayloads(t, l.name("dead"), "bad", "bad")
		same(t, "producers", len(l.b.Producers()), 1)
		calls := l.b.Stats().Calls[danubetest.MethodCreateProducer][codes.OK]
		same(t, "times that a producer was made", calls, 1)
	})
}
