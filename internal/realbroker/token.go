package realbroker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// principalType is that of all principals of tests.
const principalType = "service_account"

// Claims are those that a broker wants to find in the token of a principal.
func Claims(principal string, until time.Time) map[string]any {
	return map[string]any{
		"iss": "danube-auth", "exp": until.Unix(), "sub": principal, "principal_type": principalType, "principal_name": principal,
	}
}

// Token is one that a broker with the secret takes.
func Token(secret, principal string, until time.Time) string {
	return Sign(secret, "HS256", Claims(principal, until))
}

// Sign signs whatever claims there are, and says that it was with alg.
func Sign(secret, alg string, claims map[string]any) string {
	text := part(map[string]any{"alg": alg, "typ": "JWT"}) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func part(v map[string]any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a claim that is no JSON
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
