package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// stamp reads the x-connect-stamp of a message.
func stamp(t *testing.T, m danubetest.Message) (producer, epoch string, number int) {
	t.Helper()
	parts := strings.Split(m.Attributes[danube.AttrStamp], "/")
	if len(parts) != 3 {
		t.Fatalf("%q has the attributes %q", m.Payload, m.Attributes)
	}
	number, err := strconv.Atoi(parts[2])
	must(t, err)
	return parts[0], parts[1], number
}

// checkStamps fails the test unless the numbers of each producer and epoch of a topic
// on the wire are 1, 2, 3 and so on, where a message that comes twice, as want says,
// has its number twice. It returns the epochs.
func checkStamps(t *testing.T, messages []danubetest.Message, twice ...string) (epochs []string) {
	t.Helper()
	last := make(map[string]int)
	payload := make(map[string]string)
	for _, m := range messages {
		producer, epoch, n := stamp(t, m)
		if !strings.HasPrefix(producer, "c-default-t") || m.Producer != producer {
			t.Errorf("%q is stamped by %q, producer is %q", m.Payload, producer, m.Producer)
		}
		key := m.Topic + producer + epoch
		if last[key] == 0 {
			epochs = append(epochs, epoch)
		}
		full := m.Topic + m.Attributes[danube.AttrStamp]
		if other, again := payload[full]; again {
			if other != string(m.Payload) || len(twice) == 0 || twice[0] != other {
				t.Errorf("%q and %q have the stamp %s", other, m.Payload, full)
			} else {
				twice = twice[1:]
			}
			continue
		}
		payload[full] = string(m.Payload)
		if last[key]++; n != last[key] {
			t.Errorf("%q has the number %d, want %d", m.Payload, n, last[key])
		}
	}
	if len(twice) > 0 {
		t.Errorf("not there twice: %q", twice)
	}
	return epochs
}

// origins returns the payloads and x-connect-source of a topic's messages.
func sources(messages []danubetest.Message) (list []string) {
	for _, m := range messages {
		list = append(list, string(m.Payload)+"="+m.Attributes[danube.AttrSource])
	}
	return list
}

// skipping gives bad records up.
func skipping(c *Config) { c.OnError = OnErrorSkip }

func TestStampsAreContiguous(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 3)
		n := 0
		l.b.Fault(publishes(danubetest.Fault{When: func(danubetest.Call) bool { n++; return n%5 == 0 }})) // not done
		big := strings.Repeat("x", 5<<20)
		source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
			list := offsets("p", 10*n, 10*n+9)
			list = append(list, texts("", big)...) // refused before it is sent
			list = append(list, texts("no topic", "bad")...)
			list = append(list, FromString("", "keyed").WithKey(fmt.Sprint(n)))
			if n == 20 {
				return list, io.EOF
			}
			return list, nil
		}}
		r := l.source(source, skipping)
		l.must(r.wait())
		messages := l.b.Messages(topic)
		same(t, "messages", len(messages), 20*11)
		checkStamps(t, messages)
	})
}

// The broker says no in the middle, to a message that it has not kept.
func TestStampsAroundARefusalOfTheBroker(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		r := l.source(once(texts("", "1", strings.Repeat("x", 1000), "2", "3")...), skipping)
		l.until("published", func() bool { return r.metric("messages_processed_total") == 3 })
		same(t, "skipped", r.metric("messages_skipped_total"), 1)
		r.stopped()
		checkStamps(t, l.b.Messages(topic))
	}, danubetest.WithMaxMessageSize(100))
}

