package danube

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Token is where a client gets the JSON Web Token that says who it is. It goes with
// every call as "authorization: Bearer ...". The zero value means none.
//
// A Token prints as "***" through fmt with every verb, and slog, also inside other
// structs.
type Token struct {
	// A pointer, since fmt shows the fields of a struct that it reaches through an
	// unexported field without asking for its methods: it then shows an address.
	source *tokenSource
}

type tokenSource struct {
	// read gives the token. A fixed one stands nowhere but in this function.
	read func(ctx context.Context) (string, error)
	// lasts is how long what was read is good at most, 0 for ever.
	lasts time.Duration
	// expires says that what was read is renewed before its exp claim.
	expires bool
	// early says that it is read when the client is opened.
	early bool
}

// TokenValue is a fixed token. When the broker refuses it, the client gives up with
// ErrAuth: nothing will change.
func TokenValue(jwt string) Token {
	return Token{&tokenSource{early: true, read: func(context.Context) (string, error) {
		return jwt, nil
	}}}
}

// TokenFile is a token in a file, such as a mounted Kubernetes secret; white space
// around it does not count. The file is looked at again every second in which the
// client makes a call, so a token that is replaced in time needs nothing else. When
// the file has gone or holds no token, the one before stays in use. When the broker
// refuses the token, the file is read again, and the client goes on trying.
func TokenFile(path string) Token {
	return Token{&tokenSource{early: true, lasts: time.Second, read: func(context.Context) (string, error) {
		b, err := readFile(path, 64<<10)
		if err != nil {
			return "", fmt.Errorf("%w; give the path of a file that holds the token", err)
		}
		text := strings.TrimSpace(string(b))
		if text == "" {
			return "", fmt.Errorf("%s is empty; it must hold the token", path)
		}
		return text, nil
	}}}
}

// TokenFunc is a token that a function gives, such as a call to an identity
// provider. It is first called with the client's first call, and then again shortly
// before the token's exp claim, or after a minute where there is none that can be
// read; by one goroutine at a time, while others go on with the token that is there.
// It should end with its context, that of the call that needs the token. When it
// fails, what it gave before is used until it expires. When the broker refuses the
// token, it is called again, and the client goes on trying.
func TokenFunc(f func(ctx context.Context) (string, error)) Token {
	if f == nil {
		return Token{&tokenSource{}} // refused when the client is opened
	}
	return Token{&tokenSource{lasts: time.Minute, expires: true, read: func(ctx context.Context) (string, error) {
		text, err := f(ctx)
		return strings.TrimSpace(text), err
	}}}
}

// IsZero reports whether there is no token.
func (t Token) IsZero() bool { return t.source == nil }

// String returns "***", or "" for the zero value.
func (t Token) String() string {
	if t.IsZero() {
		return ""
	}
	return "***"
}

// GoString is String in quotes.
func (t Token) GoString() string { return fmt.Sprintf("%q", t.String()) }

// Format prints String whatever the verb.
func (t Token) Format(f fmt.State, verb rune) {
	text := t.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = t.GoString()
	}
	_, _ = io.WriteString(f, text) // fmt ignores such errors as well
}

// LogValue is String.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText is String, for JSON and the like.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// checkToken says what is wrong with a token without showing it.
func checkToken(text string) error {
	switch {
	case text == "":
		return errors.New("the token is empty")
	case len(text) >= 7 && strings.EqualFold(text[:7], "bearer "):
		return errors.New(`the token begins with "Bearer": give it without, the client adds it`)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the token has a space, a line break or another character that a header cannot carry")
	}
	return nil
}

// expiry is the exp claim of a JWT, zero when there is none that can be read. The
// token is not verified: that is the broker's part.
func expiry(jwt string) time.Time {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	const year9999 = 253402300799
	if json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 || claims.Exp > year9999 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Exp), 0)
}
