package danubetest

import (
	"fmt"
	"testing"
)

func TestSplitTopic(t *testing.T) {
	for name, want := range map[string]string{
		"/default/orders": "default true", "/тема/ключ_1-2": "тема true", "a/b/c": "b true", "//": " true",
		"": " false", "/default": " false", "/default/a/b": " false", "/default/a.b": " false", "/de fault/a": " false",
	} {
		ns, ok := splitTopic(name)
		if got := fmt.Sprint(ns, " ", ok); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestSplitPartition(t *testing.T) {
	for name, want := range map[string]string{
		"/default/a-part-0": "/default/a 0 true", "/default/a-part-12": "/default/a 12 true",
		"/default/a-part-1-part-2": "/default/a-part-1 2 true",
		"/default/a":               "/default/a -1 false", "/default/a-part-": "/default/a-part- -1 false",
		"/default/a-part-x": "/default/a-part-x -1 false", "/default/a-part-01": "/default/a-part-01 -1 false",
		"/default/a-part--1": "/default/a-part--1 -1 false",
	} {
		base, n, ok := splitPartition(name)
		if got := fmt.Sprint(base, " ", n, " ", ok); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, tc := range []struct {
		got  fmt.Stringer
		want string
	}{
		{MethodSendMessage, "SendMessage"}, {MethodDelivery, "Delivery"}, {MethodCreateNamespace, "CreateNamespace"}, {Method(0), "none"}, {Method(-1), "unknown"}, {Method(99), "unknown"},
		{Reliable, "Reliable"}, {NonReliable, "NonReliable"},
		{Undecided, "Undecided"}, {Exclusive, "Exclusive"}, {Shared, "Shared"},
		{InFlight, "in flight"}, {Sent, "sent"}, {Outcome(99), "unknown"},
		{StreamEOF, "EOF"}, {StreamUnavailable, "Unavailable"}, {StreamInternal, "Internal"}, {StreamEnd(0), "none"},
	} {
		if got := tc.got.String(); got != tc.want {
			t.Errorf("%#v: got %q, want %q", tc.got, got, tc.want)
		}
	}
}
