// Command webhook_source publishes what is posted to it over HTTP.
//
//	DANUBE_SERVICE_URL=http://localhost:6650 go run ./examples/webhook_source
//	curl -i -d '{"order": 1}' http://127.0.0.1:8080/orders
//
// The answer is 200 when the broker has the record, and only then. It is
//
//	401  when the token or the signature is missing or wrong
//	405  for every method but POST
//	413  for a body over the limit
//	422  when the broker will never take the record, for its topic's schema for example;
//	     where dead_letter_file or dead_letter_topic is configured, it is kept there
//	503  with Retry-After when too much is under way, when the broker does not answer in
//	     time, and at a stop; a record that the broker may have got all the same says so,
//	     and comes twice when it is sent again
//
// The environment configures it, or a file with the same keys, see settings:
//
//	LISTEN_ADDR       127.0.0.1:8080
//	WEBHOOK_PATH      /, and everything below it
//	AUTH_TOKEN        asks for "Authorization: Bearer <token>"
//	HMAC_SECRET       asks for the body's HMAC-SHA256, in hex with or without "sha256=", or in base64
//	HMAC_HEADER       X-Hub-Signature-256
//	ALLOW_ANONYMOUS   true, to listen without either of them on more than this host
//	KEY_HEADER        the header whose value is the record's key
//	FORWARD_HEADERS   the headers that become attributes, separated by commas: X-GitHub-Event,X-GitHub-Delivery
//	MAX_BODY_BYTES    1048576
//	MAX_IN_FLIGHT     256 requests at once
//	PUBLISH_TIMEOUT   8s, for the broker to take a record; 10s more, in which a request may
//	                  arrive, must be less than DRAIN_TIMEOUT_MS, which is 20000
//	CONNECTOR_NAME    webhook-source
//	DANUBE_TOPIC      /default/webhooks
//
// and every other key of the SDK, such as RATE_LIMIT. Secrets may be in files:
// "file:/run/secrets/token". A record has the body as payload, and the attributes "path",
// "content-type" and those of FORWARD_HEADERS in lower case. There is no TLS: leave that
// to a proxy in front of it.
package main

import (
	"cmp"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

func main() { connect.RunSource(newSource()) }

// newSource returns the connector with what configures it.
func newSource() (connect.SourceConnector, connect.Option, connect.Option) {
	s := &webhook{settings: settings{
		Listen:      "127.0.0.1:8080",
		Path:        "/",
		HMACHeader:  "X-Hub-Signature-256",
		MaxBody:     1 << 20,
		MaxInFlight: 256,
		Timeout:     8 * time.Second,
	}}
	return connect.FromStream(s), connect.WithSettings("webhook", &s.settings), connect.WithConfigChange(func(c *connect.Config) {
		c.ConnectorName = cmp.Or(c.ConnectorName, "webhook-source")
		c.DestinationTopic = cmp.Or(c.DestinationTopic, "/default/webhooks")
		if auto := c.OnError == connect.OnErrorAuto || c.OnError == ""; auto && c.DeadLetterTopic == "" && c.DeadLetterFile == "" {
			c.OnError = connect.OnErrorSkip // the sender hears of it, and must not end the connector
		}
	})
}
