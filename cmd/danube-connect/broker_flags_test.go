package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// caller asks a broker without a client's retries.
type caller struct {
	t         *testing.T
	producers pb.ProducerServiceClient
	consumers pb.ConsumerServiceClient
	discovery pb.DiscoveryClient
}

func newCaller(t *testing.T, conn grpc.ClientConnInterface) *caller {
	return &caller{t, pb.NewProducerServiceClient(conn), pb.NewConsumerServiceClient(conn), pb.NewDiscoveryClient(conn)}
}

// calling is a caller of a broker that speaks plain gRPC.
func calling(t *testing.T, addr string) *caller {
	t.Helper()
	return newCaller(t, connect(t, addr))
}

func (c *caller) producer(topic, name string) (uint64, error) {
	r, err := c.producers.CreateProducer(c.t.Context(), &pb.ProducerRequest{TopicName: topic, ProducerName: name, DispatchStrategy: pb.DispatchStrategy_Reliable})
	return r.GetProducerId(), err
}

func (c *caller) send(topic string, producer uint64, payload []byte) error {
	_, err := c.producers.SendMessage(c.t.Context(), &pb.StreamMessage{MsgId: &pb.MsgID{TopicName: topic, ProducerId: producer}, Payload: payload})
	return err
}

func (c *caller) subscribe(topic, sub, name string) (uint64, error) {
	r, err := c.consumers.Subscribe(c.t.Context(), &pb.ConsumerRequest{TopicName: topic, ConsumerName: name, Subscription: sub, SubscriptionType: pb.ConsumerRequest_Shared})
	return r.GetConsumerId(), err
}

// receive opens a stream.
func (c *caller) receive(topic, sub, name string) grpc.ServerStreamingClient[pb.StreamMessage] {
	c.t.Helper()
	id, err := c.subscribe(topic, sub, name)
	c.wantCode("subscribe", err, codes.OK)
	st, err := c.consumers.ReceiveMessages(c.t.Context(), &pb.ReceiveRequest{ConsumerId: id})
	c.wantCode("receive", err, codes.OK)
	return st
}

// next returns the next message, and acks it.
func (c *caller) next(st grpc.ServerStreamingClient[pb.StreamMessage], sub string) *pb.StreamMessage {
	c.t.Helper()
	m, err := st.Recv()
	c.wantCode("a message", err, codes.OK)
	_, err = c.consumers.Ack(c.t.Context(), &pb.AckRequest{MsgId: m.GetMsgId(), SubscriptionName: sub})
	c.wantCode("ack", err, codes.OK)
	return m
}

func (c *caller) lookup(topic string) (*pb.TopicLookupResponse, error) {
	return c.discovery.TopicLookup(c.t.Context(), &pb.TopicLookupRequest{Topic: topic})
}

func (c *caller) wantCode(what string, err error, want codes.Code) {
	c.t.Helper()
	if status.Code(err) != want {
		c.t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

// until asks until the answer is as it should be.
func until(t *testing.T, what string, ask func() (string, bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		got, ok := ask()
		if ok {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: last %s", what, got)
		}
	}
}

// says waits until a state of the control contains something.
func (c *client) says(path, contains string) {
	c.t.Helper()
	until(c.t, path+" with "+contains, func() (string, bool) {
		text := c.do("GET", path, "")
		return text, strings.Contains(text, contains)
	})
}

// refused runs the command with flags that do not fit.
func refused(t *testing.T, code int, args, contains string) {
	t.Helper()
	var stderr bytes.Buffer
	if got := run(t.Context(), append([]string{"broker", "-addr", "127.0.0.1:0"}, strings.Fields(args)...), io.Discard, &stderr); got != code || !strings.Contains(stderr.String(), contains) {
		t.Errorf("%s: exit %d, %q; want %d with %q", args, got, stderr.String(), code, contains)
	}
}

// Every flag is in the documentation.
func TestFlagsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "testing.md"))
	if err != nil {
		t.Fatal(err)
	}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	for _, g := range groups {
		g(fs)
	}
	seen := 0
	fs.VisitAll(func(f *flag.Flag) {
		seen++
		if !strings.Contains(string(text), "`-"+f.Name+"`") {
			t.Errorf("docs/testing.md does not have -%s", f.Name)
		}
		if name, _ := flag.UnquoteUsage(f); f.Usage == "" || name == "value" {
			t.Errorf("-%s does not say what its value is", f.Name)
		}
	})
	if seen < 30 {
		t.Errorf("%d flags", seen)
	}
}

func TestLog(t *testing.T) {
	_, c := program(t, "-log", "debug", "-topic", "/default/a")
	if !strings.Contains(c.said, `level=DEBUG msg="broker started"`) {
		t.Errorf("it says %s", c.said)
	}
	_, c = program(t, "-log", "info", "-topic", "/default/a")
	if strings.Contains(c.said, "level=") {
		t.Errorf("it says %s", c.said)
	}
	refused(t, exitUsage, "-log loud", `level "loud": want debug or info`)
	refused(t, exitUsage, "-control-public", "-control-public needs -control")
}
