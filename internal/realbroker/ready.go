package realbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// Ready waits until every node has registered, in the eyes of all, at most a minute. It
// is for when all of them run.
func (c *Cluster) Ready(ctx context.Context) error {
	n := len(c.Nodes)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last error
	for {
		var count int
		if count, last = c.registered(ctx); last == nil && count == n {
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("realbroker: %d of %d brokers are there: %w; the first one's log: %s", count, n, errors.Join(ctx.Err(), last), c.Nodes[0].Log())
		}
	}
}

// registered counts the brokers that are active in the eyes of all nodes.
func (c *Cluster) registered(ctx context.Context) (int, error) {
	least := len(c.Nodes)
	for _, node := range c.Nodes {
		conn, err := c.dialAdmin(node)
		if err != nil {
			return 0, err
		}
		resp, err := adminpb.NewBrokerAdminClient(conn).ListBrokers(ctx, &adminpb.Empty{})
		conn.Close()
		if err != nil {
			return 0, err
		}
		active := 0
		for _, b := range resp.GetBrokers() {
			if b.GetBrokerStatus() == "active" {
				active++
			}
		}
		least = min(least, active)
		if tcp, err := net.DialTimeout("tcp", node.Addr, time.Second); err != nil {
			return 0, err
		} else {
			tcp.Close()
		}
	}
	return least, nil
}
