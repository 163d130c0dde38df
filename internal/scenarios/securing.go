package scenarios

import (
	"context"
	"crypto/tls"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// securing is TLS, and tokens.
var securing = []Scenario{
	{"tls", Secured, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		c := l.Consumer(topic, "s", "c")
		p.Send("0", "1")
		l.Log("%s", payloads(c.Work(2)))
		l.Err("admin", func() error { _, err := l.Admin().DescribeTopic(l.Soon(), topic); return err }())
		_, err := l.NewClient(func(c *danube.Config) { c.TLS.Config = &tls.Config{MinVersion: tls.VersionTLS12} }).
			NewProducer(l.Within(3*time.Second), danube.ProducerConfig{Topic: topic, Name: "q"})
		l.Err("who trusts others", err)
		_, err = l.NewClient(func(c *danube.Config) {
			c.Seeds, c.TLS, c.AllowInsecureToken = []string{"http://" + hostport(c.Seeds[0])}, danube.TLSConfig{}, true
		}).NewProducer(l.Within(3*time.Second), danube.ProducerConfig{Topic: topic, Name: "q"})
		l.Err("who speaks in plain text", err)
	}},

	{"no-token", Secured, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		l.every(l.RawAs(0, ""), topic)
		client := l.NewClient(func(c *danube.Config) { c.Token = danube.Token{} })
		_, err := client.NewProducer(l.Soon(), danube.ProducerConfig{Topic: topic, Name: "q"})
		l.Err("the client's producer", err)
		_, err = client.NewConsumer(l.Soon(), danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "c"})
		l.Err("the client's consumer", err)
	}},

	{"bad-tokens", Secured, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		soon := time.Now().Add(time.Hour)
		without := func(claim string) string {
			claims := realbroker.Claims(root, soon)
			delete(claims, claim)
			return realbroker.Sign(secret, "HS256", claims)
		}
		with := func(claim string, value any) string {
			claims := realbroker.Claims(root, soon)
			claims[claim] = value
			return realbroker.Sign(secret, "HS256", claims)
		}
		for _, t := range []struct{ what, header string }{
			{"good", "Bearer " + token(root)},
			{"in small letters", "bearer " + token(root)},
			{"in capital letters", "BEARER " + token(root)},
			{"of another kind", "Basic cm9vdDpyb290"},
			{"without a kind", token(root)},
			{"nothing after the kind", "Bearer "},
			{"no token", "Bearer nonsense"},
			{"of another secret", "Bearer " + realbroker.Token("another", root, soon)},
			{"of another algorithm", "Bearer " + realbroker.Sign(secret, "none", realbroker.Claims(root, soon))},
			{"that ended 10 s ago", "Bearer " + realbroker.Token(secret, root, time.Now().Add(-10*time.Second))},
			{"that ended 2 min ago", "Bearer " + realbroker.Token(secret, root, time.Now().Add(-2*time.Minute))},
			{"without iss", "Bearer " + without("iss")},
			{"without exp", "Bearer " + without("exp")},
			{"without sub", "Bearer " + without("sub")},
			{"without principal_type", "Bearer " + without("principal_type")},
			{"without principal_name", "Bearer " + without("principal_name")},
			{"with aud", "Bearer " + with("aud", "danube")},
			{"of another issuer", "Bearer " + with("iss", "somebody")},
			{"for later", "Bearer " + with("nbf", soon.Unix())},
			{"of another subject", "Bearer " + with("sub", stranger)},
		} {
			_, err := l.RawAs(0, t.header).Discovery.TopicLookup(l.Soon(), &danubepb.TopicLookupRequest{Topic: topic})
			l.Err(t.what, err)
		}
		client := l.NewClient(func(c *danube.Config) { c.Token = danube.TokenValue(realbroker.Token("another", root, soon)) })
		_, err := client.NewProducer(l.Soon(), danube.ProducerConfig{Topic: topic, Name: "q"})
		l.Err("the client", err)
	}},

	// A broker takes a token for a minute after its end, and believes for half a minute
	// what it has seen of it.
	{"token-that-ends", Secured, func(l *Lab) {
		topic := l.Topic("a")
		p := l.Producer(topic, "p")
		raw := l.RawAs(0, "Bearer "+realbroker.Token(secret, root, time.Now().Add(-40*time.Second)))
		id, err := raw.Subscribe(topic, "s", "c", 0)
		l.Err("subscribe", err)
		st := raw.Open(id)
		p.Send("0")
		l.Log("%s", ranges(st.Next(1)))
		l.Pass(25 * time.Second)
		l.Err("an ack, when it was seen a while ago", raw.Ack(topic, "s", 0))
		l.Pass(25 * time.Second)
		l.Err("an ack, later", raw.Ack(topic, "s", 0))
		p.Send("1")
		l.Log("the stream goes on: %s", ranges(st.Next(1)))
	}},

	{"token-that-is-renewed", Secured, func(l *Lab) {
		topic := l.Topic("a")
		good := false
		client := l.NewClient(func(c *danube.Config) {
			c.Token = danube.TokenFunc(func(context.Context) (string, error) {
				if good {
					return token(root), nil
				}
				good = true
				return realbroker.Token(secret, root, time.Now().Add(-2*time.Minute)), nil
			})
		})
		p, err := client.NewProducer(l.Soon(), danube.ProducerConfig{Topic: topic, Name: "p"})
		l.Err("producer, with a second token after a bad one", err)
		if err == nil {
			_, err = p.Send(l.Soon(), &danube.Outgoing{Payload: []byte("0")})
			l.Err("publish", err)
		}
	}},

	// What brokers say to one another nobody should say: it is believed.
	{"header-of-brokers", Secured, func(l *Lab) {
		topic := l.Topic("a")
		l.Producer(topic, "p")
		ctx := metadata.AppendToOutgoingContext(l.Soon(), "x-danube-internal-broker", "anybody")
		_, err := l.RawAs(0, "").Discovery.TopicLookup(ctx, &danubepb.TopicLookupRequest{Topic: topic})
		l.Err("without a token", err)
		_, err = l.RawAs(0, "Bearer nonsense").Discovery.TopicLookup(ctx, &danubepb.TopicLookupRequest{Topic: topic})
		l.Err("with a bad one", err)
	}},
}
