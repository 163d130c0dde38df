package danube

import (
	"context"
	"errors"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// target is where a topic is served.
type target struct {
	dial   endpoint // the broker, or a proxy in front of it
	broker string   // the broker's own address, as it wrote it
	proxy  bool
}

// context adds what a proxy needs to find the broker. Brokers ignore it.
func (t target) context(ctx context.Context) context.Context {
	if !t.proxy {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "x-danube-broker-url", t.broker)
}

// errUnknownTopic: a live broker answered that nobody serves the topic. It may not
// exist, or be between two owners.
var errUnknownTopic = errors.New("the topic does not exist or has no owner at present")

// router finds brokers. Every lookup starts at another seed, so that a dead one
// costs a part of the attempts only; owners are never asked for themselves, since
// the one that is lost cannot tell who followed it.
type router struct {
	client *Client
	next   atomic.Uint32
}

// lookup returns the owner of a topic. With errUnknownTopic it returns the broker
// that said so, where the topic may be created.
func (r *router) lookup(ctx context.Context, topic string) (target, error) {
	var at target
	err := r.eachSeed(ctx, "look up", topic, func(ctx context.Context, seed endpoint, d danubepb.DiscoveryClient) error {
		resp, err := d.TopicLookup(ctx, &danubepb.TopicLookupRequest{Topic: topic})
		if status.Code(err) == codes.NotFound {
			at = target{dial: seed, broker: "http://" + string(seed)}
			return errUnknownTopic
		}
		if err != nil {
			return err
		}
		if resp.GetResponseType() == danubepb.TopicLookupResponse_Failed {
			return status.Error(codes.Unavailable, "the broker answered that the lookup failed")
		}
		dial, err := parseEndpoint(resp.GetConnectUrl())
		if err := errors.Join(err, r.client.security.admits(resp.GetConnectUrl())); err != nil {
			return err
		}
		at = target{dial: dial.reachable(seed), broker: resp.GetBrokerUrl(), proxy: resp.GetProxy()}
		return nil
	})
	return at, err
}

// partitions lists the names on the wire that belong to a topic: its partitions in
// numeric order, the topic itself, or none when it does not exist.
func (r *router) partitions(ctx context.Context, topic string) (parts []int32, err error) {
	err = r.list(ctx, topic, func(listed []string) (err error) {
		parts, err = partitionsOf(topic, listed)
		return err
	})
	return parts, err
}

// listPartitions lists a topic's partitions as they are, with holes, and whether the
// topic itself is there.
func (r *router) listPartitions(ctx context.Context, topic string) (parts []int32, plain bool, err error) {
	err = r.list(ctx, topic, func(listed []string) (err error) {
		parts, plain, err = listedPartitions(topic, listed)
		return err
	})
	return parts, plain, err
}

func (r *router) list(ctx context.Context, topic string, read func(listed []string) error) error {
	return r.eachSeed(ctx, "list partitions of", topic, func(ctx context.Context, _ endpoint, d danubepb.DiscoveryClient) error {
		resp, err := d.TopicPartitions(ctx, &danubepb.TopicLookupRequest{Topic: topic})
		if err != nil {
			return err
		}
		return read(resp.GetPartitions())
	})
}

// eachSeed asks one seed after the other until one answers.
func (r *router) eachSeed(ctx context.Context, op, topic string, ask func(context.Context, endpoint, danubepb.DiscoveryClient) error) error {
	read := func(err error) verdict { return judge(rpcLookup, err) }
	return r.client.anySeed(ctx, op, topic, read, func(ctx context.Context, seed endpoint, conn *grpc.ClientConn) error {
		return ask(ctx, seed, danubepb.NewDiscoveryClient(conn))
	})
}
