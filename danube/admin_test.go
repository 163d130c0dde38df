package danube_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

func topicsOf(names ...string) func(string) ([]string, error) {
	return func(string) ([]string, error) { return names, nil }
}

// Only the owner of a topic can delete its subscriptions. It is asked at the address
// that it registered, and where that is of no use the configured ones are.
func TestUnsubscribeGoesToTheOwner(t *testing.T) {
	const active = "Unable to unsubscribe the subscription s due to error: Unable to unsubscribe as the subscription s has active consumers"
	for _, tt := range []struct {
		name     string
		owner    string // how the owner registered
		addrs    []string
		want     []string // who was asked
		conflict bool
	}{
		{"by its registered address", "https://b:1", []string{"a:1"}, []string{"b:1"}, false},
		{"bound to all addresses", "http://0.0.0.0:2", []string{"a:1"}, []string{"a:2"}, false},
		{"by the configured ones", "http://10.0.0.7:1", []string{"a:1", "b:1"}, []string{"a:1", "b:1"}, false},
		{"not at all", "http://10.0.0.7:1", []string{"a:1"}, []string{"a:1"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := withStubs(t, "a:1", "b:1", "a:2")
				for addr, s := range n.at {
					s.namespaces.topics = topicsOf("default/t")
					s.topics.describe = func(name string) (*adminpb.DescribeTopicResponse, error) {
						return &adminpb.DescribeTopicResponse{Name: name, BrokerId: "2", Subscriptions: []string{"s", "s"}}, nil
					}
					s.brokers.list = func() ([]*adminpb.BrokerInfo, error) {
						return []*adminpb.BrokerInfo{{BrokerId: "1", AdminAddr: "http://a:1"}, {BrokerId: "2", AdminAddr: tt.owner}}, nil
					}
					owns := addr == tt.want[len(tt.want)-1] && !tt.conflict
					s.topics.unsubscribe = func(*adminpb.SubscriptionRequest) error {
						if owns {
							return nil
						}
						return status.Error(codes.NotFound, active)
					}
				}
				a := n.administer(tt.addrs...)
				err := a.Unsubscribe(n.soon(), "/default/t", "s")
				if tt.conflict {
					n.want(err, danube.ErrConflict, "active consumers")
				} else {
					n.must(err)
				}
				var asked []string
				for _, addr := range []string{"a:1", "a:2", "b:1"} {
					if len(n.at[addr].questions()) > 0 {
						asked = append(asked, addr)
					}
				}
				if !slices.Equal(asked, tt.want) {
					t.Errorf("asked %v, want %v", asked, tt.want)
				}
			})
		})
	}
}

func TestAdminRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1", "b:1")
		delete(n.at, "b:1")
		a := n.at["a:1"]
		store := failing(3, status.Error(codes.NotFound, "Unable to create the topic /default/t due to code: 'Internal error', message: \"The broker unable to post the topic to metadata store, due to error: no leader\""))
		var got *adminpb.NewTopicRequest
		a.topics.create = func(in *adminpb.NewTopicRequest) (*adminpb.TopicResponse, error) {
			got = in
			return &adminpb.TopicResponse{Success: true}, store()
		}
		adm := n.administer("b:1", "a:1")
		n.must(adm.CreateTopic(n.soon(), "/default/t", danube.TopicOptions{SchemaSubject: "s"}))
		if got.GetDispatchStrategy() != adminpb.DispatchStrategy_Reliable || got.GetSchemaSubject() != "s" {
			t.Errorf("sent %v", got)
		}
		n.must(adm.CreateTopic(n.soon(), "/default/t", danube.TopicOptions{Dispatch: danube.NonReliable}))
		if got.GetDispatchStrategy() != adminpb.DispatchStrategy_NonReliable || got.SchemaSubject != nil {
			t.Errorf("sent %v", got)
		}
		a.questions()
		a.topics.create = func(*adminpb.NewTopicRequest) (*adminpb.TopicResponse, error) { return &adminpb.TopicResponse{}, nil }
		if err := adm.CreateTopic(n.soon(), "/default/t", danube.TopicOptions{}); err == nil {
			t.Error("an answer that it did not succeed is a success")
		}
		if asked := a.questions(); len(asked) != 1 {
			t.Errorf("asked again after an answer: %v", asked)
		}
		_, err := adm.Brokers(t.Context())
		n.want(err, danube.ErrUnsupported)
		_, err = n.administer("b:1").Brokers(n.within(time.Minute))
		n.want(err, context.DeadlineExceeded, "list brokers", "nobody is at b:1")
	})
}

