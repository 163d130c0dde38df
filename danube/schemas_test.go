package danube_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

func version(subject string, n uint32) *schemapb.GetSchemaResponse {
	return &schemapb.GetSchemaResponse{SchemaId: 7, Version: n, Subject: subject, SchemaType: "string", SchemaDefinition: []byte(`"String"`), Tags: []string{"a"}, CompatibilityMode: "FULL"}
}

func TestSchemasAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1")
		a := n.at["a:1"]
		latest := uint32(1)
		a.get = func(in *schemapb.GetSchemaRequest) (*schemapb.GetSchemaResponse, error) {
			time.Sleep(slowly)
			if in.GetVersion() > latest {
				return nil, status.Error(codes.NotFound, "Schema not found for ID: 7")
			}
			return version("s", in.GetVersion()), nil
		}
		a.latest = func(*schemapb.GetLatestSchemaRequest) (*schemapb.GetSchemaResponse, error) {
			return version("s", latest), nil
		}
		a.register = func(*schemapb.RegisterSchemaRequest) (*schemapb.RegisterSchemaResponse, error) {
			latest++
			return &schemapb.RegisterSchemaResponse{SchemaId: 7, Version: latest, IsNewVersion: true}, nil
		}
		s := n.client("a:1").Schemas()
		asked := func(what string, want int) {
			t.Helper()
			if got := len(a.questions()); got != want {
				t.Errorf("%s: asked %d times, want %d", what, got, want)
			}
		}
		id := danube.SchemaID{ID: 7, Version: 1}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				info, err := s.Get(t.Context(), id)
				if err != nil || info.ID != id || info.Compatibility != danube.CompatibilityFull {
					t.Errorf("got %+v, %v", info, err)
				}
				info.Tags[0] = "changed" // the caller's own
			})
		}
		all.Wait()
		time.Sleep(24 * time.Hour)
		info, err := s.Get(t.Context(), id)
		n.must(err)
		if info.Tags[0] != "a" {
			t.Error("a caller changed what is cached")
		}
		asked("the same version", 1)

		for range 3 {
			_, err := s.Get(t.Context(), danube.SchemaID{ID: 7, Version: 2})
			n.want(err, danube.ErrNotFound)
		}
		asked("a version that is missing", 1)
		time.Sleep(5 * time.Second)
		_, err = s.Get(t.Context(), danube.SchemaID{ID: 7, Version: 2})
		n.want(err, danube.ErrNotFound)
		asked("a version that is missing, later", 1)

		for range 3 {
			_, err = s.Latest(t.Context(), "s")
			n.must(err)
		}
		asked("the latest", 1)
		latest = 2 // somebody else's
		time.Sleep(29 * time.Second)
		info, err = s.Latest(t.Context(), "s")
		if n.must(err); info.ID.Version != 1 {
			t.Errorf("after 29 s: version %d", info.ID.Version)
		}
		time.Sleep(time.Second)
		info, err = s.Latest(t.Context(), "s")
		if n.must(err); info.ID.Version != 2 {
			t.Errorf("after 30 s: version %d", info.ID.Version)
		}
		asked("the latest, later", 1)

		_, err = s.Get(t.Context(), danube.SchemaID{ID: 7, Version: 3})
		n.want(err, danube.ErrNotFound) // which is forgotten with what follows
		_, _, err = s.Register(t.Context(), "s", danube.SchemaString, "", danube.RegisterOptions{})
		n.must(err)
		info, err = s.Latest(t.Context(), "s")
		if n.must(err); info.ID.Version != 3 {
			t.Errorf("after our own: version %d", info.ID.Version)
		}
		_, err = s.Get(t.Context(), danube.SchemaID{ID: 7, Version: 3})
		n.must(err)
		asked("after our own", 4)
	})
}

