package danube

import (
	"context"
	"errors"
	"slices"
	"sync"
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
// costs a part of the attempts only. Where no seed answers, one of the brokers that
// lookups told of is asked, each time another: those live on that the seeds, often one,
// named when they did. An owner that is lost cannot tell who followed it, but the others
// can.
type router struct {
	client  *Client
	next    atomic.Uint32
	mu      sync.Mutex
	learned []endpoint // the newest last, none of them a seed
	turn    int
}

// maxLearned is how many brokers are kept in mind; a cluster with more needs no more.
const maxLearned = 16

// learn keeps a broker in mind that a lookup told of.
func (r *router) learn(e endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.learned, e) || slices.Contains(r.client.seeds, e) {
		return
	}
	if len(r.learned) == maxLearned {
		r.learned = slices.Delete(r.learned, 0, 1)
	}
	r.learned = append(r.learned, e)
}

// unlearn forgets a broker that is none.
func (r *router) unlearn(e endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learned = slices.DeleteFunc(r.learned, func(o endpoint) bool { return o == e })
}

// another is the next of the brokers that are not seeds.
func (r *router) another() (endpoint, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.learned) == 0 {
		return "", false
	}
	r.turn++
	return r.learned[r.turn%len(r.learned)], true
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
		r.learn(at.dial)
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
