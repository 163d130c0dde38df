package connect_test

import (
	"fmt"
	"io"
	"log/slog"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// configFor configures the examples for an embedded broker.
func configFor(broker *danubetest.Broker, topic, subscription string) []connect.Option {
	c := connect.DefaultConfig()
	c.ServiceURL = broker.URL()
	c.ConnectorName = "example"
	c.SourceTopic, c.DestinationTopic, c.SubscriptionName = topic, topic, subscription
	c.MetricsPort = 0 // off
	return []connect.Option{connect.WithConfig(c), connect.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}
}

type message struct{ key, payload string }

// publish puts messages into a topic, for a subscription that is there already.
func publish(broker *danubetest.Broker, topic, subscription string, messages ...message) {
	err := broker.CreateTopic(topic, danubetest.TopicConfig{})
	if err == nil {
		err = broker.CreateSubscription(topic, subscription, danubetest.SubOpts{})
	}
	for _, m := range messages {
		if err == nil {
			_, err = broker.Publish(topic, []byte(m.payload), danubetest.PubOpts{Key: m.key})
		}
	}
	if err != nil {
		fmt.Println(err)
	}
}