// A topic whose name another topic's begins with is not deleted, since the broker
// would take the other's partitions with it.
func TestDeleteTopicLooksFirst(t *testing.T) {
	for _, tt := range []struct {
		name   string
		topics []string
		want   error
		say    string
	}{
		{"plain", []string{"default/orders", "default/other"}, nil, ""},
		{"its own partitions", []string{"default/orders-part-0", "default/orders-part-1"}, nil, ""},
		{"a longer name without partitions", []string{"default/orders", "default/orders-eu"}, nil, ""},
		{"a longer name with partitions", []string{"default/orders", "default/orders-eu-part-0"}, danube.ErrConflict, "/default/orders-eu-part-0"},
		{"both with partitions", []string{"default/orders-part-0", "default/orders2-part-0"}, danube.ErrConflict, "/default/orders2-part-0"},
		{"partitions that are none", []string{"default/orders", "default/orders-part-x"}, danube.ErrConflict, "orders-part-x"},
		{"only the longer name", []string{"default/orders-eu"}, danube.ErrNotFound, "no such topic"},
		{"another namespace", []string{"default2/orders"}, danube.ErrNotFound, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := withStubs(t, "a:1")
				a := n.at["a:1"]
				a.namespaces.topics = topicsOf(tt.topics...)
				err := n.administer("a:1").DeleteTopic(n.soon(), "/default/orders")
				if tt.want == nil {
					n.must(err)
				} else {
					n.want(err, tt.want, tt.say)
				}
				if asked := a.questions(); (len(asked) == 1) != (tt.want == nil) {
					t.Errorf("asked to %v", asked)
				}
			})
		})
	}
}

// Who may manage one topic but not list a namespace can still do so.
func TestAdminWithoutLeaveToList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1")
		a := n.at["a:1"]
		a.namespaces.topics = func(string) ([]string, error) {
			return nil, status.Error(codes.PermissionDenied, "no binding grants ManageNamespace")
		}
		a.brokers.list = func() ([]*adminpb.BrokerInfo, error) {
			return nil, status.Error(codes.PermissionDenied, "no binding grants ManageBroker")
		}
		a.topics.describe = func(name string) (*adminpb.DescribeTopicResponse, error) {
			return &adminpb.DescribeTopicResponse{Name: name, BrokerId: "1", Delivery: "Reliable", Subscriptions: []string{"t", "s", "t"}}, nil
		}
		var unsubscribed atomic.Int32
		a.topics.unsubscribe = func(*adminpb.SubscriptionRequest) error {
			unsubscribed.Add(1)
			return nil
		}
		adm := n.administer("a:1")
		d, err := adm.DescribeTopic(t.Context(), "/default/t")
		n.must(err)
		if !slices.Equal(d.Subscriptions, []string{"s", "t"}) || !slices.Equal(d.Brokers, []string{"1"}) || d.Partitions != 0 || d.Dispatch != danube.Reliable {
			t.Errorf("described as %+v", d)
		}
		n.must(adm.Unsubscribe(t.Context(), "/default/t", "s"))
		if unsubscribed.Load() != 1 {
			t.Error("not unsubscribed")
		}
		n.must(adm.DeleteTopic(t.Context(), "/default/t"))
		_, err = adm.Brokers(t.Context())
		if !errors.Is(err, danube.ErrPermission) {
			t.Errorf("got %v", err)
		}
	})
}

// The brokers' word on their metrics, made reachable.
func TestAdminMetricsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1")
		n.at["a:1"].brokers.list = func() ([]*adminpb.BrokerInfo, error) {
			return []*adminpb.BrokerInfo{
				{BrokerId: "1", BrokerAddr: "http://b1:6650", MetricsAddr: "0.0.0.0:9040"},
				{BrokerId: "2", BrokerAddr: "http://b2:6650", MetricsAddr: "10.0.0.2:9040"},
				{BrokerId: "3", BrokerAddr: "http://b3:6650"},
				{BrokerId: "4", BrokerAddr: "nonsense", MetricsAddr: "[::1]:9040"},
			}, nil
		}
		got, err := n.administer("http://a:1").MetricsAddresses(t.Context())
		n.must(err)
		if want := []string{"http://10.0.0.2:9040/metrics", "http://[::1]:9040/metrics", "http://b1:9040/metrics"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
