package connect

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestErrorText(t *testing.T) {
	cause := errors.New("connection refused")
	tests := []struct {
		err  error
		want string
	}{
		{Retryable(cause), "retryable: connection refused"},
		{Retryablef("dial %s: %w", "db", cause), "retryable: dial db: connection refused"},
		{RetryableAfter(cause, 2*time.Second), "retryable after 2s: connection refused"},
		{RetryableAfter(cause, -time.Second), "retryable: connection refused"},
		{InvalidData(cause), "invalid data: connection refused"},
		{InvalidDataf("row %d", 7), "invalid data: row 7"},
		{Fatal(cause), "fatal: connection refused"},
		{Fatalf("no %s", "disk"), "fatal: no disk"},
		{InvalidConfig(cause), "configuration: connection refused"},
		{InvalidConfigf("no %s", "url"), "configuration: no url"},
		{&Error{Err: cause}, "connection refused"},
		{&Error{Kind: KindFatal}, "fatal: unspecified"},
		{&Error{Kind: 99, Err: cause}, "kind 99: connection refused"},
		{(*Error)(nil), "unspecified"},
		{&PanicError{Value: "boom", Stack: []byte("goroutine 1")}, "panic: boom"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestNilErrorsStayNil(t *testing.T) {
	for i, err := range []error{
		Retryable(nil), RetryableAfter(nil, time.Second), InvalidData(nil), Fatal(nil), InvalidConfig(nil),
	} {
		if err != nil {
			t.Errorf("%d: a nil error became %v", i, err)
		}
	}
	if KindOf(nil) != KindNone || IsRetryable(nil) || IsFatal(nil) || IsInvalidData(nil) || RetryAfter(nil) != 0 {
		t.Error("a nil error has a kind")
	}
}

func TestErrorUnwraps(t *testing.T) {
	err := fmt.Errorf("write: %w", RetryableAfter(io.ErrUnexpectedEOF, time.Second))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("errors.Is does not find the cause")
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindRetryable || e.After != time.Second {
		t.Errorf("errors.As found %+v", e)
	}
	if !errors.Is(&PanicError{Value: io.EOF}, io.EOF) {
		t.Error("a panic with an error does not unwrap to it")
	}
	if errors.Unwrap(&PanicError{Value: "text"}) != nil {
		t.Error("a panic with a text unwraps to something")
	}
}

func TestRetryAfter(t *testing.T) {
	five, nine := RetryableAfter(io.EOF, 5*time.Second), RetryableAfter(io.EOF, 9*time.Second)
	tests := map[string]struct {
		err  error
		want time.Duration
	}{
		"plain":      {io.EOF, 0},
		"direct":     {five, 5 * time.Second},
		"wrapped":    {fmt.Errorf("x: %w", five), 5 * time.Second},
		"outermost":  {Retryable(five), 0},
		"no kind":    {&Error{Err: five}, 5 * time.Second},
		"joined":     {errors.Join(five, nine, io.EOF), 9 * time.Second},
		"nil *Error": {(*Error)(nil), 0},
	}
	for name, tt := range tests {
		if got := RetryAfter(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestConfigErrorText(t *testing.T) {
	full := &ConfigError{
		Key: "batch_size", Value: "1k", Source: "environment variable BATCH_SIZE",
		Problem: "not a whole number", Hint: `did you mean "1000"?`,
	}
	const line = `batch_size = "1k" (environment variable BATCH_SIZE): not a whole number; did you mean "1000"?`
	if got := full.Error(); got != "configuration: "+line {
		t.Errorf("got %s", got)
	}
	for want, e := range map[string]*ConfigError{
		"configuration: broken":               {Problem: "broken"},
		"configuration: k: broken":            {Key: "k", Problem: "broken"},
		"configuration: (a.toml:3): broken":   {Source: "a.toml:3", Problem: "broken"},
		`configuration: k = "\n\x1b": broken`: {Key: "k", Value: "\n\x1b", Problem: "broken"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	all := ConfigErrors{full, {Key: "k", Problem: "broken"}}
	if got, want := all.Error(), "configuration: 2 problems:\n  "+line+"\n  k: broken"; got != want {
		t.Errorf("got %s", got)
	}
	if got := all[:1].Error(); got != full.Error() || strings.Contains(got, "\n") {
		t.Errorf("got %s", got)
	}
	var one *ConfigError
	if !errors.As(error(all), &one) || one != full {
		t.Error("errors.As does not find the problem")
	}
	if (ConfigErrors{}).orNil() != nil || all.orNil() == nil {
		t.Error("orNil")
	}
	if got := (ConfigErrors{}).Error(); got != "configuration: no problems" {
		t.Errorf("got %s", got)
	}
}
