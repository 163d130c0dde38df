package connect

import (
	"os"
	"path/filepath"
	"testing"
)

// Each way to be a bad record, by each policy: it fails alone, or stops the connector
// before anything behind it counts; it is logged and counted in any case.
func TestSourceBadRecordsFailAlone(t *testing.T) {
	bad := map[string]func(l *lab) *SourceRecord{
		"undeclared":       func(l *lab) *SourceRecord { return FromString(l.name("other"), "bad") },
		"too large":        func(*lab) *SourceRecord { return NewRecord("", make([]byte, 4<<20)) },
		"no text":          func(*lab) *SourceRecord { return FromString("", "bad").WithKey("\xff") },
		"not serialisable": func(*lab) *SourceRecord { return FromValue("", func() {}) },
	}
	for what, record := range bad {
		for _, policy := range []ErrorPolicy{OnErrorStop, OnErrorSkip, OnErrorDeadLetter} {
			t.Run(what+", "+string(policy), func(t *testing.T) {
				onBoth(t, func(t *testing.T, l *lab) {
					topic := l.topic("t", 0)
					check := &testSink{}
					sink := l.sink(check, seesAll)
					file := filepath.Join(t.TempDir(), "dead.jsonl")
					source := declaring{between(record(l)), topics(topic)}
					r := l.source(source, quick, func(c *Config) {
						c.OnError = policy
						if policy == OnErrorDeadLetter {
							c.DeadLetterFile = file
						}
					})
					err := r.wait()
					same(t, "failed", r.metric("messages_failed_total", "error_type=invalid_data"), 1)
					if n := l.log.count("as on_error says", "offset=p@bad0"); n != 1 {
						t.Errorf("%d lines of the log name the record, want 1", n)
					}
					if policy == OnErrorStop {
						same(t, "exit code", ExitCode(err), 5)
						same(t, "committed", source.last("p"), "p@2")
						sink.stopped()
						return
					}
					l.must(err)
					same(t, "committed", source.all(), "[p@1 p@2 p@bad0 p@3 p@4]")
					l.until("the good ones arrived", func() bool { return len(check.seen()) == 4 })
					sink.stopped()
					same(t, "arrived", check.payloads(), "[p1 p2 p3 p4]")
					same(t, "skipped", r.metric("messages_skipped_total"), map[ErrorPolicy]int{OnErrorSkip: 1}[policy])
					same(t, "dead letters", r.metric("messages_dead_lettered_total"), map[ErrorPolicy]int{OnErrorDeadLetter: 1}[policy])
					if _, err := os.Stat(file); policy == OnErrorDeadLetter {
						l.must(err)
						same(t, "letters", len(filed(t, file)), 1)
					}
				})
			})
		}
	}
}
