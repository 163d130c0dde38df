package danube

import (
	"strings"
	"testing"
	"time"
)

func TestParseEndpoint(t *testing.T) {
	good := map[string]endpoint{
		"http://localhost:6650":   "localhost:6650",
		"http://localhost:6650/":  "localhost:6650",
		"http://localhost:6650//": "localhost:6650",
		"HTTP://localhost:6650":   "localhost:6650",
		"https://localhost:6650":  "localhost:6650",
		"HTTPS://localhost:6650/": "localhost:6650",
		"localhost:6650":          "localhost:6650",
		"127.0.0.1:1":             "127.0.0.1:1",
		"http://[::1]:6650":       "[::1]:6650",
		"[::1]:6650":              "[::1]:6650",
		"[fe80::1%eth0]:6650":     "[fe80::1%eth0]:6650",
		"http://[fe80::1%25e0]:1": "[fe80::1%e0]:1",
		"http://ключ_1-a.рф:6650": "ключ_1-a.рф:6650",
	}
	for in, want := range good {
		if got, err := parseEndpoint(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	bad := map[string]string{ // with what the error must say
		"":                          "want http://host:port",
		"localhost":                 "want http://host:port",
		"http://localhost":          "want http://host:port",
		"http://:6650":              "want http://host:port",
		":6650":                     "want http://host:port",
		"localhost:":                "want http://host:port",
		"::1:6650":                  "want http://host:port",
		"pulsar://localhost:6650":   "scheme",
		"http://localhost:6650/x":   "only http://host:port",
		"http://localhost:6650?a=b": "only http://host:port",
		"http://me:pw@host:6650":    "only http://host:port",
		"me:pw@host:6650":           "want http://host:port",
		"pw@host:x":                 "port",
		"pw@host:1":                 "host",
		"host:pw@":                  "port",
		"http://me:pw/@host:6650":   "cannot be read",
		"me:pw@host:6650://":        "scheme",
		"http://[::1:6650":          "",
		"ho\x1b[1mst:6650":          "host",
		"host\x00:6650":             "host",
		"host?a:6650":               "host",
		"ho%73t:6650":               "host",
		"[::&]:6650":                "host",
		"[1:2]:6650":                "host",
		"ho|st:6650":                "host",
		"[fe80::1%e/]:6650":         "host",
		"http://host:port":          "",
		"host:port":                 "port",
		"host:66500":                "port",
		"host:0":                    "port",
		"host:-1":                   "port",
		"a b:6650":                  "host",
		"http://a,b:6650":           "host",
		" localhost:6650":           "host",
		"http://localhost:6650#x":   "only http://host:port",
	}
	for in, say := range bad {
		got, err := parseEndpoint(in)
		if err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
			continue
		}
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v: want %q in it", in, err, say)
		}
		if strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: the error shows the password: %v", in, err)
		}
	}
}

func TestReachable(t *testing.T) {
	tests := []struct{ e, via, want endpoint }{
		{"0.0.0.0:6651", "broker:6650", "broker:6651"},
		{"[::]:6651", "broker:6650", "broker:6651"},
		{"0.0.0.0:6651", "[fe80::1]:6650", "[fe80::1]:6651"},
		{"10.0.0.7:6651", "broker:6650", "10.0.0.7:6651"},
		{"other:6651", "broker:6650", "other:6651"},
	}
	for _, tt := range tests {
		if got := tt.e.reachable(tt.via); got != tt.want {
			t.Errorf("%s heard of at %s: got %s, want %s", tt.e, tt.via, got, tt.want)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	c, seeds, err := Config{Seeds: []string{"http://a:1", "b:2"}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if len(seeds) != 2 || seeds[0] != "a:1" || seeds[1] != "b:2" {
		t.Errorf("seeds: got %v", seeds)
	}
	want := Timeouts{Control: 10 * time.Second, Send: time.Minute, Ack: 15 * time.Second, Health: 5 * time.Second}
	if c.Timeouts != want || c.BackoffInitial != 100*time.Millisecond || c.BackoffMax != 10*time.Second ||
		c.HealthInterval != 5*time.Second || c.Logger == nil {
		t.Errorf("got %+v", c)
	}
}

// Open says everything that is wrong at once, in an order that does not change.
func TestConfigErrors(t *testing.T) {
	cfg := Config{
		Seeds:          []string{"ftp://a:1", "b"},
		Timeouts:       Timeouts{Control: -1, Send: -2, Ack: -3, Health: -4},
		BackoffInitial: -5, BackoffMax: -6, HealthInterval: -7,
	}
	_, err := Open(cfg)
	if err == nil {
		t.Fatal("Open took it")
	}
	for _, say := range []string{"ftp", `"b"`, "Control", "Send", "Ack", "Health is", "BackoffInitial", "BackoffMax", "HealthInterval"} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%v\nwant %q in it", err, say)
		}
	}
	for range 20 {
		if _, again := Open(cfg); again.Error() != err.Error() {
			t.Fatalf("the order of the errors changes:\n%v\n\n%v", err, again)
		}
	}
	if _, err := Open(Config{}); err == nil || !strings.Contains(err.Error(), "no seed") {
		t.Errorf("no seeds: %v", err)
	}
	if _, err := Open(Config{Seeds: []string{"a:1"}, BackoffInitial: time.Minute}); err == nil || !strings.Contains(err.Error(), "less than BackoffInitial") {
		t.Errorf("initial above max: %v", err)
	}
}
