package danube

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// An address of a user or a broker is refused, without a word of what may be a password,
// or is something that can be dialed and is read the same way again.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{
		"http://h:6650", "https://h:6650/", "h:6650", "[::1]:1", "http://[fe80::1%25eth0]:1", "http://u:p@h:1", "http://h", "://", "h:0", "h:65536", "0.0.0.0:1",
		"http://h:1/p?q#f", "HTTP://h:1", "h:1,h:2", "\x00:1", "http://%zz:1", "[:1", "http://ключ:1",
		"me:" + password + "@h:1", "http://me:" + password + "/@h:1", "http://me:" + password + "#@h:1", "me:" + password + "@h:1://", "h\x1b[2J:1", "h?x:1", "\xff:1", "http://h%00:1", "h%25x:1", "[::&]:1", "h|x:1", "[fe80::1%eth0]:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseEndpoint(s)
		if err != nil {
			if e != "" || tellsPassword(s, err) {
				t.Errorf("%q beside %v", e, err)
			}
			return
		}
		if strings.ContainsFunc(string(e), func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }) {
			t.Errorf("%q is no address", e)
		}
		host, port, err := net.SplitHostPort(string(e))
		if err != nil || host == "" || port == "" {
			t.Errorf("%q became %q: %v", s, e, err)
		}
		if u, err := url.Parse((&url.URL{Scheme: "http", Host: string(e)}).String()); err != nil || u.Host != string(e) {
			t.Errorf("%q cannot be in an URL: %v", e, err)
		}
		if again, err := parseEndpoint(string(e)); err != nil || again != e {
			t.Errorf("%q became %q, and that %q, %v", s, e, again, err)
		}
		if via := e.reachable("seed:1"); via == "" || strings.HasPrefix(string(via), "0.0.0.0:") {
			t.Errorf("%q is reachable at %q", e, via)
		}
	})
}

// password is in addresses that should have none, before an @.
const password = "s3cr3t"

func tellsPassword(address string, err error) bool {
	before := address[:strings.LastIndex(address, "@")+1]
	return strings.Count(address, password) == strings.Count(before, password) && strings.Contains(err.Error(), password)
}

// Whatever a broker lists: partitions are numbers in order, each once.
func FuzzPartitions(f *testing.F) {
	f.Add("/default/t", "/default/t-part-0\n/default/t-part-1")
	f.Add("/default/t", "/default/t\n/default/t-part-1\n/default/t-part-")
	f.Add("/default/t", "/default/t-part-2147483648\n/default/t-part--1\n/default/t-part-01\n/default/t2-part-0")
	f.Add("", "-part-7\n\n\xff")
	f.Fuzz(func(t *testing.T, topic, lines string) {
		wire := strings.Split(lines, "\n")
		parts, plain, err := listedPartitions(topic, wire)
		if err != nil {
			return
		}
		for i, n := range parts {
			if n < 0 || i > 0 && parts[i-1] >= n || !slices.Contains(wire, partitionTopic(topic, n)) {
				t.Errorf("%q of %q: %v", wire, topic, parts)
			}
		}
		if plain && !slices.Contains(wire, topic) {
			t.Errorf("%q is not in %q", topic, wire)
		}
		missing := missingPartitions(parts, []int32{0, 1})
		for _, n := range missing {
			if slices.Contains(parts, n) {
				t.Errorf("%d is missing and there", n)
			}
		}
		if whole, err := partitionsOf(topic, wire); err == nil && !plain && len(whole) != len(parts) {
			t.Errorf("%v and %v of %q", whole, parts, wire)
		}
	})
}

// A file of certificates is good, or the error names it.
func FuzzCertificates(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----"))
	f.Add([]byte{0x30, 0x82, 0xff})
	f.Fuzz(func(t *testing.T, pem []byte) {
		pool, err := parsePool("ca.pem", pem)
		if (pool == nil) != (err != nil) || err != nil && !strings.Contains(err.Error(), "ca.pem") {
			t.Errorf("%v, %v", pool, err)
		}
	})
}
