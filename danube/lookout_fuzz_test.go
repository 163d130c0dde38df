package danube

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// An address of metrics is refused, without a word of what may be a password, or can be
// asked and is read the same way again.
func FuzzMetricsURL(f *testing.F) {
	for _, s := range []string{
		"http://h:9040/metrics", "https://h", "h:9040", "http://", "http://:9040", "http://h:", "http://h:0", "http://h:99999/", "http://u:" + password + "@h/m/x?y", "ftp://h",
		"me:" + password + "@h:9040/metrics", "http://me:" + password + "/@h:1", "http://me@:1/", "http:opaque", "http://h/%zz", "http://h//", "http://h/a#b", "HTTP://H", "http://[fe80::1%25e]:1", "http://h\x00", "http://h:1?x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := metricsURL(s)
		if err != nil {
			if at != "" || tellsPassword(s, err) {
				t.Errorf("%q beside %v", at, err)
			}
			return
		}
		if again, err := metricsURL(at); err != nil || again != at {
			t.Errorf("%q became %q, and that %q, %v", s, at, again, err)
		}
		req, err := http.NewRequest(http.MethodGet, at, nil)
		if err != nil {
			t.Fatalf("%q became %q, which cannot be asked: %v", s, at, err)
		}
		port := req.URL.Port()
		n, err := strconv.ParseUint(port, 10, 16)
		if req.URL.Hostname() == "" || strings.Trim(req.URL.Path, "/") == "" || req.URL.Fragment != "" || (port != "" || strings.HasSuffix(req.URL.Host, ":")) && (err != nil || n == 0) {
			t.Errorf("%q became %q", s, at)
		}
		if _, there := req.URL.User.Password(); there {
			logged, err := url.Parse(redacted(at))
			if err != nil {
				t.Fatal(err)
			}
			if word, _ := logged.User.Password(); word != "xxxxx" {
				t.Errorf("%q is logged as %q", at, redacted(at))
			}
		}
	})
}
