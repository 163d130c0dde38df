package danube

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// tokens keeps the token of one client and puts it into every call. It implements
// credentials.PerRPCCredentials.
type tokens struct {
	source   *tokenSource
	log      *slog.Logger
	insecure bool

	current atomic.Pointer[tokenState]
	turn    chan struct{} // holds one while somebody reads the source
	forced  time.Time     // the last time that a refusal made us read it; with the turn
	failing bool          // the last read failed, and that was logged; with the turn
}

// tokenState is what was read. It is never changed.
type tokenState struct {
	text    string
	header  map[string]string
	err     error     // there is no token; why
	left    bool      // err is the caller's own context
	age     uint64    // counts the tokens
	due     time.Time // when to read again; zero for never
	expires time.Time // zero when that is not known
}

func (s *tokenState) isDue(now time.Time) bool { return !s.due.IsZero() && !now.Before(s.due) }

// usable reports whether s will do while somebody else reads the next.
func (s *tokenState) usable(now time.Time) bool {
	return s.err == nil && (s.expires.IsZero() || now.Before(s.expires))
}

// retryToken is the least time between two reads of a source that failed or whose
// token was refused.
const retryToken = time.Second

func newTokens(t Token, log *slog.Logger, insecure bool) (*tokens, error) {
	if t.source.read == nil {
		return nil, invalid("Token: TokenFunc was given no function")
	}
	k := &tokens{source: t.source, log: log, insecure: insecure, turn: make(chan struct{}, 1)}
	if !k.source.early {
		return k, nil
	}
	s, err := k.read(context.Background(), nil)
	if err != nil {
		return nil, invalid("Token: %w", err)
	}
	k.current.Store(s)
	return k, nil
}

// mayChange reports whether a refused token may be followed by a better one.
func (k *tokens) mayChange() bool { return k.source.lasts > 0 }

func (k *tokens) dialOptions() []grpc.DialOption {
	opts := []grpc.DialOption{grpc.WithPerRPCCredentials(k)}
	if k.mayChange() {
		opts = append(opts, grpc.WithChainUnaryInterceptor(k.unary), grpc.WithChainStreamInterceptor(k.stream))
	}
	return opts
}

// RequireTransportSecurity makes gRPC refuse to send the token in plain text.
func (k *tokens) RequireTransportSecurity() bool { return !k.insecure }

// GetRequestMetadata gives the header of one call.
func (k *tokens) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	s, err := k.get(ctx)
	if err != nil {
		return nil, err
	}
	return s.header, nil
}

// get returns the token, read again where it is due.
func (k *tokens) get(ctx context.Context) (*tokenState, error) {
	s := k.current.Load()
	now := time.Now()
	switch {
	case s == nil:
	case !s.isDue(now):
		return s.orError()
	case s.usable(now):
		select {
		case k.turn <- struct{}{}:
			defer k.yield()
			return k.again(ctx).orError()
		default:
			return s, nil // somebody is at it
		}
	}
	select {
	case k.turn <- struct{}{}:
		defer k.yield()
		return k.again(ctx).orError()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// orError gives a state without a token as the status of a call.
func (s *tokenState) orError() (*tokenState, error) {
	if s.err == nil {
		return s, nil
	}
	if s.left {
		return nil, status.FromContextError(s.err).Err()
	}
	return nil, status.Errorf(codes.Unauthenticated, "there is no token to send: %v", s.err)
}

func (k *tokens) yield() { <-k.turn }

// again reads the source, unless somebody did so while we waited for the turn. With
// the turn.
func (k *tokens) again(ctx context.Context) *tokenState {
	old := k.current.Load()
	now := time.Now()
	if old != nil && !old.isDue(now) {
		return old
	}
	s, err := k.read(ctx, old)
	if err != nil && ctx.Err() != nil {
		// The caller left: that says nothing of the source, and the next one tries.
		if old != nil && old.usable(now) {
			return old
		}
		return &tokenState{err: ctx.Err(), left: true}
	}
	if err != nil {
		if !k.failing {
			k.log.Error("danube: no new token", "error", err)
		}
		s = &tokenState{err: err}
		if old != nil && old.usable(now) {
			keep := *old
			s = &keep
		} else if old != nil {
			s.age = old.age
		}
		s.due = time.Now().Add(retryToken)
	}
	k.failing = err != nil
	k.current.Store(s)
	return s
}

// read reads the source.
func (k *tokens) read(ctx context.Context, old *tokenState) (*tokenState, error) {
	text, err := k.source.read(ctx)
	if err == nil {
		err = checkToken(text)
	}
	if err != nil {
		return nil, err
	}
	s := &tokenState{text: text, header: map[string]string{"authorization": "Bearer " + text}, age: 1}
	if old != nil {
		s.age = old.age + 1
		if old.text == text {
			s.header, s.age = old.header, old.age
		}
	}
	if k.source.lasts == 0 {
		return s, nil
	}
	now := time.Now()
	s.due = now.Add(k.source.lasts)
	if k.source.expires {
		if s.expires = expiry(text); !s.expires.IsZero() {
			left := s.expires.Sub(now)
			s.due = now.Add(max(retryToken, left-min(left/10, time.Minute)))
		}
	}
	return s, nil
}

// renew reads the source because the broker refused the token of the given age. It
// reports whether there is another token now. A source that gives nothing better is
// not asked more than once a second.
func (k *tokens) renew(ctx context.Context, refused uint64) bool {
	select {
	case k.turn <- struct{}{}:
		defer k.yield()
	case <-ctx.Done():
		return false
	}
	old := k.current.Load()
	switch {
	case old != nil && old.err != nil:
		return false // nothing was sent; the next call that is due reads again
	case old != nil && old.age != refused:
		return true
	case time.Since(k.forced) < retryToken:
		return false
	}
	k.forced = time.Now()
	s, err := k.read(ctx, old)
	if err != nil {
		k.log.Error("danube: the broker refused the token, and there is no new one", "error", err)
		return false
	}
	k.current.Store(s)
	return s.age != refused
}

// age is the number of the token in use.
func (k *tokens) age() uint64 {
	if s := k.current.Load(); s != nil {
		return s.age
	}
	return 0
}