// A call goes to the next broker when one is not there, and waits when none can answer.
func TestSchemasRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1", "b:1")
		delete(n.at, "b:1") // is down
		a := n.at["a:1"]
		a.latest = func(*schemapb.GetLatestSchemaRequest) (*schemapb.GetSchemaResponse, error) {
			return version("s", 1), nil
		}
		for range 4 {
			_, err := n.client("b:1", "a:1").Schemas().Latest(n.within(time.Second), "s")
			n.must(err)
		}

		store := failing(5, status.Error(codes.Internal, "Failed to register schema: Timed out waiting for local schema metadata"))
		a.register = func(*schemapb.RegisterSchemaRequest) (*schemapb.RegisterSchemaResponse, error) {
			return &schemapb.RegisterSchemaResponse{SchemaId: 7, Version: 1}, store()
		}
		_, _, err := n.client("a:1").Schemas().Register(n.soon(), "s", danube.SchemaString, "", danube.RegisterOptions{})
		n.must(err)

		// Who gives up hears what it waited for.
		start := time.Now()
		_, err = n.client("b:1").Schemas().Subjects(n.within(time.Minute))
		n.want(err, context.DeadlineExceeded, "list schema subjects", "nobody is at b:1")
		if d := time.Since(start); d != time.Minute {
			t.Errorf("gave up after %v", d)
		}
		store = failing(1000, status.Error(codes.Internal, "Failed to register schema: no leader"))
		_, _, err = n.client("a:1").Schemas().Register(n.within(time.Minute), "s", danube.SchemaString, "", danube.RegisterOptions{})
		n.want(err, context.DeadlineExceeded, "no leader")

		// No broker gets all the questions.
		even := withStubs(t, "c:1", "d:1")
		for _, b := range even.at {
			b.get = func(in *schemapb.GetSchemaRequest) (*schemapb.GetSchemaResponse, error) {
				return version("s", in.GetVersion()), nil
			}
		}
		s := even.client("c:1", "d:1").Schemas()
		for i := range uint32(10) {
			_, err = s.Get(t.Context(), danube.SchemaID{ID: 7, Version: i + 1})
			n.must(err)
		}
		if c, d := len(even.at["c:1"].questions()), len(even.at["d:1"].questions()); c != 5 || d != 5 {
			t.Errorf("of 10 questions %d went to one seed and %d to the other", c, d)
		}

		_, err = n.client("a:1").Schemas().Get(t.Context(), danube.SchemaID{ID: 7, Version: 1})
		n.want(err, danube.ErrInvalid, "left out") // a broker that does not know the call

		c := n.client("a:1")
		n.must(c.Close(t.Context()))
		_, err = c.Schemas().Latest(t.Context(), "s")
		n.want(err, danube.ErrClosed)
	})
}

// Calls about a topic go to the broker that has it loaded, partition by partition.
func TestTopicSchemasGoToTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1", "b:1", "c:1")
		a, b, c := n.at["a:1"], n.at["b:1"], n.at["c:1"]
		a.partitions = []string{"/default/t-part-0", "/default/t-part-1", "/default/t-part-10x"}
		owner := map[string]string{"/default/t-part-0": "b:1", "/default/t-part-1": "c:1"}
		unassigned := failing(2, status.Error(codes.NotFound, "Unable to find the requested topic"))
		a.lookup = func(topic string) (*danubepb.TopicLookupResponse, error) {
			if err := unassigned(); err != nil {
				return nil, err
			}
			return &danubepb.TopicLookupResponse{ResponseType: danubepb.TopicLookupResponse_Redirect, ConnectUrl: "http://" + owner[topic]}, nil
		}
		loading := failing(2, status.Error(codes.NotFound, "Topic '/default/t-part-1' not found on this broker"))
		var got []string
		set := func(in *schemapb.ConfigureTopicSchemaRequest) error {
			got = append(got, fmt.Sprint(in.GetTopicName(), in.GetSchemaSubject(), in.GetValidationPolicy(), in.GetEnablePayloadValidation()))
			return nil
		}
		b.set = set
		c.set = func(in *schemapb.ConfigureTopicSchemaRequest) error {
			if err := loading(); err != nil {
				return err
			}
			return set(in)
		}
		s := n.client("a:1").Schemas()
		n.must(s.ConfigureTopic(n.soon(), "/default/t", danube.TopicSchema{Subject: "s", Policy: danube.ValidateEnforce, ValidatePayload: true}))
		if want := []string{"/default/t-part-0senforcetrue", "/default/t-part-1senforcetrue"}; !slices.Equal(got, want) {
			t.Errorf("configured %v, want %v", got, want)
		}
		if len(a.questions()) != 0 {
			t.Error("the seed was asked, which owns nothing")
		}

		has := func(policy string) func(string) (*schemapb.GetTopicSchemaConfigResponse, error) {
			return func(string) (*schemapb.GetTopicSchemaConfigResponse, error) {
				return &schemapb.GetTopicSchemaConfigResponse{SchemaSubject: "s", ValidationPolicy: policy}, nil
			}
		}
		b.config, c.config = has("warn"), has("warn")
		cfg, err := s.TopicConfig(n.soon(), "/default/t")
		n.must(err)
		if cfg != (danube.TopicSchema{Subject: "s", Policy: danube.ValidateWarn}) {
			t.Errorf("got %+v", cfg)
		}
		c.config = has("none")
		_, err = s.TopicConfig(n.soon(), "/default/t")
		n.want(err, danube.ErrConflict, "/default/t-part-1")

		// A subject that is missing is not a topic that has moved.
		b.set = func(*schemapb.ConfigureTopicSchemaRequest) error {
			return status.Error(codes.NotFound, "Schema subject 's' not found in registry")
		}
		n.want(s.ConfigureTopic(t.Context(), "/default/t", danube.TopicSchema{Subject: "s", Policy: danube.ValidateNone}), danube.ErrNotFound, "Schema subject")

		// A topic that is deleted while its owner is sought is not sought for ever.
		unassigned = failing(1000, status.Error(codes.NotFound, "Unable to find the requested topic"))
		time.AfterFunc(time.Minute, func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.partitions = []string{}
		})
		_, err = s.TopicConfig(t.Context(), "/default/t")
		n.want(err, danube.ErrNotFound, "no such topic")
	})
}

