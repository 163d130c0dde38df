package danubetest_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// What is taken is signed with the secret, and the only text of its token; it is in its
// time, and names everything under the names that the real broker reads.
func FuzzVerifyJWT(f *testing.F) {
	const hs256, claims = `{"alg":"HS256","typ":"JWT"}`, `{"iss":"i","exp":1001,"sub":"s","principal_type":"user","principal_name":"me"}`
	f.Add(hs256, claims, "", int64(1000))
	f.Add(hs256, strings.ReplaceAll(claims, "exp", "EXP"), "", int64(1000))
	f.Add(strings.ReplaceAll(hs256, "alg", "Alg"), claims, "", int64(1000))
	f.Add(hs256, strings.ReplaceAll(claims, "1001", "9223372036854775807"), "", int64(1000))
	f.Add(hs256, strings.ReplaceAll(claims, "1001", "-9223372036854775808"), "", int64(-62135596801))
	f.Add(hs256, strings.ReplaceAll(claims, "1001", "1001.5"), "", int64(1000))
	f.Add(hs256, strings.ReplaceAll(claims, `"me"`, `null`), "", int64(1000))
	f.Add(`{"alg":"none"}`, claims, "", int64(1000))
	f.Add(hs256, claims, "\n", int64(1000))
	f.Add(hs256, claims, "=", int64(1000))
	f.Add(hs256, claims, ".", int64(1000))
	f.Add(hs256, "null", "", int64(0))
	f.Fuzz(func(t *testing.T, header, claims, tail string, seconds int64) {
		verify, now := danubetest.VerifyJWT("secret"), time.Unix(seconds, 0)
		token := jwt("secret", header, claims)
		name, err := verify(token, now)
		if err != nil && name != "" {
			t.Errorf("%q beside %v", name, err)
		}
		if tail != "" {
			if got, err := verify(token+tail, now); err == nil {
				t.Errorf("%q, and %q behind it, is taken for one of %q", token, tail, got)
			}
		}
		// The last of the 43 characters of a signature has two bits that mean nothing.
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, token[len(token)-1])
		if _, err := verify(token[:len(token)-1]+alphabet[last^1:last^1+1], now); err == nil {
			t.Errorf("%q has a second text", token)
		}
		if _, err := verify(jwt("other", header, claims), now); err == nil {
			t.Error("another secret signed it")
		}
		if err != nil {
			return
		}
		var h, c map[string]any
		if json.Unmarshal([]byte(header), &h) != nil || h["alg"] != "HS256" {
			t.Errorf("%s was taken", header)
		}
		d := json.NewDecoder(strings.NewReader(claims))
		d.UseNumber()
		if err := d.Decode(&c); err != nil {
			t.Errorf("%s was taken: %v", claims, err)
		}
		for _, claim := range []string{"iss", "sub", "principal_type", "principal_name"} {
			if _, text := c[claim].(string); !text {
				t.Errorf("%s was taken, %s is %v", claims, claim, c[claim])
			}
		}
		exp, _ := c["exp"].(json.Number)
		if until, err := strconv.ParseUint(string(exp), 10, 64); err != nil || until < 1<<62 && seconds > int64(until)+60 {
			t.Errorf("%s was taken at %d", claims, seconds)
		}
		if c["principal_name"] != name {
			t.Errorf("%s became %q", claims, name)
		}
	})
}
