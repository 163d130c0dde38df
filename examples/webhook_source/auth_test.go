package main

import (
	"net/http"
	"strings"
	"testing"

	connect "github.com/danube-messaging/danube-connect-go"
)

func TestToken(t *testing.T) {
	token := connect.NewSecret("s3cret")
	for _, tc := range []struct {
		header string
		want   bool
	}{
		{"Bearer s3cret", true},
		{"bearer s3cret", true},
		{"", false},
		{"s3cret", false},
		{"Basic s3cret", false},
		{"Bearer", false},
		{"Bearer ", false},
		{"Bearer s3cre", false},
		{"Bearer s3crets", false},
		{"Bearer ***", false},
	} {
		r := &http.Request{Header: http.Header{}}
		if tc.header != "" {
			r.Header.Set("Authorization", tc.header)
		}
		if got := tokenOK(token, r); got != tc.want {
			t.Errorf("%q: %v", tc.header, got)
		}
		if !tokenOK(connect.Secret{}, r) {
			t.Errorf("%q is refused where no token is asked for", tc.header)
		}
	}
}

// The values are those of GitHub's documentation of webhooks.
func TestSignature(t *testing.T) {
	secret, body := connect.NewSecret("It's a Secret to Everybody"), []byte("Hello, World!")
	const hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	const base64 = "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc="
	for name, tc := range map[string]struct {
		signatures []string
		want       bool
	}{
		"hex":              {[]string{hex}, true},
		"as GitHub":        {[]string{"sha256=" + hex}, true},
		"upper case":       {[]string{strings.ToUpper(hex)}, true},
		"base64":           {[]string{base64}, true},
		"none":             {nil, false},
		"empty":            {[]string{""}, false},
		"no value":         {[]string{"sha256="}, false},
		"short":            {[]string{hex[:62]}, false},
		"wrong":            {[]string{strings.Replace(hex, "7", "8", 1)}, false},
		"not readable":     {[]string{"sha256=?"}, false},
		"another function": {[]string{"sha1=" + hex}, false},
		"a choice":         {[]string{hex, hex}, false},
	} {
		if got := signatureOK(secret, tc.signatures, body); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if signatureOK(secret, []string{hex}, []byte("Hello, World?")) {
		t.Error("the signature of another body is accepted")
	}
	if !signatureOK(connect.Secret{}, nil, body) {
		t.Error("refused where no signature is asked for")
	}
}

func TestSettings(t *testing.T) {
	good := settings{Listen: "127.0.0.1:0", Path: "/", MaxBody: 1, MaxInFlight: 1, Timeout: 1}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for key, change := range map[string]func(*settings){
		"listen_addr":     func(s *settings) { s.Listen = "8080" },
		"path":            func(s *settings) { s.Path = "hooks" },
		"hmac_header":     func(s *settings) { s.HMACSecret = connect.NewSecret("x") },
		"max_body_bytes":  func(s *settings) { s.MaxBody = maxBody + 1 },
		"max_in_flight":   func(s *settings) { s.MaxInFlight = 0 },
		"publish_timeout": func(s *settings) { s.Timeout = 0 },
	} {
		s := good
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "webhook."+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	// Nobody is let in by accident.
	for _, addr := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080", "example.com:8080"} {
		s := good
		s.Listen = addr
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "allow_anonymous") {
			t.Errorf("%s without any check: %v", addr, err)
		}
		s.Token = connect.NewSecret("x")
		if err := s.Validate(); err != nil {
			t.Errorf("%s with a token: %v", addr, err)
		}
	}
}
