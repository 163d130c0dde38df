package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
	"github.com/danube-messaging/danube-connect-go/internal/scenarios"
)

// compare runs the command against the broker at url, if any.
func compare(t *testing.T, url, admin, args string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv(realbroker.Env, "")
	t.Setenv("DANUBE_SERVICE_URL", url)
	t.Setenv("DANUBE_ADMIN_URL", admin)
	var out, errs bytes.Buffer
	code = run(t.Context(), strings.Fields("compare "+args), &out, &errs)
	return code, out.String(), errs.String()
}

func TestCompareWithoutABroker(t *testing.T) {
	if code, _, stderr := compare(t, "", "", ""); code != exitError || !strings.Contains(stderr, realbroker.Env) {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

func TestCompareRecordsNowhere(t *testing.T) {
	b := danubetest.Run(t)
	code, _, stderr := compare(t, b.URL(), "", "-run ^empty-message$ -record "+filepath.Join(t.TempDir(), "absent", "real.txt"))
	if code != exitError || !strings.Contains(stderr, "no such file") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

func TestCompareReasons(t *testing.T) {
	code, stdout, _ := compare(t, "", "", "-reasons")
	for _, e := range scenarios.Explained {
		if code != exitOK || !strings.Contains(stdout, e.Scenario+": "+e.Line) || !strings.Contains(stdout, e.Reason) {
			t.Errorf("exit %d, without %+v", code, e)
		}
	}
}

// An embedded broker that behaves as the real one is the same as itself.
func TestCompareTheSame(t *testing.T) {
	b := danubetest.Run(t, danubetest.WithProfile(danubetest.Real))
	file := filepath.Join(t.TempDir(), "real.txt")
	code, stdout, stderr := compare(t, b.URL(), b.URL(), "-v -leave-out -run ^(empty-message|topics|wide-window)$ -record "+file)
	if code != exitOK || stderr != "" {
		t.Errorf("exit %d, %s", code, stderr)
	}
	for _, want := range []string{
		"s  same\n", "wide-window", "left out: it needs brokers of its own: set " + realbroker.Env,
		"0 bytes, key \"\", 0 attributes, at 0 | 0 bytes", "3 scenarios: 2 the same, 0 differ and are explained, 0 DIFFER, 1 left out, 0 failed",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "== empty-message\n0 bytes") {
		t.Errorf("recorded %q, %v", text, err)
	}
}

// What is left out is no success, unless that is asked for; which variable to set is said.
func TestCompareLeavesOut(t *testing.T) {
	b := danubetest.Run(t)
	for scenario, reason := range map[string]string{
		"topics":      "it needs an admin address: set DANUBE_ADMIN_URL",
		"wide-window": "it needs brokers of its own: set " + realbroker.Env,
	} {
		code, stdout, stderr := compare(t, b.URL(), "", "-run ^"+scenario+"$")
		if code != exitError || !strings.Contains(stdout, "left out: "+reason) || !strings.Contains(stderr, "1 of 1 scenarios were left out ("+reason+")") {
			t.Errorf("%s: exit %d, %s, %s", scenario, code, stdout, stderr)
		}
		code, stdout, stderr = compare(t, b.URL(), "", "-leave-out -run ^"+scenario+"$")
		if code != exitOK || !strings.Contains(stdout, "left out: "+reason) || stderr != "" {
			t.Errorf("%s, asked for: exit %d, %s, %s", scenario, code, stdout, stderr)
		}
	}
}

// A broker without traps is none that is real.
func TestCompareDifferent(t *testing.T) {
	b := danubetest.Run(t)
	code, stdout, _ := compare(t, b.URL(), b.URL(), "-run ^prefix-longer-first$")
	if code != exitError || !strings.Contains(stdout, "DIFFERS\n") || !strings.Contains(stdout, `  ! create: ErrConflict AlreadyExists`) || !strings.Contains(stdout, "1 DIFFER,") {
		t.Errorf("exit %d, %s", code, stdout)
	}
}
