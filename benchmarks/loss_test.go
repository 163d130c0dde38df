package main

import (
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

func TestTheLedgerCountsAMessageOnce(t *testing.T) {
	l := newLedger()
	payload := make([]byte, 16)
	for _, m := range [][2]uint32{{0, 0}, {0, 1}, {1, 0}, {0, 1}} {
		stampPayload(payload, time.Now(), m[0], m[1])
		l.got(payload)
	}
	l.got(payload[:8]) // it says nothing
	l.anomaly(danube.Anomaly{Kind: danube.GapFound, From: 10, To: 19})
	l.anomaly(danube.Anomaly{Kind: danube.GapFilled, From: 12, To: 12})
	l.anomaly(danube.Anomaly{Kind: danube.NumberingRestarted, From: 0, To: 12})
	if came, reported := l.count(); came != 3 || reported != 9 {
		t.Errorf("%d came and %d are reported missing, want 3 and 9", came, reported)
	}
}

// The bare loop's own loss is the measure, and where it has none in most rounds, so is
// that.
func TestTargetsOfLoss(t *testing.T) {
	r := lossResult{Cells: []lossCell{
		{Producers: 2, Loops: []lossLoop{{Name: "bare", Lost: []float64{0, 0, 0, 0, 0, 9, 9}}, {Name: "danube", Lost: []float64{0, 0, 3, 0, 0, 0, 0}}}},
		{Producers: 4, Loops: []lossLoop{{Name: "bare", Lost: []float64{5, 6, 7}}, {Name: "runtime", Lost: []float64{4, 9, 5}}}},
	}}
	want := []target{
		{"2 producers: danube, median loss", "at most the bare loop's 0", "0"},
		{"2 producers: danube, rounds without a loss", "at least 5, as the bare loop", "6 of 7"},
		{"4 producers: runtime, median loss", "at most the bare loop's 6", "5"},
	}
	got := r.targets()
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}
