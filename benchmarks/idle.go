package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/bare"
)

// idleSettings are the flags of this mode.
type idleSettings struct {
	time       time.Duration
	partitions int
}

// idleResult is what clients use while nothing happens, each in a process of its own.
type idleResult struct {
	Broker     string       `json:"broker"`
	URL        string       `json:"url"`
	Partitions int          `json:"partitions"`
	Time       float64      `json:"seconds"`
	Clients    []idleClient `json:"clients"`
}

type idleClient struct {
	Name string `json:"name"`
	idleReport
}

// idle looks on.
func idle(ctx context.Context, b *bench, f flags, log io.Writer) (printable, error) {
	res := idleResult{Broker: b.broker.name, URL: b.broker.url, Partitions: f.idle.partitions, Time: f.idle.time.Seconds()}
	for _, name := range []string{"bare consumers", "danube consumer", "danube producer"} {
		b.runs++
		topic := fmt.Sprintf("/default/bench-%s-%04d", b.stamp, b.runs)
		if err := createPartitions(ctx, b.broker.url, topic, f.idle.partitions); err != nil {
			return nil, err
		}
		r, err := lookOn(ctx, idleOrder{Client: name, URL: b.broker.url, Topic: topic, Partitions: f.idle.partitions, Time: f.idle.time})
		b.broker.forget(topic)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(log, "idle, %s\n", name)
		res.Clients = append(res.Clients, idleClient{name, r})
	}
	return res, nil
}

// createPartitions makes what a consumer needs to find.
func createPartitions(ctx context.Context, url, topic string, n int) error {
	conn, err := bare.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	for i := range n {
		if _, err := bare.NewProducer(ctx, conn, fmt.Sprintf("%s-part-%d", topic, i), "maker"); err != nil {
			return err
		}
	}
	return nil
}

// lookOn runs one client in a process of its own.
func lookOn(ctx context.Context, o idleOrder) (r idleReport, err error) {
	c, err := startChild("idler")
	if err != nil {
		return r, err
	}
	defer context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })()
	err = c.ask(o, &r)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r, errors.Join(err, c.stop())
}

func (r idleResult) print(w io.Writer) {
	fmt.Fprintf(w, "\nbroker: %s, %s; %d partitions, %.0f s\n\n", r.Broker, r.URL, r.Partitions, r.Time)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "client\tRSS before MiB\topened MiB\tmost MiB\tlive heap MiB\tCPU of a core\tgoroutines\t")
	for _, c := range r.Clients {
		fmt.Fprintf(tw, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f%%\t%d\t\n", c.Name, mib(c.Before), mib(c.Opened), mib(c.Most), mib(c.Live), 100*c.CPU, c.Goroutines)
	}
	_ = tw.Flush()
}

func (r idleResult) targets() (list []target) {
	for _, c := range r.Clients {
		if c.Name == "bare consumers" {
			continue
		}
		what := fmt.Sprintf("%s, %d idle partitions", c.Name, r.Partitions)
		list = append(list,
			target{what + ": RSS", "under 64 MiB", fmt.Sprintf("%.1f MiB", mib(c.Most))},
			target{what + ": CPU", "under 1 % of a core", fmt.Sprintf("%.2f %%", 100*c.CPU)})
	}
	return list
}

func (idleResult) legend() string {
	return `
Each client has a process of its own, and the broker another. RSS before is that of the program alone. CPU is that of
the time after everything was open. bare consumers have their streams and do nothing else: no health check, no
deadline, no session.
`
}
