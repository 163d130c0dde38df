// Package deadletter keeps records that could not be processed, with everything
// that is needed to look into them and to send them again.
package deadletter

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danube-messaging/danube-connect-go/danube"
)

// Letter is one record that was given up.
type Letter struct {
	Message      *danube.Message
	Connector    string
	Subscription string // of a sink; a source has none, nor has its message a place in a topic
	Origin       string // of a source's record: x-connect-source, empty for none
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

	// What is no text, and so neither a routing key nor an attribute, is here: the key in
	// base64, and name:value, both in base64, with commas between.
	HeaderKey        = "x-connect-original-key-base64"
	HeaderAttributes = "x-connect-original-attributes-base64"
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
	h := map[string]string{
		HeaderTopic:        strings.ToValidUTF8(m.WireTopic, "\uFFFD"),
		HeaderPolicy:       "dead_letter",
		HeaderAttempts:     strconv.Itoa(l.Attempts),
		HeaderReason:       reason,
		HeaderConnector:    l.Connector,
		HeaderStage:        l.Stage,
		HeaderClass:        l.Class,
		HeaderPublishTime:  stamp(m.PublishTime),
		HeaderFirstFailure: stamp(l.FirstFailure),
		HeaderLastFailure:  stamp(l.LastFailure),
	}
	if l.Subscription != "" {
		h[HeaderSubscription] = l.Subscription
		h[HeaderOffset] = strconv.FormatUint(m.Offset, 10)
		h[HeaderProducerID] = strconv.FormatUint(m.ProducerID, 10)
		h[HeaderBrokerAddr] = m.BrokerAddr
		h[HeaderPartition] = strconv.Itoa(int(m.Partition))
		h[HeaderProducerName] = m.ProducerName
		h[HeaderRequestID] = strconv.FormatUint(m.RequestID, 10)
	}
	if l.Origin != "" {
		h[danube.AttrSource] = l.Origin
	}
	if !utf8.ValidString(m.Key) {
		h[HeaderKey] = base64.StdEncoding.EncodeToString([]byte(m.Key))
	}
	var odd []string
	for k, v := range m.Attributes {
		if !isText(k, v) {
			odd = append(odd, base64.StdEncoding.EncodeToString([]byte(k))+":"+base64.StdEncoding.EncodeToString([]byte(v)))
		}
	}
	if len(odd) > 0 {
		slices.Sort(odd)
		h[HeaderAttributes] = strings.Join(odd, ",")
	}
	return h
}

// Attributes are the record's own that are text.
func (l *Letter) Attributes() map[string]string {
	own := make(map[string]string, len(l.Message.Attributes)+24)
	for k, v := range l.Message.Attributes {
		if isText(k, v) {
			own[k] = v
		}
	}
	return own
}

// Outgoing is the letter as a message of a topic, its headers beside the record's own
// attributes.
func (l *Letter) Outgoing() *danube.Outgoing {
	m := l.Message
	out := &danube.Outgoing{Payload: m.Payload, Attributes: l.Attributes(), Schema: m.Schema, Origin: l.Origin}
	maps.Copy(out.Attributes, l.Headers())
	if utf8.ValidString(m.Key) {
		out.Key = m.Key
	}
	return out
}

func isText(k, v string) bool { return utf8.ValidString(k) && utf8.ValidString(v) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
