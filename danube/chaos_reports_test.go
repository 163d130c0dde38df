package danube_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// told notes what a consumer reported.
func (l *ledger) told(s *ledgerSub, life uint32, a danube.Anomaly) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.kinds[a.Kind]++
	switch a.Kind {
	case danube.GapFound:
		s.gaps = append(s.gaps, reportedGap{place{life, s.numbering, a.From}, a.To})
	case danube.GapFilled:
		s.filled[a.From] = true
	case danube.NumberingRestarted:
		s.numbering++
		s.restarts[life] = true
		clear(s.filled)
	case danube.StampGap, danube.StampGapFilled:
		l.toldOfStamps(s, a)
	case danube.Stalled:
		s.stalled = time.Now()
		s.stalls++
	case danube.Resumed:
		s.stalled = time.Time{}
	}
}

// toldOfStamps marks what is missing, or is not any more. With l.mu held.
func (l *ledger) toldOfStamps(s *ledgerSub, a danube.Anomaly) {
	seconds, _, _ := strings.Cut(a.Epoch, "-")
	epoch, err := strconv.ParseUint(seconds, 10, 64)
	if err != nil || a.To-a.From > 1<<24 {
		l.breach("%s of %s: a report of %d to %d in the epoch %q", s.name, s.wire, a.From, a.To, a.Epoch)
		return
	}
	line := l.line(stampedBy{a.Topic, a.Producer, epoch})
	list := line.got[s]
	for n := int(a.From); n <= int(a.To); n++ {
		r := element(&list, n)
		if a.Kind == danube.StampGap && r.times > 0 {
			l.breach("%s of %v: number %d was reported missing, and had come", s.name, line.by, n)
		}
		r.reported, r.filled = true, a.Kind == danube.StampGapFilled
	}
	line.got[s] = list
}
