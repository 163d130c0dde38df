package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	connect "github.com/danube-messaging/danube-connect-go"
)

// tokenOK checks the bearer token of a request. Its time says nothing of the token, not
// even its length.
func tokenOK(token connect.Secret, r *http.Request) bool {
	if token.IsZero() {
		return true
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token.Reveal())), sha256.Sum256([]byte(strings.TrimSpace(given)))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// signatureOK checks the signature of a body. Without one, with more than one, and with
// one that cannot be read, it is wrong.
func signatureOK(secret connect.Secret, signatures []string, body []byte) bool {
	if secret.IsZero() {
		return true
	}
	if len(signatures) != 1 {
		return false
	}
	text := strings.TrimPrefix(signatures[0], "sha256=")
	got, err := hex.DecodeString(text)
	if err != nil {
		got, err = base64.StdEncoding.DecodeString(text)
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(body)
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}
