package danube

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"
)

func TestExpiry(t *testing.T) {
	token := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".sig"
	}
	for text, want := range map[string]int64{
		token(`{"exp":1700000000}`):                1700000000,
		token(`{"exp":1700000000.75}`):             1700000000,
		token(`{"sub":"x","exp":1.7e9}`):           1700000000,
		token(`{"sub":">>>???","exp":1700000000}`): 1700000000, // not in the other base64 alphabet
		token(`{"exp":1700000000}`)[:20]:           0,
		token(`{"exp":"1700000000"}`):              0,
		token(`{"exp":-5}`):                        0,
		token(`{"exp":1e300}`):                     0,
		token(`{}`):                                0,
		token(`[1]`):                               0,
		"e30." + base64.URLEncoding.EncodeToString([]byte(`{"exp":1700000000 }`)) + ".sig": 1700000000, // padded
		"a.b": 0, "": 0, "..": 0, "opaque": 0, "e30.!!!.sig": 0,
	} {
		got := expiry(text)
		if want == 0 && !got.IsZero() || want != 0 && got.Unix() != want {
			t.Errorf("%s: got %v, want %d", text, got, want)
		}
	}
}

func FuzzExpiry(f *testing.F) {
	f.Add("e30.eyJleHAiOjE3MDAwMDAwMDB9.sig")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		if got := expiry(text); got.Year() > 9999 {
			t.Errorf("%q expires at %v", text, got)
		}
		if err := checkToken(text); err != nil && len(text) > 30 && len(fmt.Sprint(err)) > 120 {
			t.Errorf("the error is long for one without the token: %v", err)
		}
	})
}

// A token is renewed a tenth of its life before its end, a minute at most, and never
// more than once a second.
func TestTokenIsDueBeforeItExpires(t *testing.T) {
	now := time.Now()
	for left, want := range map[time.Duration]time.Duration{
		time.Hour: 59 * time.Minute, 10 * time.Minute: 9 * time.Minute, 20 * time.Second: 18 * time.Second,
		0: time.Second, -time.Hour: time.Second,
	} {
		jwt := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, now.Add(left).Unix())) + ".sig"
		k := &tokens{source: TokenFunc(nil).source}
		k.source.lasts, k.source.expires, k.source.read = time.Minute, true, TokenValue(jwt).source.read
		s, err := k.read(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := s.due.Sub(now) - want; d < -2*time.Second || d > 2*time.Second {
			t.Errorf("good for %v: due after %v, want %v", left, s.due.Sub(now), want)
		}
	}
}
