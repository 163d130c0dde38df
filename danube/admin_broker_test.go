package danube_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// admin opens an Admin of the lab's broker.
func (l *lab) admin() *danube.Admin {
	l.Helper()
	url := os.Getenv("DANUBE_ADMIN_URL")
	if l.broker != nil {
		url = l.url // it has one port for everything
	}
	if url == "" {
		l.Skip("DANUBE_ADMIN_URL is not set: not run against a real broker")
	}
	a, err := danube.OpenAdmin(danube.AdminConfig{Addresses: []string{url}, DialOptions: l.dial})
	l.must(err)
	l.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			l.Logf("closing the admin client: %v", err)
		}
	})
	return a
}

// eventually repeats a step that the broker gets to a little later.
func (l *lab) eventually(step func() error) {
	l.Helper()
	ctx := l.soon()
	for {
		err := step()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			l.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestAdminTopics(t *testing.T) {
	onBoth(t, func(l *lab) {
		a := l.admin()
		topic := l.topic()
		l.want(a.CreateTopic(l.soon(), "/no_such_namespace_"+topic[9:]+"/t", danube.TopicOptions{}), danube.ErrNotFound)
		l.must(a.CreateTopic(l.soon(), topic, danube.TopicOptions{}))
		l.want(a.CreateTopic(l.soon(), topic, danube.TopicOptions{}), danube.ErrExists)
		l.want(a.CreatePartitionedTopic(l.soon(), topic, 2, danube.TopicOptions{}), danube.ErrConflict)

		d, err := a.DescribeTopic(l.soon(), topic)
		l.must(err)
		if d.Name != topic || d.Partitions != 0 || len(d.Brokers) != 1 || d.Dispatch != danube.Reliable || len(d.Subscriptions) != 0 || d.SchemaSubject != "" {
			l.Errorf("described as %+v", d)
		}
		_, err = a.DescribeTopic(l.soon(), topic+"0")
		l.want(err, danube.ErrNotFound)
		_, err = a.DescribeTopic(l.soon(), topic[:len(topic)-1])
		l.want(err, danube.ErrNotFound)

		parts := l.topic()
		l.must(a.CreatePartitionedTopic(l.soon(), parts, 3, danube.TopicOptions{Dispatch: danube.NonReliable}))
		l.want(a.CreatePartitionedTopic(l.soon(), parts, 3, danube.TopicOptions{}), danube.ErrExists)
		l.want(a.CreateTopic(l.soon(), parts, danube.TopicOptions{}), danube.ErrConflict)
		d, err = a.DescribeTopic(l.soon(), parts)
		l.must(err)
		if d.Partitions != 3 || len(d.Brokers) != 3 || d.Dispatch != danube.NonReliable {
			l.Errorf("described as %+v", d)
		}

		all, err := a.Topics(l.soon(), "default")
		l.must(err)
		var ours []danube.TopicInfo
		for _, i := range all {
			if i.Name == topic || strings.HasPrefix(i.Name, parts) {
				i.Broker = ""
				ours = append(ours, i)
			}
		}
		want := []danube.TopicInfo{{Name: topic, Dispatch: danube.Reliable}}
		for i := range 3 {
			want = append(want, danube.TopicInfo{Name: fmt.Sprintf("%s-part-%d", parts, i), Dispatch: danube.NonReliable})
		}
		if !slices.Equal(ours, want) {
			l.Errorf("listed %v, want %v", ours, want)
		}

		l.eventually(func() error { return a.DeleteTopic(l.soon(), parts) })
		l.eventually(func() error { return a.DeleteTopic(l.soon(), topic) })
		for _, gone := range []string{topic, parts} {
			l.want(a.DeleteTopic(l.soon(), gone), danube.ErrNotFound)
			_, err = a.DescribeTopic(l.soon(), gone)
			l.want(err, danube.ErrNotFound)
		}
	})
}

// The broker deletes the partitions of every topic whose name begins with the one
// that is deleted; the client does not let it.
func TestAdminDeletesOnlyWhatIsMeant(t *testing.T) {
	onBoth(t, func(l *lab) {
		a := l.admin()
		topic := l.topic()
		longer := topic + "_eu"
		l.must(a.CreateTopic(l.soon(), topic, danube.TopicOptions{}))
		l.must(a.CreatePartitionedTopic(l.soon(), longer, 2, danube.TopicOptions{}))
		l.want(a.DeleteTopic(l.soon(), topic), danube.ErrConflict, longer+"-part-0")
		if _, err := a.DescribeTopic(l.soon(), longer); err != nil {
			l.Error(err)
		}
		l.eventually(func() error { return a.DeleteTopic(l.soon(), longer) })
		l.eventually(func() error { return a.DeleteTopic(l.soon(), topic) })
	})
}

func TestAdminSubscriptions(t *testing.T) {
	onBoth(t, func(l *lab) {
		a, c := l.admin(), l.open()
		topic := l.topic()
		l.must(a.CreatePartitionedTopic(l.soon(), topic, 2, danube.TopicOptions{}))
		_, err := a.FailurePolicy(l.soon(), topic, "s")
		l.want(err, danube.ErrNotFound, "s")

		// One that rejects nothing and comes again at once shows that it is in force.
		set := danube.FailurePolicy{MaxRedeliveries: 1, BaseDelay: 10 * time.Millisecond, MaxDelay: time.Second, Backoff: danube.Fixed, Poison: danube.Drop}
		l.must(a.SetFailurePolicy(l.soon(), topic, "s", set))
		set.AckTimeout = 30 * time.Second
		got, err := a.FailurePolicy(l.soon(), topic, "s")
		l.must(err)
		if got != set {
			l.Errorf("stored %+v, want %+v", got, set)
		}

		con := l.consumer(c, topic, func(cfg *danube.ConsumerConfig) { cfg.CreateTopic = false })
		subs, err := a.Subscriptions(l.soon(), topic)
		l.must(err)
		if !slices.Equal(subs, []string{"s"}) {
			l.Errorf("subscriptions %v, want s once", subs)
		}
		l.want(a.Unsubscribe(l.soon(), topic, "s"), danube.ErrConflict)
		l.want(a.Unsubscribe(l.soon(), topic, "other"), danube.ErrNotFound)
		l.want(a.Unsubscribe(l.soon(), topic+"0", "s"), danube.ErrNotFound)
		l.must(con.Close(l.soon()))
		l.eventually(func() error {
			err := a.Unsubscribe(l.soon(), topic, "s")
			if errors.Is(err, danube.ErrNotFound) {
				return nil // a call before did the last of it
			}
			return err
		})
		subs, err = a.Subscriptions(l.soon(), topic)
		l.must(err)
		if len(subs) != 0 {
			l.Errorf("subscriptions %v after the last was deleted", subs)
		}

		plain := l.topic()
		l.must(a.CreateTopic(l.soon(), plain, danube.TopicOptions{Dispatch: danube.NonReliable}))
		l.want(a.SetFailurePolicy(l.soon(), plain, "s", danube.FailurePolicy{}), danube.ErrConflict)
		l.want(a.SetFailurePolicy(l.soon(), plain+"0", "s", danube.FailurePolicy{}), danube.ErrNotFound)

		dead := "/default/dlq_" + strings.TrimPrefix(topic, "/default/")
		set = danube.FailurePolicy{MaxRedeliveries: danube.NoRedelivery, AckTimeout: time.Minute, BaseDelay: 2 * time.Minute, MaxDelay: 2 * time.Minute, Poison: danube.DeadLetter, DeadLetterTopic: dead}
		l.must(a.SetFailurePolicy(l.soon(), topic, "t", danube.FailurePolicy{MaxRedeliveries: danube.NoRedelivery, AckTimeout: time.Minute, BaseDelay: 2 * time.Minute, Poison: danube.DeadLetter, DeadLetterTopic: dead}))
		got, err = a.FailurePolicy(l.soon(), topic, "t")
		l.must(err)
		if got != set {
			l.Errorf("stored %+v, want %+v", got, set)
		}
	})
}

func TestAdminNamespaces(t *testing.T) {
	onBoth(t, func(l *lab) {
		a := l.admin()
		ns := strings.TrimPrefix(l.topic(), "/default/")
		l.must(a.CreateNamespace(l.soon(), ns))
		l.want(a.CreateNamespace(l.soon(), ns), danube.ErrExists)
		topic := "/" + ns + "/t"
		l.must(a.CreateTopic(l.soon(), topic, danube.TopicOptions{}))
		all, err := a.Namespaces(l.soon())
		l.must(err)
		if !slices.Contains(all, ns) || !slices.Contains(all, "default") || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
			l.Errorf("namespaces %v, want each once, and %s", all, ns)
		}
		l.want(a.DeleteNamespace(l.soon(), ns), danube.ErrConflict)
		list, err := a.Topics(l.soon(), ns[:len(ns)-1])
		l.must(err)
		if len(list) != 0 {
			l.Errorf("a namespace that does not exist has %v", list)
		}
		l.eventually(func() error { return a.DeleteTopic(l.soon(), topic) })
		l.must(a.DeleteNamespace(l.soon(), ns))
		l.want(a.DeleteNamespace(l.soon(), ns), danube.ErrNotFound)
	})
}

// One broker has nobody to hand a topic to.
func TestAdminUnload(t *testing.T) {
	onBoth(t, func(l *lab) {
		a := l.admin()
		brokers, err := a.Brokers(l.soon())
		l.must(err)
		if len(brokers) == 0 || brokers[0].ID == "" || brokers[0].Address == "" || brokers[0].AdminAddress == "" || brokers[0].Status != "active" {
			l.Fatalf("brokers: %+v", brokers)
		}
		l.Logf("%+v", brokers)
		topic := l.topic()
		l.must(a.CreateTopic(l.soon(), topic, danube.TopicOptions{}))
		l.want(a.UnloadTopic(l.soon(), topic+"0"), danube.ErrNotFound)
		if len(brokers) > 1 {
			l.Skip("the cluster has several brokers: unloading works")
		}
		l.want(a.UnloadTopic(l.soon(), topic), danube.ErrUnsupported, "2 brokers")
	})
}
