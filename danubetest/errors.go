package danubetest

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The statuses of the broker. Clients tell cases apart by fragments of the texts, so
// those fragments are part of the protocol.

func errTopicFormat(name string) error {
	return status.Errorf(codes.InvalidArgument, "The topic: %s has an invalid format, should be: /namespace_name/topic_name", name)
}

func (c *core) errNoNamespace(ns string) error {
	code := codes.NotFound
	if c.trap(TrapNamespace) {
		code = codes.Unavailable
	}
	return status.Errorf(code, "Unable to find the namespace %s, the topic can be created only for an exisiting namespace", ns)
}

func errTopicExists(name string) error {
	return status.Errorf(codes.AlreadyExists, "Topic '%s' already exists", name)
}

func errPartitionsExist(base string, n int) error {
	return status.Errorf(codes.AlreadyExists, "Cannot create topic '%s': partitioned topics with this base name already exist (found %d partitions). Delete the partitioned topics first.", base, n)
}

func errPlainExists(name, base string) error {
	return status.Errorf(codes.AlreadyExists, "Cannot create partitioned topic '%s': a non-partitioned topic '%s' already exists. Delete the non-partitioned topic first.", name, base)
}

func errNoTopic(name string) error {
	return status.Errorf(codes.NotFound, "Unable to find the topic: %s", name)
}

func errNoTopicLookup(name string) error {
	return status.Errorf(codes.NotFound, "Unable to find the requested topic: %s", name)
}

func errRedoLookup() error {
	return status.Error(codes.Unavailable, "The topic metadata was created, need to redo the lookup to find the correct broker")
}

func errElsewhere() error {
	return status.Error(codes.Unavailable, "The topic exists but is served by another broker, redo the Lookup request")
}

// errNodeDown is what a proxy says.
func errNodeDown(url string) error {
	return status.Errorf(codes.Unavailable, "danubetest: the proxy finds no broker %q", url)
}

// errBroken is what nobody hears.
func errBroken() error {
	return status.Error(codes.Unavailable, "danubetest: the connection is broken")
}

func errDispatchMissing() error {
	return status.Error(codes.InvalidArgument, "Dispatch strategy is missing")
}

func errDispatchMismatch() error {
	return status.Error(codes.FailedPrecondition, "Producer requested dispatch strategy does not match topic strategy")
}

func errNoProducer(id uint64) error {
	return status.Errorf(codes.NotFound, "The producer with id %d does not exist", id)
}

func errPublish(what string) error {
	return status.Errorf(codes.PermissionDenied, "Unable to publish the message: %s", what)
}

func errPayloadSize(topic string, n, limit int) error {
	return status.Errorf(codes.InvalidArgument, "Message size %d exceeds maximum allowed %d for topic %s", n, limit, topic)
}

func errRequestSize(n, limit int) error {
	return status.Errorf(codes.OutOfRange, "Error, decoded message length too large: found %d bytes, the limit is: %d bytes", n, limit)
}

func errSubscribe(topic, what string) error {
	return status.Errorf(codes.PermissionDenied, "Not able to subscribe to the topic %s due to %s", topic, what)
}

func errNoConsumer(id uint64) error {
	return status.Errorf(codes.NotFound, "The consumer with the id %d does not exist", id)
}

func errAck(what string) error {
	return status.Errorf(codes.Internal, "Error acknowledging message: %s", what)
}

func errNack(what string) error {
	return status.Errorf(codes.Internal, "Error negatively acknowledging message: %s", what)
}

func errInUse(consumer string) error {
	return status.Errorf(codes.AlreadyExists, "The consumer %s has a stream open", consumer)
}

func errTakenOver() error {
	return status.Error(codes.Aborted, "The stream was taken over by another one of the same consumer")
}

func errMoved(topic string) error {
	return status.Errorf(codes.Unavailable, "The topic %s is not served here any more, redo the Lookup request", topic)
}

// errReset stands for the reset of the stream that a request gets where the broker's
// handler panics.
func errReset() error {
	return status.Error(codes.Canceled, "stream terminated by RST_STREAM with error code: CANCEL")
}

// errNoMsgID is the answer to a request without msg_id.
func (c *core) errNoMsgID() error {
	if c.trap(TrapReset) {
		return errReset()
	}
	return status.Error(codes.InvalidArgument, "The msg_id is missing")
}
