package danubetest

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// requestLimit is the largest request that the broker takes, in bytes on the wire.
const requestLimit = 4 << 20

// deliveryGrowth is by how much more a message may be as a delivery than as a request, at
// most: its offset is filled in, and with TrapNoName off the subscription.
const deliveryGrowth = 1 << 10

// Method names what a client can ask of the broker, for faults, waits and the log of
// calls.
type Method int

// The methods. MethodDelivery is none: it stands for one message going out on an
// open stream.
const (
	MethodCreateProducer Method = iota + 1
	MethodSendMessage
	MethodSubscribe
	MethodReceiveMessages
	MethodAck
	MethodNack
	MethodTopicLookup
	MethodTopicPartitions
	MethodHealthCheck
	MethodCreateTopic
	MethodCreatePartitionedTopic
	MethodDeleteTopic
	MethodListNamespaceTopics
	MethodDescribeTopic
	MethodCreateNamespace
	MethodDelivery
	MethodUnloadTopic
	MethodListBrokers
	MethodGetLeaderBroker
	MethodListNamespaces
	MethodSetSubscriptionFailurePolicy
	MethodGetSubscriptionFailurePolicy
	MethodUnsubscribe
	MethodListSubscriptions
	MethodGetNamespaceTopics
	MethodDeleteNamespace
	MethodRegisterSchema
	MethodGetSchema
	MethodGetLatestSchema
	MethodListVersions
	MethodListSubjects
	MethodCheckCompatibility
	MethodSetCompatibilityMode
	MethodDeleteSchemaVersion
	MethodConfigureTopicSchema
	MethodUpdateTopicValidationPolicy
	MethodGetTopicSchemaConfig
	MethodListSegmentDescriptors

	methods = int(MethodListSegmentDescriptors) + 1
)

var methodNames = [methods]string{
	"none", "CreateProducer", "SendMessage", "Subscribe", "ReceiveMessages", "Ack", "Nack",
	"TopicLookup", "TopicPartitions", "HealthCheck", "CreateTopic", "CreatePartitionedTopic",
	"DeleteTopic", "ListNamespaceTopics", "DescribeTopic", "CreateNamespace", "Delivery",
	"UnloadTopic", "ListBrokers", "GetLeaderBroker", "ListNamespaces",
	"SetSubscriptionFailurePolicy", "GetSubscriptionFailurePolicy", "Unsubscribe", "ListSubscriptions",
	"GetNamespaceTopics", "DeleteNamespace",
	"RegisterSchema", "GetSchema", "GetLatestSchema", "ListVersions", "ListSubjects", "CheckCompatibility", "SetCompatibilityMode",
	"DeleteSchemaVersion", "ConfigureTopicSchema", "UpdateTopicValidationPolicy", "GetTopicSchemaConfig",
	"ListSegmentDescriptors",
}

// String returns the method's name on the wire.
func (m Method) String() string {
	if m < 0 || int(m) >= methods {
		return "unknown"
	}
	return methodNames[m]
}

// Call is one request, or, for faults, one delivery. Fields that it does not carry
// are empty.
type Call struct {
	Method Method
	// At is when the broker took the request up; for a request that a fault delayed,
	// before that.
	At time.Time
	// Code is the answer's. That of ReceiveMessages says whether the stream was opened.
	Code codes.Code
	// Peer is the client's address.
	Peer string

	Topic        string
	Subscription string
	// Subject is a name in the schema registry.
	Subject string
	// Namespace is what requests of the admin service about one carry.
	Namespace string
	// Producer and Consumer are names, found by the request's id where it has one.
	Producer, Consumer string
	RoutingKey         string
	RequestID          uint64
	// Offset is the message's, when HasOffset is set.
	Offset    uint64
	HasOffset bool
	// Bytes is the size of the payload.
	Bytes int
	// Faulted is set when a fault other than an observing one had a hand in it.
	Faulted bool

	// Broker is the number of the broker that took the request, from 1.
	Broker int
	// BrokerURL is the broker that the request names for a proxy, in the metadata
	// x-danube-broker-url; empty when it names none.
	BrokerURL string
	// Principal is whose token came with it; empty when nobody asks for tokens, or the
	// token was not taken.
	Principal string

	internal bool // says that it comes from a broker
	node     *node
	peer     net.Addr
	conn     *conn
	to       string // what TopicLookup answers, when a fault says so
	id       uint64
	kind     pb.HealthCheckRequest_ClientType
	close    bool // the answer to HealthCheck is CLOSE

	// then is the second half of the work, where a trap cuts it in two: others come in
	// between.
	then func(*core) error

	rooms []room // what the answer has to wait for, see command
}

