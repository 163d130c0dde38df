package scenarios

import (
	"slices"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// governing is the admin port.
var governing = []Scenario{
	{"topics", OneNode, func(l *Lab) {
		a, topic := l.Admin(), l.Topic("a")
		l.Err("create", a.CreateTopic(l.Soon(), topic, danube.TopicOptions{}))
		l.Err("create again", a.CreateTopic(l.Soon(), topic, danube.TopicOptions{}))
		l.Err("without a namespace", a.CreateTopic(l.Soon(), "/"+l.Name("nowhere")+"/a", danube.TopicOptions{}))
		_, err := a.DescribeTopic(l.Soon(), l.Topic("absent"))
		l.Err("describe what is not there", err)
		l.Consumer(topic, "s", "c")
		l.Consumer(topic, "t", "c")
		d, err := a.DescribeTopic(l.Soon(), topic)
		l.Must("describe", err)
		l.Log("%s: %d partitions, %d broker, reliable %t, subscriptions %v", d.Name, d.Partitions, len(d.Brokers), d.Dispatch == danube.Reliable, d.Subscriptions)
		list, err := a.Topics(l.Soon(), "default")
		l.Must("list", err)
		l.Log("listed: %t", slices.ContainsFunc(list, func(t danube.TopicInfo) bool { return t.Name == topic && t.Dispatch == danube.Reliable }))
		loose := l.Topic("b")
		l.Err("create a loose one", a.CreateTopic(l.Soon(), loose, danube.TopicOptions{Dispatch: danube.NonReliable}))
		_, err = l.TryProducer(l.Within(5*time.Second), loose, "p")
		l.Err("a reliable producer of it", err)
		l.Producer(loose, "p", nonReliable)
		_, err = l.TryProducer(l.Within(5*time.Second), topic, "p", nonReliable)
		l.Err("a loose producer of the reliable one", err)
	}},

	{"delete-topic", OneNode, func(l *Lab) {
		a, topic := l.Admin(), l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Log("%s", payloads(c.Work(1)))
		raw := l.Raw(l.Owner(topic))
		pid, err := raw.CreateProducer(topic, "raw")
		l.Must("create producer", err)
		cid, err := raw.Subscribe(topic, "t", "raw", 0)
		l.Must("subscribe", err)
		st := raw.Open(cid)
		acked, err := raw.Subscribe(topic, "u", "raw", 0)
		l.Must("subscribe", err)
		other := raw.Open(acked)
		p.Send("1")
		l.Log("%s %s %s", payloads(c.Work(1)), ranges(st.Next(1)), ranges(other.Next(1)))
		l.Err("ack", raw.Ack(topic, "u", 1))
		parked, err := raw.Subscribe(topic, "v", "raw", 0) // behind the end of a topic that is not empty
		l.Must("subscribe", err)
		silent := raw.Open(parked)
		l.Pass(2 * time.Second)
		l.Err("close", p.Close(l.Soon()))
		l.Err("delete", a.DeleteTopic(l.Soon(), topic))
		l.Err("delete again", a.DeleteTopic(l.Soon(), topic))
		l.Log("streams: %s, %s, of a parked dispatcher: %s", st.End(), other.End(), silent.End())
		l.Err("send", raw.Send(topic, pid, "1"))
		l.Err("ack", raw.Ack(topic, "s", 0))
		l.Log("health %s %s", raw.Check(0, pid), raw.Check(1, cid))
		_, how := l.lookup(0, topic)
		l.Log("lookup: %s", how)
		l.Pass(3 * time.Second)
		l.Log("sessions: %s", &c.Sessions)
	}},

	{"unsubscribe", OneNode, func(l *Lab) {
		a, topic := l.Admin(), l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		c.Take(1)
		l.Err("while it is there", a.Unsubscribe(l.Soon(), topic, "s"))
		c.Leave()
		l.Err("after it has left", a.Unsubscribe(l.Soon(), topic, "s"))
		l.Err("again", a.Unsubscribe(l.Soon(), topic, "s"))
		d := l.Consumer(topic, "s", "d")
		d.Quiet("another name", 2*time.Second)
		p.Send("1")
		l.Log("then %s", payloads(d.Work(1)))
	}},

	{"unload-on-one-node", OneNode, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		l.Err("unload", l.Admin().UnloadTopic(l.Soon(), topic))
		l.Err("unload what is not there", l.Admin().UnloadTopic(l.Soon(), l.Topic("b")))
	}},

	{"namespaces", OneNode, func(l *Lab) {
		a, name := l.Admin(), l.Name("ns")
		l.Err("create", a.CreateNamespace(l.Soon(), name))
		l.Err("create again", a.CreateNamespace(l.Soon(), name))
		list, err := a.Namespaces(l.Soon())
		l.Must("list", err)
		l.Log("default %t, system %t, the new one %t", slices.Contains(list, "default"), slices.Contains(list, "system"), slices.Contains(list, name))
		topic := "/" + name + "/a"
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0")
		l.Log("%s", payloads(c.Work(1)))
		l.Err("delete with a topic in it", a.DeleteNamespace(l.Soon(), name))
		empty := l.Name("empty")
		l.Must("create", a.CreateNamespace(l.Soon(), empty))
		l.Err("delete an empty one", a.DeleteNamespace(l.Soon(), empty))
		l.Err("delete it again", a.DeleteNamespace(l.Soon(), empty))
	}},

	{"brokers", OneNode, func(l *Lab) {
		list, err := l.Admin().Brokers(l.Soon())
		l.Must("list", err)
		for _, b := range list {
			l.Log("role %s, status %s", b.Role, b.Status)
		}
	}},
}