// Whatever happens to its answer, a message keeps its stamp: that is how a reader
// knows that it is the same.
func TestAMessageKeepsItsStampOverAttempts(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		for payload, times := range map[string]int{"p3": 2, "p4": 1} { // and once more with an answer
			l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodSendMessage}, AfterApply: true, Count: times,
				When: func(c danubetest.Call) bool { return c.RequestID&0xff == uint64(payload[1]-'0') }})
		}
		l.must(l.source(&testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
			return offsets("p", 1, 6), io.EOF
		}}).wait())
		messages := l.b.Messages(topic)
		for _, m := range messages {
			t.Logf("%s %v", m.Payload, m.Attributes)
		}
		checkStamps(t, messages, "p3", "p3", "p4")
		for i, m := range messages[1:] {
			before := messages[i]
			if string(before.Payload) == string(m.Payload) && (!maps.Equal(before.Attributes, m.Attributes) || before.RequestID != m.RequestID) {
				t.Errorf("%q came with %v, and again with %v", m.Payload, before.Attributes, m.Attributes)
			}
		}
	})
}

// A process that is started again within the same second must not use the stamps of
// the one before: a reader would take its messages for copies.
func TestEachRunHasAnEpochOfItsOwn(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		for range 5 {
			l.must(l.source(&testSource{poll: func(context.Context, int) ([]*SourceRecord, error) {
				return texts("", numbers(1, 3)...), io.EOF
			}}).wait())
		}
		same(t, "epochs", len(checkStamps(t, l.b.Messages(topic))), 5)
	})
}

func TestNoStamps(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		own := map[string]string{"a": "b"}
		r := l.source(once(append(offsets("p", 1, 2), FromString("", "x").WithAttributes(own))...), func(c *Config) { c.Stamps = false })
		_, err := l.b.WaitPublished(t.Context(), topic, 3)
		l.must(err)
		r.stopped()
		messages := l.b.Messages(topic)
		same(t, "attributes", []any{messages[0].Attributes, messages[1].Attributes, messages[2].Attributes}, []any{map[string]string{}, map[string]string{}, own})
	})
}

func TestTheSourcesAttributesStay(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		shared := map[string]string{"a": "1", "x-other": "2"}
		records := []*SourceRecord{
			{Payload: []byte("1"), Attributes: shared, Offset: OffsetInt("p", 1)},
			{Payload: []byte("2"), Attributes: shared},
			// A bridge hands on what it has read, with the marks of the one before it.
			FromString("", "3").WithAttribute(danube.AttrStamp, "other/1/1").WithAttribute(danube.AttrSource, "other/p@1#0").WithAttribute("b", "3"),
		}
		r := l.source(once(records...))
		_, err := l.b.WaitPublished(t.Context(), topic, 3)
		l.must(err)
		r.stopped()
		same(t, "the source's map", shared, map[string]string{"a": "1", "x-other": "2"})
		messages := l.b.Messages(topic)
		for i, want := range []map[string]string{shared, shared, {"b": "3"}} {
			got := maps.Clone(messages[i].Attributes)
			maps.DeleteFunc(got, func(k, _ string) bool { return k == danube.AttrStamp || k == danube.AttrSource })
			same(t, "attributes", got, want)
		}
		checkStamps(t, messages)
		same(t, "x-connect-source", sources(messages), "[1=c/p@1#0 2= 3=]")
	})
}

func TestOriginsAreTheSameAfterAReplay(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		// Nothing is ever committed, so each run replays the one before.
		store := &memory{save: func(int, []Offset) error { return Fatalf("lost") }}
		for range 3 {
			source := &testSource{poll: func(_ context.Context, n int) ([]*SourceRecord, error) {
				row := OffsetInt("rows", int64(n))
				list := []*SourceRecord{ // records of one row share its offset
					FromString("", "a").WithOffset(row), FromString("", "b").WithOffset(OffsetInt("q", 7)),
					FromString("", "c").WithOffset(row), FromString("", "d"), Progress(OffsetInt("q", 8)),
				}
				if n == 3 {
					return list, io.EOF
				}
				return list, nil
			}}
			err := l.checkpointed(source, store).wait()
			same(t, "exit code", ExitCode(err), 1)
		}
		messages := l.b.Messages(topic)
		var run []string
		for n := 1; n <= 3; n++ {
			run = append(run, fmt.Sprintf("a=c/rows@%d#0", n), fmt.Sprintf("b=c/q@7#%d", n-1), fmt.Sprintf("c=c/rows@%d#1", n), "d=")
		}
		got := sources(messages)
		for len(got) > 0 { // a run may end early, at its first commit
			i := 0
			for i < len(got) && i < len(run) && got[i] == run[i] {
				i++
			}
			if i < 4 {
				t.Fatalf("got %q, want a start of %q", got, run)
			}
			got = got[i:]
		}
	})
}

