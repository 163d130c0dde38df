package danube_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// What may pass is told from what does not, and from a caller who has had enough.
func TestRetryable(t *testing.T) {
	embedded(t, func(l *lab) {
		topic, client := l.topic(), l.open()
		l.must(l.broker.CreateTopic(topic, danubetest.TopicConfig{}))
		register := func(ctx context.Context, answer error, method danubetest.Method) error {
			f := l.broker.Fault(danubetest.Fault{Methods: []danubetest.Method{method}, Err: answer, Count: -1, Hang: answer == nil, Optional: true})
			defer f.Remove()
			_, _, err := client.Schemas().Register(ctx, "subject", danube.SchemaString, "", danube.RegisterOptions{})
			return err
		}
		gone, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		for name, tt := range map[string]struct {
			err  error
			want bool
		}{
			"nothing":             {nil, false},
			"not ours":            {errors.New("x"), false},
			"a context":           {context.Canceled, false},
			"invalid":             {register(l.soon(), status.Error(codes.InvalidArgument, "no"), danubetest.MethodRegisterSchema), false},
			"a caller who is off": {register(gone, nil, danubetest.MethodRegisterSchema), false},
			"an unknown ping":     {client.Ping(l.soon()), false},
			"a ping of nobody":    {l.open(func(c *danube.Config) { c.Seeds = []string{l.broker.DeadURL()} }).Ping(l.soon()), true},
			"wrapped":             {fmt.Errorf("x: %w", l.open(func(c *danube.Config) { c.Seeds = []string{l.broker.DeadURL()} }).Ping(l.soon())), true},
		} {
			if got := danube.Retryable(tt.err); got != tt.want {
				t.Errorf("%s: %v of %v", name, got, tt.err)
			}
		}
	})
}