// call runs one request: faults, then the work, then the log, in one trip to the loop
// unless a fault makes it wait.
func (n *network) call(ctx context.Context, in *Call, req proto.Message, work func(*core) error) error {
	b := n.b
	if url := metadata.ValueFromIncomingContext(ctx, proxyHeader); len(url) > 0 {
		in.BrokerURL = url[0]
	}
	if p, ok := peer.FromContext(ctx); ok {
		in.peer = p.Addr
		if a, ok := p.Addr.(connAddr); ok {
			in.conn = a.conn
		}
	}
	size := proto.Size(req)
	var (
		plan plan
		err  error
	)
	b.do(func(c *core) {
		in.At = c.now
		if err = c.route(n, in); err != nil {
			c.log(in, err)
			return
		}
		if err = c.enter(ctx, in); err != nil {
			c.log(in, err)
			return
		}
		c.resolve(in)
		if limit := c.requestLimit(in.Method); size > limit {
			err = errRequestSize(size, limit)
		} else {
			err = c.allow(in)
		}
		if err != nil {
			c.log(in, err)
			return
		}
		if len(c.faults.active) > 0 {
			plan = c.faults.plan(c, in)
			in.Faulted = plan.faulted
			if plan.waits() && !plan.after {
				return
			}
		}
		err = c.answer(in, &plan, work)
	})
	b.second(in, &err)
	if !plan.waits() {
		return b.waitRoom(ctx, in, err)
	}
	if werr := plan.wait(ctx, nil); werr != nil {
		if !plan.after {
			b.do(func(c *core) {
				c.hole(in, req)
				c.log(in, werr)
			})
		}
		return werr
	}
	if !plan.after {
		b.do(func(c *core) { err = c.answer(in, &plan, work) })
		b.second(in, &err)
	}
	return b.waitRoom(ctx, in, err)
}

// requestLimit is the largest request of a method.
func (c *core) requestLimit(m Method) int {
	if m == MethodSendMessage && !c.trap(TrapOversize) {
		return requestLimit - deliveryGrowth
	}
	return requestLimit
}

// second does the second half of the work, if there is one.
func (b *Broker) second(in *Call, err *error) {
	if in.then == nil {
		return
	}
	b.do(func(c *core) {
		then := in.then
		in.then = nil
		if e := then(c); *err == nil {
			*err = e
		}
		c.log(in, *err)
	})
}

// waitRoom waits until the dispatchers that the request is for have room for it.
func (b *Broker) waitRoom(ctx context.Context, in *Call, err error) error {
	for i, r := range in.rooms {
		select {
		case <-r.c:
		case <-ctx.Done():
			for _, r := range in.rooms[i:] {
				b.do(r.forget)
			}
			return ctxStatus(ctx)
		}
	}
	return err
}

// answer does the work, or what a fault put in its place, and logs the call.
func (c *core) answer(in *Call, p *plan, work func(*core) error) error {
	var err error
	switch {
	case !in.node.alive: // it died while a fault had the request
		err = errNodeDown(in.node.url)
	case p.err == nil && p.broken == nil || p.after:
		in.to = p.redirect
		err = work(c)
	}
	if p.broken != nil {
		p.broken.breakConn(in.conn)
		if err == nil {
			err = errBroken()
		}
	}
	if err == nil {
		err = p.err
	}
	in.close = p.close
	if in.then == nil {
		c.log(in, err)
	}
	return err
}

// resolve fills in the names that belong to the request's id.
func (c *core) resolve(in *Call) {
	producer := in.Method == MethodSendMessage
	consumer := in.Method == MethodReceiveMessages
	if in.Method == MethodHealthCheck {
		producer = in.kind == pb.HealthCheckRequest_Producer
		consumer = in.kind == pb.HealthCheckRequest_Consumer
	}
	switch {
	case producer:
		if p := c.producers[in.id]; p != nil {
			in.Producer = p.name
			if in.Topic == "" {
				in.Topic = p.topic.name
			}
		}
	case consumer:
		if co := c.consumers[in.id]; co != nil {
			in.Consumer, in.Subscription, in.Topic = co.name, co.sub.name, co.sub.topic.name
		}
	}
}

// callLog is the newest calls and the counts of all.
type callLog struct {
	limit  int
	ring   []Call
	next   int // where the next one goes once the ring is full
	counts [methods][codes.Unauthenticated + 1]uint64
}

// log notes a call that has been answered.
func (c *core) log(in *Call, err error) {
	in.Code = status.Code(err)
	c.changed = true
	l := &c.calls
	if in.Code > codes.Unauthenticated {
		in.Code = codes.Unknown
	}
	l.counts[in.Method][in.Code]++
	switch {
	case l.limit == 0:
	case len(l.ring) < l.limit:
		l.ring = append(l.ring, *in)
	default:
		l.ring[l.next] = *in
		l.next = (l.next + 1) % l.limit
	}
}

// count returns how many calls of a method have been answered.
func (l *callLog) count(m Method) (n uint64) {
	if m < 0 || int(m) >= methods {
		return 0
	}
	for _, k := range l.counts[m] {
		n += k
	}
	return n
}

// ctxStatus is the status of an answer that its context kept from coming.
func ctxStatus(ctx context.Context) error {
	return status.FromContextError(ctx.Err()).Err()
}
