package danube_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Options of the caller's that take TLS away do not get the token sent.
func TestTokenNeedsTLSToTheLast(t *testing.T) {
	b := newSecureBroker(t, nil, nil)
	c, _ := b.client(t, func(cfg *danube.Config) {
		cfg.Seeds = []string{"https://" + b.addr}
		cfg.Token = danube.TokenValue("s3cret")
		cfg.DialOptions = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	})
	if err := ping(t, c); err == nil {
		t.Error("there is an answer")
	}
	if n := b.calls("TopicLookup"); n != 0 || b.tokens["Bearer s3cret"] {
		t.Errorf("%d calls, with %v", n, b.tokens)
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, tt := range []struct {
		name  string
		token danube.Token
		say   string
	}{
		{"empty", danube.TokenValue(""), "empty"},
		{"with its prefix", danube.TokenValue("Bearer s3cret"), "without"},
		{"two lines", danube.TokenValue("s3cret\nx-admin: yes"), "header"},
		{"no ASCII", danube.TokenValue("s3cretß"), "header"},
		{"no function", danube.TokenFunc(nil), "TokenFunc"},
		{"no file", danube.TokenFile(missing), missing},
		{"empty file", danube.TokenFile(tempFile(t, "token", []byte("\n"))), "is empty"},
		{"file with more", danube.TokenFile(tempFile(t, "token", []byte("s3cret and more"))), "header"},
		{"huge file", danube.TokenFile(tempFile(t, "token", make([]byte, 1<<20))), "65536"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := danube.Open(danube.Config{Seeds: []string{"https://a:1"}, Token: tt.token})
			if !errors.Is(err, danube.ErrInvalid) || !says("Token: ")(err) || !says(tt.say)(err) {
				t.Errorf("got %v, want %q in it", err, tt.say)
			}
			if says("s3cret")(err) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
	// The function is asked later, and its token is looked at then.
	synctest.Test(t, func(t *testing.T) {
		b := newTokenBroker(t)
		c, _ := b.client(t, func(cfg *danube.Config) {
			cfg.Token = danube.TokenFunc(func(context.Context) (string, error) { return "s3cret\r\nx", nil })
		})
		if err := ping(t, c); !errors.Is(err, danube.ErrAuth) || says("s3cret")(err) {
			t.Errorf("got %v", err)
		}
	})
}

// No way of printing shows a token.
func TestTokenIsNeverPrinted(t *testing.T) {
	path := tempFile(t, "token", []byte("s3cret"))
	for _, token := range []danube.Token{
		danube.TokenValue("s3cret"), danube.TokenFile(path),
		danube.TokenFunc(func(context.Context) (string, error) { return "s3cret", nil }),
	} {
		cfg := danube.Config{Seeds: []string{"https://a:1"}, Token: token, TLS: danube.TLSConfig{Config: &tls.Config{}}}
		client, err := danube.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		admin, err := danube.OpenAdmin(danube.AdminConfig{Addresses: cfg.Seeds, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		hidden := struct{ cfg danube.Config }{cfg}
		for _, v := range []any{token, &token, cfg, &cfg, hidden, &hidden, client, *client.Schemas(), admin, danube.AdminConfig{Token: token}, []danube.Token{token}, map[string]danube.Token{"k": token}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%t", "%o", "%10s", "%.1f", "%U", "%c", "%w"} {
				if s := fmt.Sprintf(verb, v); leaks(s) {
					t.Errorf("%s of a %T shows it: %s", verb, v, s)
				}
			}
			var logs bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&logs, nil), slog.NewJSONHandler(&logs, nil)} {
				slog.New(h).Info("x", "v", v)
			}
			if s := logs.String(); leaks(s) {
				t.Errorf("logging a %T shows it: %s", v, s)
			}
			if b, _ := json.Marshal(v); leaks(string(b)) {
				t.Errorf("a %T as JSON shows it: %s", v, b)
			}
		}
		if token.String() != "***" || token.GoString() != `"***"` || fmt.Sprintf("%+v", token) != "***" || fmt.Sprintf("%#v", token) != `"***"` {
			t.Errorf("prints as %s, %#v", token, token)
		}
		for _, c := range []interface{ Close(context.Context) error }{client, admin} {
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if (danube.Token{}).String() != "" {
		t.Error("no token prints as one")
	}
}

func leaks(s string) bool {
	for _, form := range []string{"s3cret", fmt.Sprintf("%x", "s3cret"), fmt.Sprintf("%X", "s3cret"), base64.StdEncoding.EncodeToString([]byte("s3cret")), "115 51 99"} {
		if strings.Contains(s, form) {
			return true
		}
	}
	return false
}
