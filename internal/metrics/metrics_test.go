package metrics

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// series returns every series of a registry as name{label=value,...} with its value,
// or its count where it is a histogram.
func series(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = v
		}
	}
	return all
}

func newSet(t *testing.T, reg prometheus.Registerer, connector string) *Set {
	t.Helper()
	s, err := New(reg, connector, "/default/t", func() bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The crate's metrics, with its labels and types: a dashboard for it works here.
func TestNamesAndLabelsAreThoseOfTheCrate(t *testing.T) {
	reg := prometheus.NewRegistry()
	topic := newSet(t, reg, "c").Topic("/default/t")
	topic.Failed(ErrInvalid)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		got[f.GetName()] = strings.ToLower(f.GetType().String()) + " " + strings.Join(labels, " ")
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", f.GetName())
		}
	}
	for name, want := range map[string]string{
		"danube_connector_messages_received_total":     "counter connector topic",
		"danube_connector_messages_processed_total":    "counter connector topic",
		"danube_connector_messages_failed_total":       "counter connector error_type topic",
		"danube_connector_messages_retried_total":      "counter connector topic",
		"danube_connector_processing_duration_seconds": "histogram connector topic",
		"danube_connector_batch_size":                  "histogram connector topic",
		"danube_connector_inflight_messages":           "gauge connector topic",
		"danube_connector_health":                      "gauge connector topic",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for name := range got {
		if !strings.HasPrefix(name, "danube_connector_") {
			t.Errorf("%s has another prefix than the crate's", name)
		}
	}
}

func TestEachCountHasItsPlace(t *testing.T) {
	reg := prometheus.NewRegistry()
	topic := newSet(t, reg, "c").Topic("/default/t")
	topic.Received.Add(1)
	topic.Processed.Add(2)
	topic.Retried.Add(3)
	topic.Skipped.Add(4)
	topic.DeadLettered.Add(5)
	topic.Missing.Add(6)
	topic.Late.Add(11)
	topic.StampsMissing.Add(12)
	topic.StampsLate.Add(13)
	topic.Restarts.Add(7)
	topic.Inflight.Add(8)
	topic.Failed(ErrPanic)
	topic.Failed(ErrPanic)
	topic.Failed(ErrCommit)
	for range 9 {
		topic.Took(time.Millisecond)
	}
	for range 10 {
		topic.Batch(100)
	}
	got := series(t, reg)
	const labels = "connector=c,topic=/default/t"
	for name, want := range map[string]float64{
		"messages_received_total{" + labels + "}":                               1,
		"messages_processed_total{" + labels + "}":                              2,
		"messages_retried_total{" + labels + "}":                                3,
		"messages_skipped_total{" + labels + "}":                                4,
		"messages_dead_lettered_total{" + labels + "}":                          5,
		"messages_missing_total{" + labels + "}":                                6,
		"messages_late_total{" + labels + "}":                                   11,
		"stamps_missing_total{" + labels + "}":                                  12,
		"stamps_late_total{" + labels + "}":                                     13,
		"numbering_restarts_total{" + labels + "}":                              7,
		"inflight_messages{" + labels + "}":                                     8,
		"messages_failed_total{connector=c,error_type=panic,topic=/default/t}":  2,
		"messages_failed_total{connector=c,error_type=commit,topic=/default/t}": 1,
		"processing_duration_seconds{" + labels + "}":                           9,
		"batch_size{" + labels + "}":                                            10,
		"health{" + labels + "}":                                                1,
	} {
		if v, ok := got["danube_connector_"+name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
}

func TestHealthIsAskedAtEachScrape(t *testing.T) {
	reg := prometheus.NewRegistry()
	healthy := false
	if _, err := New(reg, "c", "", func() bool { return healthy }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []float64{0, 1, 0} {
		healthy = want == 1
		for name, got := range series(t, reg) {
			if strings.HasPrefix(name, "danube_connector_health") && got != want {
				t.Errorf("health is %v, want %v", got, want)
			}
		}
	}
}

// A process with a source and a sink may give both its one registry.
func TestConnectorsShareARegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	newSet(t, reg, "a").Topic("/default/t").Received.Add(1)
	newSet(t, reg, "b").Topic("/default/t").Received.Add(2)
	got := series(t, reg)
	for connector, want := range map[string]float64{"a": 1, "b": 2} {
		name := fmt.Sprintf("danube_connector_messages_received_total{connector=%s,topic=/default/t}", connector)
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	// Two of one name and topic would count into each other's series.
	if _, err := New(reg, "a", "/default/t", func() bool { return true }); err == nil {
		t.Error("a second connector of the same name was taken")
	}
}

func TestAConnectorMayFollowItself(t *testing.T) {
	reg := prometheus.NewRegistry()
	for range 3 {
		s := newSet(t, reg, "a")
		s.Topic("/default/t").Received.Inc()
		s.Close()
	}
	if got := series(t, reg)["danube_connector_messages_received_total{connector=a,topic=/default/t}"]; got != 3 {
		t.Errorf("received is %v, want 3", got)
	}
}

func TestARegistryThatHasOtherMetricsOfTheName(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "danube_connector_messages_received_total"}))
	if _, err := New(reg, "c", "", func() bool { return true }); err == nil {
		t.Error("no error")
	}
}
