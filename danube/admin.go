package danube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors of the admin port.
var (
	// ErrExists: what should be created exists already.
	ErrExists = errors.New("exists already")
	// ErrUnsupported: the broker, or the cluster as it is now, cannot do that.
	ErrUnsupported = errors.New("not supported there")
)

// AdminConfig is what an Admin needs. The zero value of every field but Addresses
// means its default.
type AdminConfig struct {
	// Addresses are admin ports of brokers: "http://host:50051" or "host:50051", with
	// https:// where the brokers have admin_tls. Any broker will do, but where a call
	// needs the owner of a topic and the address that the brokers know of each other
	// cannot be reached from here, the list must have them all.
	Addresses []string
	// TLS is as in Config.
	TLS TLSConfig
	// Token is as in Config.
	Token Token
	// AllowInsecureToken is as in Config. The admin port stays in plain text where the
	// clients' port has TLS, unless the brokers are told otherwise (admin_tls).
	AllowInsecureToken bool
	// Logger gets a line for each attempt that got no answer. Default: slog.Default().
	Logger *slog.Logger
	// DialOptions are added to the client's own.
	DialOptions []grpc.DialOption
	// Timeout bounds one call to one broker. Default: 10 s.
	Timeout time.Duration
	// BackoffInitial and BackoffMax shape the waits between attempts. Defaults:
	// 100 ms and 10 s.
	BackoffInitial, BackoffMax time.Duration
}

// Admin manages topics, subscriptions and namespaces through the brokers' admin
// ports. It is safe for concurrent use.
//
// A call goes to one address after the other and is repeated, with backoff, until a
// broker answers or ctx ends. A call that changes something and whose first answer
// was lost may so find its own work: ErrExists, or ErrNotFound, then means that
// things are as they should be.
//
// Topics are named without a partition's suffix, and then all partitions are meant,
// or with it. Changes to several partitions are not atomic.
type Admin struct {
	client *Client
}

// OpenAdmin checks the configuration and returns an Admin. It dials nothing yet.
func OpenAdmin(cfg AdminConfig) (*Admin, error) {
	if len(cfg.Addresses) == 0 {
		return nil, invalid("no admin address; give at least one, such as http://localhost:50051")
	}
	client, err := open(Config{
		Seeds: cfg.Addresses, TLS: cfg.TLS, Token: cfg.Token, AllowInsecureToken: cfg.AllowInsecureToken,
		Logger: cfg.Logger, DialOptions: cfg.DialOptions, Timeouts: Timeouts{Control: cfg.Timeout},
		BackoffInitial: cfg.BackoffInitial, BackoffMax: cfg.BackoffMax,
	}, "the admin addresses")
	if err != nil {
		return nil, err
	}
	return &Admin{client}, nil
}

// Close closes the connections. Calls under way end with ErrClosed.
func (a *Admin) Close(ctx context.Context) error { return a.client.Close(ctx) }

// call asks until there is an answer.
func (a *Admin) call(ctx context.Context, op, topic string, ask func(context.Context, *grpc.ClientConn) error) error {
	return a.client.untilAnswered(ctx, op, topic, func(ctx context.Context) error {
		return a.client.anySeed(ctx, op, topic, judgeAdmin, func(ctx context.Context, _ endpoint, conn *grpc.ClientConn) error {
			return ask(ctx, conn)
		})
	})
}

// errRefused is an answer without an error that says no. Brokers of 0.15 give none.
var errRefused = errors.New("the broker answered that it did not succeed")

func succeeded(ok bool, err error) error {
	if err == nil && !ok {
		return errRefused
	}
	return err
}

// judgeAdmin reads an error of the admin port, which answers NOT_FOUND for nearly
// everything, with what really happened as text. The fragments are those of 0.15.1.
func judgeAdmin(err error) verdict {
	if errors.Is(err, errRefused) {
		return verdict{class: classFatal}
	}
	s, _ := status.FromError(err)
	text := s.Message()
	switch s.Code() {
	case codes.Unimplemented:
		return verdict{class: classFatal, reason: ErrUnsupported}
	case codes.FailedPrecondition:
		if strings.Contains(text, "at least 2 brokers") {
			return verdict{class: classFatal, reason: ErrUnsupported}
		}
	case codes.NotFound:
		return judgeAdminNotFound(text)
	}
	return judge(rpcLookup, err)
}

func judgeAdminNotFound(text string) verdict {
	for _, f := range []struct {
		text   string
		reason error
	}{
		{"partitioned topic", ErrConflict}, // both ways: with and without "non-"
		{"active consumers", ErrConflict},
		{"non empty namespace", ErrConflict},
		{"already exists", ErrExists},
		{"invalid format", ErrInvalid},
		{"Cannot delete individual partition", ErrInvalid},
		{"find the namespace", ErrNotFound},
		{"find topic", ErrNotFound},
		{"does not exist", ErrNotFound},
	} {
		if strings.Contains(text, f.text) {
			return verdict{class: classFatal, reason: f.reason}
		}
	}
	// What is left comes from the brokers' own store, which has moments without a
	// leader.
	return verdict{class: classTransient, ambiguous: true}
}

func checkNamespace(name string) error {
	if !namespacePattern.MatchString(name) {
		return invalid("namespace %q: want letters, digits, _ and -, without a slash", name)
	}
	return nil
}

// adminError is an error that no broker has answered.
func adminError(op, topic string, reason error, format string, args ...any) *Error {
	return &Error{Op: op, Topic: topic, Reason: reason, Err: fmt.Errorf(format, args...), class: classFatal}
}
