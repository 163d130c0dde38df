package danube

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unary makes a call that the broker refused for its token once more, when there is
// another one. The broker looks at the token before anything else, so the first
// call has done nothing.
func (k *tokens) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	age := k.age()
	err := invoke(ctx, method, req, reply, cc, opts...)
	if status.Code(err) == codes.Unauthenticated && k.renew(ctx, max(age, 1)) {
		err = invoke(ctx, method, req, reply, cc, opts...)
	}
	return refusedToken(err)
}

// stream looks for the same in a stream, whose errors come with the first message.
// It is not opened again here: that is the session's part.
func (k *tokens) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	age := k.age()
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, refusedToken(err)
	}
	return &tokenStream{ClientStream: s, tokens: k, ctx: ctx, age: max(age, 1)}, nil
}

type tokenStream struct {
	grpc.ClientStream
	tokens *tokens
	ctx    context.Context
	age    uint64
}

func (s *tokenStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil && status.Code(err) == codes.Unauthenticated {
		s.tokens.renew(s.ctx, s.age)
		return refusedToken(err)
	}
	return err
}

// tokenRefused is a broker's refusal of a token that may be followed by a better
// one, so that trying again makes sense.
type tokenRefused struct{ err error }

func refusedToken(err error) error {
	if status.Code(err) == codes.Unauthenticated {
		return &tokenRefused{err}
	}
	return err
}

func (e *tokenRefused) Error() string              { return e.err.Error() }
func (e *tokenRefused) Unwrap() error              { return e.err }
func (e *tokenRefused) GRPCStatus() *status.Status { return status.Convert(e.err) }

// tokenMayChange reports whether err is such a refusal.
func tokenMayChange(err error) bool {
	var e *tokenRefused
	return errors.As(err, &e)
}
