package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/bare"
	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

// broker is what is measured against.
type broker struct {
	name  string
	url   string
	child *child              // of the embedded broker, else nil
	admin *grpc.ClientConn    // of a real one, where its address is known, else nil
	own   *realbroker.Cluster // a real one that was started here, else nil
	dir   string              // its data
}

// started is what the broker process answers at its start.
type started struct{ URL string }

// brokerCommand is a command for the broker process: the first says what it is.
type brokerCommand struct {
	Window int    `json:",omitempty"` // 0 for the default
	Real   bool   `json:",omitempty"`
	Delete string `json:",omitempty"`
}

// brokers starts or finds what to measure against.
func brokers(ctx context.Context, which string, n needs) (list []*broker, err error) {
	url := os.Getenv("DANUBE_SERVICE_URL")
	bin, haveBin := realbroker.Binary()
	switch which {
	case "embedded", "real", "both":
	case "auto":
		which = "embedded"
		if url != "" {
			which = "real"
		}
	default:
		return nil, fmt.Errorf("-broker %q: want embedded, real, both or auto", which)
	}
	if which != "embedded" && !n.embedded {
		var b *broker
		switch {
		case haveBin && (n.window > 0 || url == ""):
			b, err = ownBroker(ctx, bin, n.window)
		case url != "":
			b, err = realBroker(url, n.window)
		default:
			err = errors.New("DANUBE_SERVICE_URL is not set, and neither is DANUBE_BROKER_BIN, but -broker asks for a real broker")
		}
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	if which != "real" || n.embedded {
		b, err := embeddedBroker(n)
		if err != nil {
			return nil, errors.Join(err, closeAll(list))
		}
		list = append(list, b)
	}
	return list, nil
}

// embeddedBroker starts danubetest in a process of its own.
func embeddedBroker(n needs) (*broker, error) {
	c, err := startChild("broker")
	if err != nil {
		return nil, err
	}
	var at started
	if err := c.ask(brokerCommand{Window: n.window, Real: n.real}, &at); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return &broker{name: "embedded (danubetest, in a process of its own)" + windowText(n.window), url: at.URL, child: c}, nil
}

func windowText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", W = %d", n)
}

// realBroker uses one that runs. With DANUBE_ADMIN_URL its topics are deleted again;
// without, they stay, and take some MiB of the broker's memory each.
func realBroker(url string, window int) (*broker, error) {
	b := &broker{name: "at DANUBE_SERVICE_URL", url: url}
	if window > 0 {
		b.name += fmt.Sprintf(", which should have W = %d", window)
	}
	return b, b.setAdmin(os.Getenv("DANUBE_ADMIN_URL"))
}

func (b *broker) setAdmin(url string) error {
	if url == "" {
		return nil
	}
	conn, err := bare.Dial(url)
	if err != nil {
		return fmt.Errorf("DANUBE_ADMIN_URL: %w", err)
	}
	b.admin = conn
	return nil
}

// ownBroker starts a real one.
func ownBroker(ctx context.Context, bin string, window int) (*broker, error) {
	dir, err := os.MkdirTemp("", "danube-benchmark-")
	if err != nil {
		return nil, err
	}
	c, err := realbroker.Start(ctx, realbroker.Options{Binary: bin, Dir: dir, Window: window})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	b := &broker{name: "real, started from DANUBE_BROKER_BIN" + windowText(window), url: c.URLs()[0], own: c, dir: dir}
	if err := b.setAdmin(c.Nodes[0].Admin); err != nil {
		return nil, errors.Join(err, b.close())
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
	var errs []error
	if b.admin != nil {
		errs = append(errs, b.admin.Close())
	}
	if b.child != nil {
		errs = append(errs, b.child.stop())
	}
	if b.own != nil {
		b.own.Close()
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

// serveBroker is the broker process. It remembers neither calls nor messages that
// are done with, so that it stays as fast as it was at its start.
func serveBroker(in io.Reader, out io.Writer) error {
	var b *danubetest.Broker
	defer func() {
		if b != nil {
			_ = b.Close()
		}
	}()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var c brokerCommand
		err := json.Unmarshal(lines.Bytes(), &c)
		if err != nil {
			return err
		}
		var said any = struct{}{}
		if b == nil {
			if b, err = newEmbedded(c); err == nil {
				said = started{b.URL()}
			}
		} else {
			err = b.DeleteTopic(c.Delete)
		}
		if err := answer(out, said, err); err != nil {
			return err
		}
	}
	return lines.Err()
}

func newEmbedded(c brokerCommand) (*danubetest.Broker, error) {
	opts := []danubetest.Option{danubetest.WithForgetAcked(), danubetest.WithCallLog(0)}
	if c.Window > 0 {
		opts = append(opts, danubetest.WithMaxUnacked(c.Window))
	}
	if c.Real {
		opts = append(opts, danubetest.WithProfile(danubetest.Real))
	}
	return danubetest.New(opts...)
}
