package danubetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// jwtLeeway is how long the real broker takes a token that has expired; what it has
// looked at before, 30 s more.
const jwtLeeway = time.Minute

// VerifyJWT returns a verifier of the tokens that the real broker takes: HS256 with its
// secret, and the claims iss, exp, sub, principal_type and principal_name, of which the
// last is the principal. A token is good for a minute after it has expired.
func VerifyJWT(secret string) TokenVerifier {
	return func(token string, now time.Time) (string, error) {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			return "", errors.New("want three parts")
		}
		var header struct{ Alg string }
		if err := decodePart(parts[0], &header); err != nil || header.Alg != "HS256" {
			return "", errors.New("want the algorithm HS256")
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
			return "", errors.New("the signature is wrong")
		}
		var claims struct {
			Iss, Sub      *string
			Exp           *int64
			PrincipalType *string `json:"principal_type"`
			PrincipalName *string `json:"principal_name"`
			Aud           any
		}
		if err := decodePart(parts[1], &claims); err != nil {
			return "", errors.New("the claims cannot be read")
		}
		switch {
		case claims.Iss == nil || claims.Sub == nil || claims.Exp == nil || claims.PrincipalType == nil || claims.PrincipalName == nil:
			return "", errors.New("a claim is missing")
		case claims.Aud != nil:
			return "", errors.New("it is for somebody else")
		case now.After(time.Unix(*claims.Exp, 0).Add(jwtLeeway)):
			return "", errors.New("it has expired")
		}
		return *claims.PrincipalName, nil
	}
}

func decodePart(part string, v any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
