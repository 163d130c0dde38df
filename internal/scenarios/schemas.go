package scenarios

import (
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

const (
	orderV1 = `{"type":"record","name":"order","fields":[{"name":"id","type":"string"}]}`
	orderV2 = `{"type":"record","name":"order","fields":[{"name":"id","type":"string"},{"name":"n","type":"int","default":0}]}`
	orderV3 = `{"type":"record","name":"order","fields":[{"name":"id","type":"string"},{"name":"must","type":"int"}]}`
)

// register registers a version and writes how that went.
func (l *Lab) register(what, subject string, t danube.SchemaType, definition string) danube.SchemaInfo {
	info, isNew, err := l.Client().Schemas().Register(l.Soon(), subject, t, definition, danube.RegisterOptions{})
	if err != nil {
		l.Err(what, err)
	} else {
		l.Log("%s: version %d, new %t", what, info.ID.Version, isNew)
	}
	return info
}

// withSchema has a producer write with the latest version of a subject.
func withSchema(subject string) func(*danube.ProducerConfig) {
	return func(c *danube.ProducerConfig) { c.Schema = danube.SchemaRef{Subject: subject} }
}

// schemas is the registry, and topics that keep to it.
var schemas = []Scenario{
	{"schema-versions", OneNode, func(l *Lab) {
		r, subject := l.Client().Schemas(), l.Name("order")
		first := l.register("the first", subject, danube.SchemaAvro, orderV1)
		again := l.register("the same again", subject, danube.SchemaAvro, orderV1)
		second := l.register("one that reads the first", subject, danube.SchemaAvro, orderV2)
		l.register("one that does not", subject, danube.SchemaAvro, orderV3)
		l.register("of another type", subject, danube.SchemaJSON, `{"type":"object"}`)
		l.register("what cannot be read", l.Name("broken"), danube.SchemaAvro, `{"type":`)
		l.Log("one id: %t %t", first.ID.ID == again.ID.ID, first.ID.ID == second.ID.ID)
		latest, err := r.Latest(l.Soon(), subject)
		l.Must("latest", err)
		l.Log("latest: version %d, %s, %s, the text as it was %t", latest.ID.Version, latest.Type, latest.Compatibility, latest.Definition == orderV2)
		old, err := r.Get(l.Soon(), first.ID)
		l.Must("get", err)
		l.Log("the first: version %d, the text as it was %t", old.ID.Version, old.Definition == orderV1)
		list, err := r.Versions(l.Soon(), subject)
		l.Must("versions", err)
		l.Log("%d versions", len(list))
		_, err = r.Get(l.Soon(), danube.SchemaID{ID: first.ID.ID, Version: 9})
		l.Err("a version that is not there", err)
		_, err = r.Latest(l.Soon(), l.Name("absent"))
		l.Err("a subject that is not there", err)
		_, err = r.Versions(l.Soon(), l.Name("absent"))
		l.Err("its versions", err)
	}},

	{"schema-compatibility", OneNode, func(l *Lab) {
		r, subject := l.Client().Schemas(), l.Name("order")
		l.register("the first", subject, danube.SchemaAvro, orderV1)
		for _, mode := range []danube.Compatibility{"", danube.CompatibilityNone, danube.CompatibilityBackward, danube.CompatibilityForward, danube.CompatibilityFull} {
			res, err := r.CheckCompatibility(l.Soon(), subject, danube.SchemaAvro, orderV3, mode)
			l.Must("check", err)
			l.Log("one field more, mode %q: compatible %t, problems %t", mode, res.Compatible, len(res.Problems) > 0)
		}
		l.Err("set the mode", r.SetCompatibility(l.Soon(), subject, danube.CompatibilityNone))
		l.register("now it is taken", subject, danube.SchemaAvro, orderV3)
		l.Err("set it where there is no subject", r.SetCompatibility(l.Soon(), l.Name("absent"), danube.CompatibilityNone))
		l.Err("delete a version", r.DeleteVersion(l.Soon(), subject, 2))
		latest, err := r.Latest(l.Soon(), subject)
		if err != nil {
			l.Err("the latest", err)
			return
		}
		l.Log("the latest is still version %d", latest.ID.Version)
	}},

	{"schema-of-a-producer", OneNode, func(l *Lab) {
		topic, subject, other := l.Topic("a"), l.Name("text"), l.Name("other")
		info := l.register("subject", subject, danube.SchemaString, "")
		l.register("another", other, danube.SchemaString, "")
		p := l.Producer(topic, "p", withSchema(subject))
		c := l.Consumer(topic, "s", "c")
		p.Send("x")
		m := c.Work(1)[0]
		l.Log("received with its id: %t", m.Schema != nil && *m.Schema == info.ID)
		_, err := l.TryProducer(l.Within(3*time.Second), topic, "q", withSchema(other))
		l.Err("a producer of another subject", err)
		_, err = l.TryProducer(l.Within(3*time.Second), topic, "q", withSchema(l.Name("absent")))
		l.Err("of one that is not there", err)
		q := l.Producer(topic, "q")
		l.Err("a message without a schema", q.Try(time.Minute, &danube.Outgoing{Payload: []byte("y")}))
	}},

	{"schema-enforced", OneNode, func(l *Lab) {
		topic, subject, other := l.Topic("a"), l.Name("text"), l.Name("other")
		l.register("subject", subject, danube.SchemaString, "")
		foreign := l.register("another", other, danube.SchemaString, "")
		p := l.Producer(topic, "p", withSchema(subject))
		q := l.Producer(topic, "q")
		c := l.Consumer(topic, "s", "c")
		r := l.Client().Schemas()
		l.Err("enforce", r.ConfigureTopic(l.Soon(), topic, danube.TopicSchema{Subject: subject, Policy: danube.ValidateEnforce, ValidatePayload: true}))
		cfg, err := r.TopicConfig(l.Soon(), topic)
		l.Must("read the configuration", err)
		l.Log("%s, payloads %t", cfg.Policy, cfg.ValidatePayload)
		l.Err("with the schema", p.Try(time.Minute, &danube.Outgoing{Payload: []byte("good")}))
		l.Err("that it does not keep to", p.Try(time.Minute, &danube.Outgoing{Payload: []byte{255, 254}}))
		l.Err("without a schema", q.Try(time.Minute, &danube.Outgoing{Payload: []byte("bare")}))
		l.Err("with another's", p.Try(time.Minute, &danube.Outgoing{Payload: []byte("other"), Schema: &foreign.ID}))
		l.Err("with one that is not there", p.Try(time.Minute, &danube.Outgoing{Payload: []byte("none"), Schema: &danube.SchemaID{ID: 1 << 40, Version: 1}}))
		l.Err("warn only", r.UpdateTopicPolicy(l.Soon(), topic, danube.ValidateWarn, false))
		l.Err("without a schema", q.Try(time.Minute, &danube.Outgoing{Payload: []byte("bare2")}))
		l.Log("%s", payloads(c.WorkRest(2*time.Second)))
	}},
}
