package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// broker is what is measured against.
type broker struct {
	name  string
	url   string
	child *child           // of the embedded broker, else nil
	admin *grpc.ClientConn // of a real one, where its address is known, else nil
}

// started is what the broker process answers at its start.
type started struct{ URL string }

// brokerCommand is a command for the broker process.
type brokerCommand struct{ Delete string }

// embeddedBroker starts danubetest in a process of its own.
func embeddedBroker() (*broker, error) {
	c, err := startChild("broker")
	if err != nil {
		return nil, err
	}
	var at started
	if err := c.listen(&at); err != nil {
		return nil, err
	}
	return &broker{name: "embedded (danubetest, in a process of its own)", url: at.URL, child: c}, nil
}

// realBroker uses one that runs. With DANUBE_ADMIN_URL its topics are deleted again;
// without, they stay, and take some MiB of the broker's memory each.
func realBroker(url string) (*broker, error) {
	b := &broker{name: "at DANUBE_SERVICE_URL", url: url}
	if admin := os.Getenv("DANUBE_ADMIN_URL"); admin != "" {
		conn, err := bare.Dial(admin)
		if err != nil {
			return nil, fmt.Errorf("DANUBE_ADMIN_URL: %w", err)
		}
		b.admin = conn
	}
	return b, nil
}

// forget deletes the topic of one run, with its partitions: a broker that keeps all
// rounds would get slower and larger from round to round. It does what it can.
func (b *broker) forget(topic string) {
	switch {
	case b.child != nil:
		var ok struct{}
		_ = b.child.ask(brokerCommand{Delete: topic}, &ok)
	case b.admin != nil:
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = adminpb.NewTopicAdminClient(b.admin).DeleteTopic(ctx, &adminpb.TopicRequest{Name: topic})
	}
}

func (b *broker) close() error {
	if b.admin != nil {
		return b.admin.Close()
	}
	if b.child != nil {
		return b.child.stop()
	}
	return nil
}

// serveBroker is the broker process. It remembers neither calls nor messages that
// are done with, so that it stays as fast as it was at its start.
func serveBroker(in io.Reader, out io.Writer) error {
	b, err := danubetest.New(danubetest.WithForgetAcked(), danubetest.WithCallLog(0))
	if err != nil {
		return err
	}
	defer b.Close()
	if err := answer(out, started{b.URL()}, nil); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var c brokerCommand
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		if err := answer(out, struct{}{}, b.DeleteTopic(c.Delete)); err != nil {
			return err
		}
	}
	return lines.Err()
}
