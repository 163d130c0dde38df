package danube_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Whatever a broker answers to administrators: errors of ours, addresses that can be
// asked, times that are none before now, and names in order, each once.
func FuzzAdmin(f *testing.F) {
	broker := func(clients, metrics string) []byte {
		return field(1, string(slices.Concat(field(1, "7"), field(2, clients), field(4, "http://h:9"), field(5, metrics))))
	}
	policy := func(n uint64) []byte {
		return field(1, string(slices.Concat(field(1, n), field(2, n), field(3, n), field(4, n), field(5, n), field(6, "\x1b"), field(7, n))))
	}
	f.Add(broker("http://h:1", "0.0.0.0:9040"), field(1, "/default/t"), []byte{})
	f.Add(slices.Concat(broker("http://u:secret@h:1", "http://u:secret@h:9040/x"), broker("", "[::]:1"), broker("[::1]:1", "0.0.0.0:2")), field(1, uint64(1)), policy(^uint64(0)))
	f.Add(slices.Concat(broker("[::&]:1", "0.0.0.0:2"), broker("[fe80::1%eth0]:1", "0.0.0.0:2")), []byte{}, []byte{})
	f.Add(field(1, "\xff"), slices.Concat(field(1, "b"), field(1, "a"), field(1, "b")), policy(0))
	f.Add([]byte{}, field(1, string(field(1, "/default/t-part-1"))), field(1, uint64(1)))
	f.Add([]byte{0xff}, slices.Concat(field(2, "/default/t-part-0"), field(2, "/default/t-part-9")), []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, brokers, topics, other []byte) {
		synctest.Test(t, func(t *testing.T) {
			l := rawBroker(t, func(method string, s grpc.ServerStream) error {
				switch {
				case method == "ListBrokers":
					return s.SendMsg(brokers)
				case strings.Contains(method, "Topics"), strings.Contains(method, "Namespaces"), strings.Contains(method, "Partitions"):
					return s.SendMsg(topics)
				}
				return s.SendMsg(other)
			})
			a, err := danube.OpenAdmin(danube.AdminConfig{Addresses: []string{l.url}, DialOptions: l.dial, Timeout: time.Second, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			l.must(err)
			ctx := l.within(time.Minute)
			ours := func(what string, err error) {
				if err != nil && !strings.Contains(err.Error(), "danube: ") && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", what, err)
				}
			}
			list, err := a.MetricsAddresses(ctx)
			ours("metrics", err)
			for _, at := range list {
				if u, err := url.Parse(at); err != nil || u.Scheme != "http" || u.Port() == "" || u.User != nil || u.Path != "/metrics" {
					t.Errorf("%q of %q", at, brokers)
				}
			}
			spaces, err := a.Namespaces(ctx)
			ours("namespaces", err)
			if !slices.IsSorted(spaces) || len(slices.Compact(slices.Clone(spaces))) != len(spaces) {
				t.Errorf("namespaces %q", spaces)
			}
			_, err = a.Topics(ctx, "default")
			ours("topics", err)
			d, err := a.DescribeTopic(ctx, "/default/t")
			ours("describe", err)
			if d.Partitions < 0 || !slices.IsSorted(d.Subscriptions) {
				t.Errorf("%+v", d)
			}
			p, err := a.FailurePolicy(ctx, "/default/t", "s")
			ours("policy", err)
			if p.AckTimeout < 0 || p.BaseDelay < 0 || p.MaxDelay < 0 || p.MaxRedeliveries < danube.NoRedelivery {
				t.Errorf("%+v", p)
			}
			ours("unsubscribe", a.Unsubscribe(ctx, "/default/t", "s"))
			ours("unload", a.UnloadTopic(ctx, "/default/t"))
			ours("delete", a.DeleteTopic(ctx, "/default/t"))
			ours("close", a.Close(ctx))
		})
	})
}
