package connect

import (
	"context"
	"log/slog"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Client is what the runtimes need of a Danube client. [WithClient] takes any
// implementation; [DanubeClient] makes one of the client in package danube.
type Client interface {
	// NewProducer opens a producer as [danube.Client.NewProducer] does.
	NewProducer(ctx context.Context, cfg danube.ProducerConfig) (Producer, error)
	// NewConsumer opens a consumer as [danube.Client.NewConsumer] does. The runtime
	// always sets cfg.Handler, which may be called before NewConsumer returns.
	NewConsumer(ctx context.Context, cfg danube.ConsumerConfig) (Consumer, error)
}

// Producer is what the runtimes need of a producer. The methods do what those of
// [danube.Producer] of the same names do.
type Producer interface {
	// SendAsync accepts a message and returns; done is called when it has ended.
	SendAsync(ctx context.Context, m *danube.Outgoing, done func(danube.Receipt, error)) error
	// Close publishes what was accepted, until ctx ends.
	Close(ctx context.Context) error
}

// Consumer is what the runtimes need of a consumer. The methods do what those of
// [danube.Consumer] of the same names do.
type Consumer interface {
	// Ack queues the ack of one message.
	Ack(m *danube.Message) error
	// Nack hands one message back, to be delivered again.
	Nack(ctx context.Context, m *danube.Message, delay time.Duration, reason string) error
	// Flush waits until the acks that can go out were answered.
	Flush(ctx context.Context) error
	// Pause closes the streams, keeping what was received.
	Pause()
	// Resume opens them again.
	Resume()
	// Done is closed when the consumer has ended.
	Done() <-chan struct{}
	// Err is why it has failed, nil while it works and after Close.
	Err() error
	// Close sends the acks that it can until ctx ends, and ends the consumer.
	Close(ctx context.Context) error
}

// DanubeClient makes the client of package danube fit for [WithClient].
func DanubeClient(c *danube.Client) Client { return danubeClient{c} }

type danubeClient struct{ c *danube.Client }

func (d danubeClient) NewProducer(ctx context.Context, cfg danube.ProducerConfig) (Producer, error) {
	p, err := d.c.NewProducer(ctx, cfg)
	if err != nil {
		return nil, err // never a nil pointer in an interface
	}
	return p, nil
}

func (d danubeClient) NewConsumer(ctx context.Context, cfg danube.ConsumerConfig) (Consumer, error) {
	c, err := d.c.NewConsumer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// client is what the Danube client needs of the configuration.
func (c Config) client(log *slog.Logger) danube.Config {
	d := danube.Config{
		Seeds:  c.ServiceURLs(),
		TLS:    danube.TLSConfig{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile},
		Logger: log,
	}
	if c.BrokerMetricsURL != "" {
		d.Metrics = addresses(c.BrokerMetricsURL)
	}
	switch {
	case !c.Token.IsZero():
		d.Token = danube.TokenValue(c.Token.Reveal())
	case c.TokenFile != "":
		d.Token = danube.TokenFile(c.TokenFile)
	}
	return d
}
