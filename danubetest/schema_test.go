package danubetest_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

func TestArrangeSchemas(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, s *stubs) {
		const a, wider = `{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"string"},"b":{}},"required":["b"]}`
		id, v, err := b.RegisterSchema("orders", "json_schema", a)
		must(t, err)
		again, v1, err := b.RegisterSchema("orders", "json", " "+a)
		must(t, err)
		other, _, err := b.RegisterSchema("names", "string", "")
		must(t, err)
		want(t, "ids", []any{id, v, again, v1, other}, []any{1, 1, 1, 1, 2})
		must(t, b.SetCompatibility("orders", "forward"))
		_, _, err = b.RegisterSchema("orders", "json", wider)
		if err == nil || !strings.Contains(err.Error(), "not compatible") {
			t.Errorf("incompatible: got %v", err)
		}
		must(t, b.SetCompatibility("orders", "none"))
		_, v, err = b.RegisterSchema("orders", "json", wider)
		must(t, err)
		want(t, "version", v, 2)
		_, err = s.schemas.DeleteSchemaVersion(t.Context(), &schemapb.DeleteSchemaVersionRequest{Subject: "orders", Version: 1})
		must(t, err)
		want(t, "schemas", b.Schemas(), []danubetest.SchemaInfo{
			{Subject: "names", ID: 2, Version: 1, Type: "string", Compatibility: "backward"},
			{Subject: "orders", ID: 1, Version: 1, Type: "json_schema", Definition: a, Compatibility: "none", Deleted: true},
			{Subject: "orders", ID: 1, Version: 2, Type: "json_schema", Definition: wider, Compatibility: "none"},
		})
		for what, err := range map[string]error{
			"mode":    b.SetCompatibility("orders", "transitive"),
			"subject": b.SetCompatibility("nobody", "none"),
			"topic":   b.SetTopicSchema("/default/none", danubetest.TopicSchema{Subject: "orders"}),
			"policy":  b.SetTopicSchema(topic, danubetest.TopicSchema{Subject: "orders", Policy: 7}),
			"missing": b.SetTopicSchema(topic, danubetest.TopicSchema{Subject: "nobody"}),
		} {
			if err == nil {
				t.Errorf("a bad %s: no error", what)
			}
		}

		// What is configured outlives the broker, and what a producer has chosen does not.
		demand := danubetest.TopicSchema{Subject: "orders", Policy: danubetest.SchemaEnforce, CheckPayload: true}
		must(t, b.SetTopicSchema(topic, demand))
		_, err = s.producers.CreateProducer(t.Context(), &pb.ProducerRequest{TopicName: "/default/t", ProducerName: "p", DispatchStrategy: 1, SchemaRef: &pb.SchemaReference{Subject: "names"}})
		must(t, err)
		wantStatus(t, s.producer(topic, "p").trySend("{}"), codes.PermissionDenied, "Message missing schema_id")
		schemas := func() (list []danubetest.TopicSchema) {
			for _, i := range b.Topics() {
				list = append(list, i.Schema)
			}
			return list
		}
		want(t, "demands", schemas(), []danubetest.TopicSchema{demand, {Subject: "names"}})
		b.Stop()
		must(t, b.Start())
		want(t, "demands after a restart", schemas(), []danubetest.TopicSchema{demand, {}})
		_, err = b.Publish(topic, []byte("{}"), danubetest.PubOpts{SchemaID: 1, SchemaVersion: 2})
		must(t, err)
		m := b.Messages(topic)[0]
		want(t, "message", []any{m.SchemaID, m.SchemaVersion}, []any{1, 2})
		if d := b.Dump(); !strings.Contains(d, `schema "orders", policy enforce, payloads checked true`) || !strings.Contains(d, "schema orders, json_schema, 2 versions, compatibility none") {
			t.Errorf("dump: %s", d)
		}
	}, danubetest.WithTopic(topic, danubetest.TopicConfig{}), danubetest.WithTopic("/default/t", danubetest.TopicConfig{}))
}

// Requests about a topic's schema go to the broker that has it, and faults find them.
func TestSchemaServiceOfOneBroker(t *testing.T) {
	bubble(t, func(t *testing.T, b *danubetest.Broker, _ *stubs) {
		_, _, err := b.RegisterSchema("s", "string", "")
		must(t, err)
		b.Fault(danubetest.Fault{Methods: []danubetest.Method{danubetest.MethodGetLatestSchema}, When: func(c danubetest.Call) bool { return c.Subject == "s" }})
		for i, url := range b.URLs() {
			conn, err := b.DialURL(url)
			must(t, err)
			defer conn.Close()
			r := schemapb.NewSchemaRegistryClient(conn)
			_, err = r.GetTopicSchemaConfig(t.Context(), &schemapb.GetTopicSchemaConfigRequest{TopicName: topic})
			want(t, "config", code(err), []codes.Code{codes.OK, codes.NotFound}[i])
			_, err = r.GetLatestSchema(t.Context(), &schemapb.GetLatestSchemaRequest{Subject: "s"})
			want(t, "latest", code(err), []codes.Code{codes.Unavailable, codes.OK}[i])
		}
	}, danubetest.WithBrokers(2), danubetest.WithTopic(topic, danubetest.TopicConfig{}))
}
