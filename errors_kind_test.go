package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/utils"
)

func TestKindOf(t *testing.T) {
	jsonErr := func(text string, v any) error { return json.Unmarshal([]byte(text), v) }
	_, unsupported := json.Marshal(math.NaN())
	//lint:ignore SA1026 the error is the point
	_, unsupportedType := json.Marshal(make(chan int))
	_, badText := utils.StringFromBytes([]byte("\xff"))
	var n int
	tests := map[string]struct {
		err  error
		want Kind
	}{
		"unknown":                      {errors.New("x"), KindRetryable},
		"EOF":                          {io.EOF, KindRetryable},
		"cancelled":                    {context.Canceled, KindRetryable},
		"deadline":                     {context.DeadlineExceeded, KindRetryable},
		"network":                      {&net.OpError{Op: "dial", Err: errors.New("refused")}, KindRetryable},
		"retryable":                    {Retryable(io.EOF), KindRetryable},
		"invalid":                      {InvalidData(io.EOF), KindInvalidData},
		"fatal":                        {Fatal(io.EOF), KindFatal},
		"config":                       {InvalidConfig(io.EOF), KindConfig},
		"config error":                 {fmt.Errorf("x: %w", &ConfigError{Key: "k"}), KindConfig},
		"config errors":                {fmt.Errorf("x: %w", ConfigErrors{{Key: "k"}}), KindConfig},
		"no config errors":             {ConfigErrors{}, KindConfig},
		"wrapped":                      {fmt.Errorf("a: %w", fmt.Errorf("b: %w", Fatal(io.EOF))), KindFatal},
		"outermost wins":               {Retryable(fmt.Errorf("x: %w", Fatal(io.EOF))), KindRetryable},
		"outermost over joined":        {Retryable(errors.Join(Fatal(io.EOF), InvalidData(io.EOF))), KindRetryable},
		"explicit over status":         {Retryable(status.Error(codes.InvalidArgument, "x")), KindRetryable},
		"explicit over JSON":           {Retryable(jsonErr("{", &n)), KindRetryable},
		"no kind of its own":           {&Error{Err: jsonErr("{", &n)}, KindInvalidData},
		"no kind, explicit below":      {&Error{Err: Fatal(io.EOF)}, KindFatal},
		"no kind, no cause":            {&Error{}, KindRetryable},
		"nil *Error":                   {(*Error)(nil), KindRetryable},
		"joined unknown":               {errors.Join(io.EOF, io.EOF), KindRetryable},
		"joined invalid":               {errors.Join(io.EOF, InvalidData(io.EOF)), KindInvalidData},
		"joined, one by its type":      {errors.Join(Retryable(io.EOF), jsonErr("{", &n)), KindInvalidData},
		"joined config over invalid":   {errors.Join(InvalidData(io.EOF), InvalidConfig(io.EOF)), KindConfig},
		"joined fatal over config":     {errors.Join(InvalidConfig(io.EOF), Fatal(io.EOF)), KindFatal},
		"joined, wrapped":              {fmt.Errorf("x: %w", errors.Join(io.EOF, Fatal(io.EOF))), KindFatal},
		"several %w":                   {fmt.Errorf("%w: %w", io.EOF, InvalidData(io.EOF)), KindInvalidData},
		"panic":                        {&PanicError{Value: "x"}, KindRetryable},
		"panic with a fatal error":     {&PanicError{Value: Fatal(io.EOF)}, KindRetryable},
		"panic, wrapped by the author": {Fatal(&PanicError{Value: "x"}), KindFatal},
		"too large for Danube":         {&danube.Error{Op: "publish", Reason: danube.ErrTooLarge}, KindInvalidData},
		"refused by a schema": {&danube.Error{
			Op: "publish", Reason: danube.ErrSchema, Err: status.Error(codes.PermissionDenied, "x"),
		}, KindInvalidData},
		"Danube, for now":       {&danube.Error{Op: "publish", Err: status.Error(codes.Unavailable, "x")}, KindRetryable},
		"conversion":            {fmt.Errorf("x: %w", badText), KindInvalidData},
		"JSON syntax":           {fmt.Errorf("x: %w", jsonErr("{", &n)), KindInvalidData},
		"JSON type":             {jsonErr(`"text"`, &n), KindInvalidData},
		"JSON value":            {unsupported, KindInvalidData},
		"JSON unsupported type": {unsupportedType, KindInvalidData},
		"JSON no pointer":       {jsonErr("1", n), KindFatal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := KindOf(tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if IsRetryable(tt.err) != (tt.want == KindRetryable) ||
				IsInvalidData(tt.err) != (tt.want == KindInvalidData) ||
				IsFatal(tt.err) != (tt.want == KindFatal) {
				t.Error("the Is functions disagree")
			}
		})
	}
}

// Every gRPC code has a kind, and only three of them give up the record.
func TestKindOfStatus(t *testing.T) {
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		want := KindRetryable
		switch c {
		case codes.InvalidArgument, codes.OutOfRange, codes.DataLoss:
			want = KindInvalidData
		}
		for _, err := range []error{status.Error(c, "x"), fmt.Errorf("call: %w", status.Error(c, "x"))} {
			if got := KindOf(err); got != want {
				t.Errorf("%v: got %v, want %v", err, got, want)
			}
		}
	}
}