// A producer looks its schema up for every session, and keeps what it had when the
// registry does not know it any more.
func TestProducerSchemaOverSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1")
		a := n.at["a:1"]
		var mu sync.Mutex
		answer := version("s", 1)
		var fails error
		set := func(v *schemapb.GetSchemaResponse, err error) {
			mu.Lock()
			defer mu.Unlock()
			answer, fails = v, err
		}
		a.latest = func(*schemapb.GetLatestSchemaRequest) (*schemapb.GetSchemaResponse, error) {
			mu.Lock()
			defer mu.Unlock()
			return answer, fails
		}
		var sent []string
		lost := false
		a.send = func(m *danubepb.StreamMessage) error {
			mu.Lock()
			defer mu.Unlock()
			if lost {
				lost = false
				return status.Error(codes.NotFound, "The producer with id 1 is not found")
			}
			if m.SchemaId == nil {
				sent = append(sent, "none")
			} else {
				sent = append(sent, fmt.Sprintf("%d/%d", m.GetSchemaId(), m.GetSchemaVersion()))
			}
			return nil
		}
		restart := func() {
			mu.Lock()
			defer mu.Unlock()
			lost = true
		}
		c := n.client("a:1")
		p := n.producer(c, "/default/t", func(cfg *danube.ProducerConfig) { cfg.Schema.Subject = "s" })
		n.send(p, "first")
		set(version("s", 2), nil)
		n.send(p, "same session")
		time.Sleep(time.Minute)
		restart()
		n.send(p, "second session")
		set(nil, status.Error(codes.NotFound, "Schema not found for subject: s"))
		time.Sleep(time.Minute)
		restart()
		n.send(p, "forgotten")
		// A registry that is not there is waited for.
		set(nil, status.Error(codes.Unavailable, "no leader"))
		time.Sleep(time.Minute)
		restart()
		done := make(chan error, 1)
		n.must(p.SendAsync(t.Context(), &danube.Outgoing{Schema: &danube.SchemaID{ID: 9, Version: 9}}, func(_ danube.Receipt, err error) { done <- err }))
		time.Sleep(time.Minute)
		set(version("s", 4), nil)
		n.must(<-done)
		n.send(p, "last")
		q := n.producer(c, "/default/t", func(cfg *danube.ProducerConfig) { cfg.Name = "q" })
		_, err := q.Send(t.Context(), &danube.Outgoing{Schema: &danube.SchemaID{ID: 8, Version: 8}})
		n.must(err)
		n.send(q, "without")
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"7/1", "7/1", "7/2", "7/2", "9/9", "7/4", "8/8", "none"}; !slices.Equal(sent, want) {
			t.Errorf("sent with %v, want %v", sent, want)
		}
		if n.logs.count("not found any more") != 1 {
			t.Error("that the schema was forgotten was not logged once")
		}
		_, err = c.NewProducer(t.Context(), danube.ProducerConfig{Topic: "/default/t", Name: "r", Schema: danube.SchemaRef{Version: 1}})
		n.want(err, danube.ErrInvalid)
	})
}

// The message that says that there is no schema names what was looked for.
func TestProducerSchemaMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withStubs(t, "a:1")
		n.at["a:1"].latest = func(*schemapb.GetLatestSchemaRequest) (*schemapb.GetSchemaResponse, error) {
			return nil, status.Error(codes.NotFound, "Schema not found for subject: orders")
		}
		_, err := n.client("a:1").NewProducer(t.Context(), danube.ProducerConfig{Topic: "/default/t", Name: "p", Schema: danube.SchemaRef{Subject: "orders"}})
		n.want(err, danube.ErrNotFound, "orders")
		var e *danube.Error
		if !errors.As(err, &e) || !strings.Contains(e.Op, "orders") {
			t.Errorf("got %#v", err)
		}
		if calls := n.at["a:1"].called(); slices.Contains(calls, "CreateProducer") {
			t.Errorf("a producer was registered all the same: %v", calls)
		}
	})
}