// A record that was not accepted is emitted again: it is the same record.
func TestOriginOfARecordThatIsEmittedAgain(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		h := l.b.Fault(publishes(danubetest.Fault{Hang: true}))
		source := stream(func(ctx context.Context, e *Emitter, _ int) error {
			for failed := 0; failed < 2; { // fills the window, and the place of the record that is on its way
				short, cancel := context.WithTimeout(ctx, time.Second)
				if err := e.EmitAsync(short, FromString("", ""), nil); err != nil {
					failed++
				} else {
					failed = 0
				}
				cancel()
			}
			for i, name := range []string{"a", "b", "c"} {
				r := FromString("", name).WithOffset(OffsetInt("p", int64(i/2)))
				for {
					short, cancel := context.WithTimeout(ctx, time.Second)
					err := e.EmitAsync(short, r, nil)
					cancel()
					if err == nil {
						break
					}
					if !errors.Is(err, ErrNotEmitted) {
						return err
					}
					if name == "b" {
						h.Remove()
					}
					if name == "a" {
						break // the client has given up; the next one comes
					}
				}
			}
			return nil
		})
		l.must(l.source(FromStream(source)).wait())
		var got []string
		for _, s := range sources(l.b.Messages(topic)) {
			if s != "=" {
				got = append(got, s)
			}
		}
		same(t, "x-connect-source", got, "[b=c/p@0#0 c=c/p@1#0]")
	})
}

// Different records have different names, whatever the source calls its parts.
func TestOriginsAreDistinct(t *testing.T) {
	var o origins
	seen := make(map[string]Offset)
	for _, offset := range []Offset{
		{"p", "1"}, {"p", "2"}, {"q", "1"}, {"", "1"}, {"p", ""},
		{"a@b", "c"}, {"a", "b@c"}, {"a%40b", "c"}, {"p#0", "1"}, {"p", "0#1"},
		{"caf\xe9", "1"}, {"caf%E9", "1"}, {"café", "1"}, {"caf\xe8", "1"}, {"p", "\xff"}, {"p", "%FF"},
		{"a/b", "1"}, {"a", "/b@1"},
	} {
		name := originName("c", offset, o.next(offset))
		if other, taken := seen[name]; taken {
			t.Errorf("%v and %v are both %s", other, offset, name)
		}
		if strings.ToValidUTF8(name, "") != name {
			t.Errorf("%q cannot be an attribute", name)
		}
		seen[name] = offset
	}
	same(t, "a plain one", originName("c", Offset{"/var/log/app log", "12"}, 0), "c//var/log/app log@12#0")
}

// What no message can carry is the record's own fault, not the topic's.
func TestTextThatIsNoText(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		r := l.source(once(
			FromString("", "1").WithAttribute("name", "caf\xe9"),
			FromString("", "2").WithAttribute("caf\xe9", "name"),
			FromString("", "3").WithKey("caf\xe9"),
			FromString("", "4").WithOffset(Offset{"caf\xe9", "1"}),
			FromString("", "5"),
		), skipping)
		l.until("all ended", func() bool { return r.metric("messages_skipped_total")+r.metric("messages_processed_total") == 5 })
		r.stopped()
		l.b.CheckPayloads(t, topic, "4", "5")
		checkStamps(t, l.b.Messages(topic))
	})
}
