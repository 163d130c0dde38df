package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary be the helper processes, as the program is.
func TestMain(m *testing.M) {
	runRole()
	os.Exit(m.Run())
}

// TestSmoke runs every loop of both sides with a few records and looks at nothing
// but that all figures are there: how fast a machine is, is no test.
func TestSmoke(t *testing.T) {
	t.Setenv("DANUBE_SERVICE_URL", "")
	var out, log bytes.Buffer
	if err := execute(t.Context(), []string{"-rounds", "1", "-n", "40", "-sizes", "100B", "-partitions", "1,2", "-json"}, &out, &log); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	var got struct {
		Machine machine
		Modes   []struct {
			Mode    string
			Results []throughput
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if got.Machine.CPUs == 0 || len(got.Modes) != 1 || got.Modes[0].Mode != "speed" || len(got.Modes[0].Results) != 1 || len(got.Modes[0].Results[0].Cells) != 4 {
		t.Fatalf("machine, one mode, one broker and four cells expected: %s", out.String())
	}
	res := got.Modes[0].Results[0]
	for _, c := range res.Cells {
		want := map[side]int{source: 5, sink: 3}[c.Side]
		if len(c.Loops) != want || len(c.Failed) > 0 {
			t.Errorf("%v: %d loops, failed %q", c.cell, len(c.Loops), c.Failed)
		}
		for _, l := range c.Loops {
			if len(l.Rounds) != 1 || l.Rounds[0].Lost != 0 {
				t.Errorf("%v, %s: %+v", c.cell, l.Name, l.Rounds)
				continue
			}
			if f := l.Rounds[0]; f.Rate <= 0 || f.Mallocs <= 0 {
				t.Errorf("%v, %s: %+v", c.cell, l.Name, f)
			}
		}
	}

	out.Reset()
	res.print(&out)
	if rows := strings.Count(out.String(), "\n"); rows < 2*5+2*3 {
		t.Errorf("the table has %d lines:\n%s", rows, out.String())
	}
	if n := len(res.targets()); n != 4*4+2*2 {
		t.Errorf("%d targets for four cells: %v", n, res.targets())
	}
}

func TestSmokeOtherModes(t *testing.T) {
	t.Setenv("DANUBE_SERVICE_URL", "")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"-mode", "latency", "-n", "20", "-rate", "200"}, "p99 Emit with receipt, above the send"},
		{[]string{"-mode", "memory", "-partitions", "2", "-sizes", "100B", "-only", "2p,100B", "-records", "200"}, "200 records with 10000 keys"},
		{[]string{"-mode", "batches", "-n", "200"}, "batches of 100, speed against bare"},
		{[]string{"-mode", "keys", "-n", "5"}, "16 workers against one"},
		{[]string{"-mode", "loss", "-burst", "50"}, "4 producers: runtime, median loss"},
		{[]string{"-mode", "idle", "-idle", "10ms", "-idle-partitions", "20"}, "danube producer, 20 idle partitions: CPU"},
	} {
		var out, log bytes.Buffer
		if err := execute(t.Context(), append(tc.args, "-rounds", "1"), &out, &log); err != nil {
			t.Fatalf("%v: %v\n%s", tc.args, err, log.String())
		}
		if !strings.Contains(out.String(), tc.want) {
			t.Errorf("%v: no %q in\n%s", tc.args, tc.want, out.String())
		}
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-mode speedy":               "speedy",
		"-broker none":               "none",
		"-rounds 0":                  "positive",
		"-sizes 1KiB,x":              `"x"`,
		"-partitions 0":              "partitions",
		"-only 3p":                   "3p",
		"-mode memory -records 3":    "positive",
		"-loops bare,naked":          "naked",
		"leftover":                   "flags only",
		"-broker real -rounds 1":     "DANUBE_SERVICE_URL is not set",
		"-mode idle -idle 0s":        "positive",
		"-mode batches -only source": "sinks",
		"-mode loss -burst 0":        "positive",
	} {
		t.Run(args, func(t *testing.T) {
			t.Setenv("DANUBE_SERVICE_URL", "")
			t.Setenv("DANUBE_BROKER_BIN", "")
			var out bytes.Buffer
			err := execute(t.Context(), strings.Fields(args), &out, &out)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		})
	}
}
