package danubetest_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// schemaLab is a lab for schemas. Ids differ from broker to broker, so it knows what
// they are called.
type schemaLab struct {
	*lab
	ctx context.Context
	ids map[string]uint64 // by subject
}

func newSchemaLab(l *lab) *schemaLab {
	return &schemaLab{lab: l, ctx: l.t.Context(), ids: map[string]uint64{}}
}

// exact writes down the code and the whole text of an answer.
func (l *schemaLab) exact(what string, err error) {
	if err == nil {
		l.log("%s: OK", what)
		return
	}
	s := status.Convert(err)
	text := ownWords(s.Message())
	for name, id := range l.ids {
		text = strings.ReplaceAll(text, fmt.Sprintf("=%d ", id), "=ID("+name+") ")
	}
	l.log("%s: %s %q", what, s.Code(), text)
}

// ownWords is a text without what libraries say about what they cannot read.
func ownWords(text string) string {
	for _, cut := range []string{"Avro validation failed", "Invalid JSON data", "JSON Schema validation failed", "Invalid JSON in schema", "Invalid UTF-8 string"} {
		if i := strings.Index(text, cut); i >= 0 {
			return text[:i+len(cut)]
		}
	}
	return text
}

// register registers a schema of a subject of this run.
func (l *schemaLab) register(name, kind, def string) {
	resp, err := l.schemas.RegisterSchema(l.ctx, &schemapb.RegisterSchemaRequest{
		Subject: name + l.run, SchemaType: kind, SchemaDefinition: []byte(def), CreatedBy: "me", Description: "d", Tags: []string{"b", "a"},
	})
	if err != nil {
		l.exact("register "+kind+" "+def, err)
		return
	}
	if l.ids[name] == 0 {
		l.ids[name] = resp.GetSchemaId()
	}
	l.log("register %s %s: version %d, new %t, same id %t, %s", kind, def, resp.GetVersion(), resp.GetIsNewVersion(), resp.GetSchemaId() == l.ids[name], resp.GetFingerprint())
}

// show writes down a version.
func (l *schemaLab) show(what string, r *schemapb.GetSchemaResponse, err error) {
	if err != nil {
		text := status.Convert(err).Message()
		for _, id := range l.ids {
			if strings.HasSuffix(text, fmt.Sprintf("ID: %d", id)) {
				text = strings.TrimSuffix(text, fmt.Sprint(id)) + "ID"
			}
		}
		l.log("%s: %s %q", what, status.Code(err), text)
		return
	}
	fresh := time.Since(time.Unix(int64(r.GetCreatedAt()), 0)) < 10*time.Minute
	l.log("%s: version %d %s %s, %s %v %q, fresh %t, %s", what, r.GetVersion(), r.GetSchemaType(), r.GetSchemaDefinition(),
		r.GetCreatedBy(), r.GetTags(), r.GetDescription(), fresh, r.GetCompatibilityMode())
}

func (l *schemaLab) create(what, topic, subject string) (p *producer) {
	resp, err := l.producers.CreateProducer(l.ctx, &pb.ProducerRequest{
		TopicName: topic, ProducerName: "p", DispatchStrategy: pb.DispatchStrategy_Reliable,
		SchemaRef: &pb.SchemaReference{Subject: subject},
	})
	l.exact(what, err)
	return &producer{s: l.stubs, id: resp.GetProducerId(), topic: topic, name: "p"}
}

// send sends a message with a schema, or without one when that has no name.
func (l *schemaLab) send(p *producer, subject string, version uint32, payload string) {
	m := p.message(payload)
	if subject != "" {
		id := l.ids[subject]
		m.SchemaId, m.SchemaVersion = &id, &version
	}
	_, err := l.producers.SendMessage(l.ctx, m)
	l.exact(fmt.Sprintf("send %q with %q %d", payload, subject, version), err)
}

func (l *schemaLab) config(topic string) {
	c, err := l.schemas.GetTopicSchemaConfig(l.ctx, &schemapb.GetTopicSchemaConfigRequest{TopicName: topic})
	if err != nil {
		l.exact("config", err)
		return
	}
	l.log("config: %q %s %t, id %d", c.GetSchemaSubject(), c.GetValidationPolicy(), c.GetEnablePayloadValidation(), c.GetSchemaId())
}

func (l *schemaLab) configure(topic, subject, policy string, payload bool) {
	r, err := l.schemas.ConfigureTopicSchema(l.ctx, &schemapb.ConfigureTopicSchemaRequest{TopicName: topic, SchemaSubject: subject, ValidationPolicy: policy, EnablePayloadValidation: payload})
	l.exact("configure: "+r.GetMessage(), err)
}

func (l *schemaLab) update(topic, policy string, payload bool) {
	r, err := l.schemas.UpdateTopicValidationPolicy(l.ctx, &schemapb.UpdateTopicValidationPolicyRequest{TopicName: topic, ValidationPolicy: policy, EnablePayloadValidation: payload})
	l.exact("update: "+r.GetMessage(), err)
}

func (l *schemaLab) describe(topic string) {
	d, err := l.topics.DescribeTopic(l.ctx, &adminpb.DescribeTopicRequest{Name: topic})
	must(l.t, err)
	l.log("described %q, id %t, %d %q %q", d.GetSchemaSubject(), d.SchemaId != nil, d.GetSchemaVersion(), d.GetSchemaType(), d.GetCompatibilityMode())
}
