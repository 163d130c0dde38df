package connect

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// Records of one poll may share an offset. When the run ends in the middle of them, the
// offset is neither committed nor saved: the others would be lost.
func TestSourceSharedOffsetAtAStop(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		var list []*SourceRecord
		for i := range 20 {
			list = append(list, FromString("", fmt.Sprint(i)).WithOffset(OffsetInt("p", 1)))
		}
		source := &committing{testSource: once(list...)}
		store := &memory{}
		r := l.checkpointed(source, store, func(c *Config) { c.RateLimit = 1; c.DrainTimeout = 5 * time.Second })
		l.pause(3500 * time.Millisecond)
		err, _ := r.stop()
		if n := len(l.b.Messages(topic)); n == 0 || n == 20 {
			t.Fatalf("%d of 20 are published, which tells nothing", n)
		}
		same(t, "exit code", ExitCode(err), 4)
		same(t, "committed", source.all(), "[]")
		same(t, "saved", store.at("p"), "")
	})
}

// The same where one of them cannot be published at all; what comes before is committed.
func TestSourceSharedOffsetOfATopicThatIsRefused(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		l.topic("t", 0)
		l.b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodCreateProducer}, Topic: l.name("other"), Err: status.Error(codes.PermissionDenied, "no binding grants produce on the topic"), Count: -1})
		source := &committing{testSource: once(
			FromString("", "before").WithOffset(OffsetInt("p", 0)),
			FromString("", "a").WithOffset(OffsetInt("p", 1)),
			FromString(l.name("other"), "b").WithOffset(OffsetInt("p", 1)),
			FromString("", "c").WithOffset(OffsetInt("q", 1)))}
		err := l.source(source).wait()
		same(t, "exit code", ExitCode(err), 2)
		same(t, "committed", source.all(), "[p@0]")
	})
}

// on_error = stop leaves the record, and those behind it, to the next start. What has no
// offset does not come again, and is published. One error says why the run ended.
func TestSourceThatStopsLeavesWhatIsBehind(t *testing.T) {
	onFake(t, func(t *testing.T, l *lab) {
		topic := l.topic("t", 0)
		list := offsets("p", 1, 2)
		for i := range 300 {
			list = append(list, FromValue("", make(chan int)).WithOffset(OffsetInt("p", int64(10+i))))
		}
		list = append(append(list, offsets("p", 500, 600)...), FromString("", "no offset"))
		source := &committing{testSource: once(list...)}
		err := l.source(source, func(c *Config) { c.OnError = OnErrorStop }).wait()
		same(t, "exit code", ExitCode(err), 5)
		if text := err.Error(); len(text) > 1000 {
			t.Errorf("an error of %d bytes: %.300s", len(text), text)
		}
		same(t, "committed", source.all(), "[p@1 p@2]")
		l.b.CheckPayloads(t, topic, "p1", "p2", "no offset")
	})
}
