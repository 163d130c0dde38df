package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"a path", "cd /wo" + "rk/main", true},
		{"a path in quotes", `dir = "/ro` + `ot/.cache"`, true},
		{"the path alone", "ls /wo" + "rk", true},
		{"a directory of that name elsewhere", "see docs/wo" + "rk/plan.md and ./ro" + "ot/", false},
		{"a word that begins so", "/wo" + "rkspace and /ro" + "otless", false},
		{"a temporary file of a test", "/tmp/dan" + "ube/x", true},
		{"a registry", "GOPROXY=https://proxy.go" + "lang.org", true},
		{"a writing tool", "written with Chat" + "GPT", true},
		{"ordinary words", "an agent of the broker, an open API, a model", false},
		{"said to stay", "cd /ro" + "ot # textcheck:allow the image's home", false},
		{"binary", "\x00cd /wo" + "rk/", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := check([]byte("first\n" + tc.text + "\nlast\n"))
			if got := len(found) > 0; got != tc.want {
				t.Fatalf("found %v, want %v", found, tc.want)
			}
			if tc.want && (len(found) != 1 || found[0].line != 2 || !strings.Contains(found[0].text, strings.TrimSpace(tc.text))) {
				t.Errorf("found %+v, want line 2 once", found)
			}
		})
	}
}
