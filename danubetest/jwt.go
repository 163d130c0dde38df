package danubetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
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
		var alg string
		if header, err := decodePart(parts[0]); err != nil || !header.read("alg", &alg) || alg != "HS256" {
			return "", errors.New("want the algorithm HS256")
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		signature, err := decodeBase64(parts[2])
		if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
			return "", errors.New("the signature is wrong")
		}
		claims, err := decodePart(parts[1])
		if err != nil {
			return "", errors.New("the claims cannot be read")
		}
		var iss, sub, kind, name string
		var exp uint64
		switch {
		case !claims.read("iss", &iss) || !claims.read("sub", &sub) || !claims.read("exp", &exp) || !claims.read("principal_type", &kind) || !claims.read("principal_name", &name):
			return "", errors.New("a claim is missing")
		case !claims.without("aud"):
			return "", errors.New("it is for somebody else")
		case exp < 1<<62 && now.After(time.Unix(int64(exp), 0).Add(jwtLeeway)): // time.Time has no later second
			return "", errors.New("it has expired")
		}
		return name, nil
	}
}

// jsonObject is an object by the names as they are written: encoding/json takes "ALG" for
// alg as well, and the real broker does not.
type jsonObject map[string]json.RawMessage

// read reads what is there under a name.
func (o jsonObject) read(name string, v any) bool {
	return !o.without(name) && json.Unmarshal(o[name], v) == nil
}

func (o jsonObject) without(name string) bool {
	return o[name] == nil || string(o[name]) == "null"
}

func decodePart(part string) (o jsonObject, err error) {
	text, err := decodeBase64(part)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, errors.New("no text")
	}
	return o, json.Unmarshal(text, &o)
}

// decodeBase64 takes the one text that bytes have: no line breaks, and no bits behind the
// last byte.
func decodeBase64(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("a line break")
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}
