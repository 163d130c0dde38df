// Package deadletter keeps records that could not be processed, with everything
// that is needed to look into them and to send them again.
package deadletter

import (
	"strconv"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Letter is one record that was given up.
type Letter struct {
	Message      *danube.Message
	Connector    string
	Subscription string
	Stage        string // what failed, such as "process"
	Class        string // of the error
	Reason       string
	Attempts     int
	FirstFailure time.Time
	LastFailure  time.Time
}

// Header names. Those without "connect" are the broker's own for what it dead-letters
// itself, so that one tool reads both.
const (
	HeaderTopic        = "x-original-topic"
	HeaderSubscription = "x-original-subscription"
	HeaderOffset       = "x-original-topic-offset"
	HeaderProducerID   = "x-original-producer-id"
	HeaderBrokerAddr   = "x-original-broker-addr"
	HeaderPolicy       = "x-poison-policy"
	HeaderAttempts     = "x-delivery-attempt"
	HeaderReason       = "x-failure-reason"

	HeaderConnector    = "x-connect-connector"
	HeaderStage        = "x-connect-stage"
	HeaderClass        = "x-connect-error-class"
	HeaderPartition    = "x-connect-original-partition"
	HeaderProducerName = "x-connect-original-producer"
	HeaderRequestID    = "x-connect-original-request-id"
	HeaderPublishTime  = "x-connect-original-publish-time"
	HeaderFirstFailure = "x-connect-first-failure"
	HeaderLastFailure  = "x-connect-last-failure"
)

// maxReason bounds the text of an error: a dead letter must not be too large
// because of it.
const maxReason = 4096

// Headers returns what a dead letter says of its record, to be added to the record's
// own attributes.
func (l *Letter) Headers() map[string]string {
	m := l.Message
	// The broker's wire takes valid text only, and an error may quote anything.
	reason := strings.ToValidUTF8(l.Reason, "\uFFFD")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "..."
	}
	return map[string]string{
		HeaderTopic:        m.WireTopic,
		HeaderSubscription: l.Subscription,
		HeaderOffset:       strconv.FormatUint(m.Offset, 10),
		HeaderProducerID:   strconv.FormatUint(m.ProducerID, 10),
		HeaderBrokerAddr:   m.BrokerAddr,
		HeaderPolicy:       "dead_letter",
		HeaderAttempts:     strconv.Itoa(l.Attempts),
		HeaderReason:       reason,
		HeaderConnector:    l.Connector,
		HeaderStage:        l.Stage,
		HeaderClass:        l.Class,
		HeaderPartition:    strconv.Itoa(int(m.Partition)),
		HeaderProducerName: m.ProducerName,
		HeaderRequestID:    strconv.FormatUint(m.RequestID, 10),
		HeaderPublishTime:  stamp(m.PublishTime),
		HeaderFirstFailure: stamp(l.FirstFailure),
		HeaderLastFailure:  stamp(l.LastFailure),
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
