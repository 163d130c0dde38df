package e2e

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
	"github.com/danube-messaging/danube-connect-go/codecs/avro"
	"github.com/danube-messaging/danube-connect-go/codecs/jsonschema"
	"github.com/danube-messaging/danube-connect-go/codecs/protobuf"
	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

const (
	avroOrder  = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}`
	jsonOrder  = `{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}`
	protoOrder = "syntax = \"proto3\";\nmessage Order { int64 id = 1; }\n"
)

// A source publishes a good value, one that does not fit, and a ready payload of each;
// the broker checks what it is sent, and a reader decodes what arrives.
func TestCodecsOnABroker(t *testing.T) {
	t.Run("danubetest", func(t *testing.T) { onBroker(t, danubetest.Run(t).URL()) })
	t.Run("broker", func(t *testing.T) {
		url := os.Getenv("DANUBE_SERVICE_URL")
		if url == "" {
			t.Skip("DANUBE_SERVICE_URL is not set: not run on a real broker")
		}
		onBroker(t, url)
	})
}

func onBroker(t *testing.T, url string) {
	for name, tc := range map[string]struct {
		kind       danube.SchemaType
		definition string
		codec      connect.Option
		checked    bool   // the broker can check such payloads
		ready      []byte // a payload that fits
		want       string // what the good value becomes
	}{
		"avro":           {danube.SchemaAvro, avroOrder, connect.WithCodec(danube.SchemaAvro, avro.New), false, []byte{16}, "\x0e"},
		"avro container": {danube.SchemaAvro, avroOrder, connect.WithCodec(danube.SchemaAvro, avro.NewContainer), true, container(t), "Obj\x01"},
		"json":           {danube.SchemaJSON, jsonOrder, connect.WithCodec(danube.SchemaJSON, jsonschema.New), true, []byte(`{"id":8}`), `{"id":7}`},
		"protobuf":       {danube.SchemaProtobuf, protoOrder, connect.WithCodec(danube.SchemaProtobuf, protobuf.New), false, []byte("\x08\x08"), "\x08\x07"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			suffix := "_" + rand.Text()[:10]
			topic, subject := "/default/codecs"+suffix, "orders"+suffix
			client, err := danube.Open(danube.Config{Seeds: []string{url}})
			must(t, err)
			defer client.Close(context.Background())
			first, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: topic, Name: "first"}) // makes the topic
			must(t, err)
			must(t, first.Close(ctx))
			consumer, err := client.NewConsumer(ctx, danube.ConsumerConfig{Topic: topic, Subscription: "s", Name: "reader"})
			must(t, err)
			defer consumer.Close(context.Background())
			dead := filepath.Join(t.TempDir(), "dead.jsonl")
			definition := filepath.Join(t.TempDir(), "definition")
			must(t, os.WriteFile(definition, []byte(tc.definition), 0o600))

			if tc.checked {
				_, _, err := client.Schemas().Register(ctx, subject, tc.kind, tc.definition, danube.RegisterOptions{})
				must(t, err)
				must(t, client.Schemas().ConfigureTopic(ctx, topic, danube.TopicSchema{Subject: subject, Policy: danube.ValidateEnforce, ValidatePayload: true}))
			}
			cfg := connect.DefaultConfig()
			cfg.ConnectorName, cfg.DestinationTopic, cfg.MetricsPort = "codecs", topic, 0
			cfg.DeadLetterFile = dead
			cfg.Schemas = []connect.SchemaConfig{{Topic: topic, Subject: subject, Type: tc.kind, File: definition}}
			polls := 0
			source := connect.SourceFunc(func(context.Context) ([]*connect.SourceRecord, error) {
				if polls++; polls > 1 {
					return nil, io.EOF
				}
				return []*connect.SourceRecord{
					connect.FromValue("", map[string]any{"id": int64(7)}),
					connect.FromValue("", map[string]any{"id": "seven"}),
					connect.NewRecord("", tc.ready),
					connect.NewRecord("", []byte("no such payload")),
				}, nil
			})
			rt, err := connect.NewSourceRuntime(source, connect.WithConfig(cfg), connect.WithClient(connect.DanubeClient(client)),
				connect.WithoutSignals(), connect.WithLogger(slog.New(slog.DiscardHandler)), tc.codec)
			must(t, err)
			must(t, rt.Run(ctx))

			letters, err := os.ReadFile(dead)
			must(t, err)
			if n := strings.Count(string(letters), "\n"); n != 2 || strings.Count(string(letters), `"x-connect-stage":"schema"`) != 2 {
				t.Errorf("%d dead letters, want 2 of the stage schema:\n%s", n, letters)
			}
			for i, want := range []string{tc.want, string(tc.ready)} {
				m, err := consumer.Receive(ctx)
				must(t, err)
				must(t, consumer.Ack(m))
				if !strings.HasPrefix(string(m.Payload), want) {
					t.Errorf("message %d is %q, want %q", i, m.Payload, want)
				}
				if m.Schema == nil {
					t.Fatalf("message %d carries no schema", i)
				}
				info, err := client.Schemas().Get(ctx, *m.Schema)
				must(t, err)
				if info.Subject != subject || info.Definition != tc.definition {
					t.Errorf("the registry has %+v", info)
				}
			}
		})
	}
}

func container(t *testing.T) []byte {
	c, err := avro.NewContainer(avroOrder)
	must(t, err)
	payload, err := c.Encode(map[string]any{"id": int64(8)})
	must(t, err)
	return payload
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
