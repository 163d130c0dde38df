package danubetest

import (
	"errors"

	"google.golang.org/grpc"
)

// WithGRPC gives a say in the gRPC servers, one of each broker and of the proxy, which are
// made anew by each start. register is called with each before it serves, for services of
// one's own beside the broker's, such as reflection for grpcurl; it may be nil. The options
// come behind the broker's own and win: with grpc.ChainUnaryInterceptor a test can look at
// every request and answer, and answer in the broker's place. What an interceptor answers
// itself no [Fault] sees, and [Broker.Calls] and the metrics do not count.
func WithGRPC(register func(*grpc.Server), opts ...grpc.ServerOption) Option {
	return func(c *config) error {
		if register == nil && len(opts) == 0 {
			return errors.New("gRPC: want a function that registers services, or options")
		}
		if register != nil {
			c.register = append(c.register, register)
		}
		c.serverOptions = append(c.serverOptions, opts...)
		return nil
	}
}
