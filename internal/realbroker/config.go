package realbroker

import (
	"bytes"
	"fmt"
	"text/template"
	"time"
)

// Options are what a cluster is started with. The zero value is one node with the
// broker's own defaults, the data in memory of nobody else.
type Options struct {
	// Binary is the broker's program. Default: what DANUBE_BROKER_BIN names.
	Binary string
	// Dir is a directory of the cluster's own, empty or from a run before. Required.
	Dir string
	// Nodes is 1 or 3. Three share one directory for their messages, so that topics can
	// move between them. Default: 1.
	Nodes int
	// Window is the number of unacknowledged messages of a subscription. Default: the
	// broker's, 10.
	Window int
	// Cache is the number of messages of a topic that are kept in memory. Default: the
	// broker's, 1024; three nodes 20000.
	Cache int
	// Flush is the time between two writes to disk. Default: the broker's, 5 s.
	Flush time.Duration
	// SharedFS has one node keep its messages as three do, in a directory that could be
	// shared.
	SharedFS bool
	// Security, if set, has the nodes speak TLS and ask for tokens.
	Security *Security
	// Limits are those of the namespace default. Default: none but 10 MiB of payload.
	Limits Limits
	// NoAutoCreate leaves it to the admin service to create topics.
	NoAutoCreate bool
	// Advertise, if set, says at which address clients reach the node that listens at
	// addr, for example that of a proxy in front of it.
	Advertise func(node int, addr string) (string, error)
}

// Limits are what a broker allows on one topic; 0 is no limit.
type Limits struct {
	Producers, Subscriptions, Consumers, ConsumersPerSubscription int
	// MessageSize is in bytes of payload. Default: 10 MiB.
	MessageSize int
}

func (o Options) withDefaults() (Options, error) {
	if o.Binary == "" {
		o.Binary, _ = Binary()
	}
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Cache == 0 {
		o.Cache = 1024
		if o.Nodes > 1 {
			o.Cache = 20000
		}
	}
	if o.Window == 0 {
		o.Window = 10
	}
	if o.Flush == 0 {
		o.Flush = 5 * time.Second
	}
	if o.Limits.MessageSize == 0 {
		o.Limits.MessageSize = 10 << 20
	}
	switch {
	case o.Binary == "":
		return o, fmt.Errorf("realbroker: no program: set %s to a broker's", Env)
	case o.Dir == "":
		return o, fmt.Errorf("realbroker: Dir is empty; want a directory for the data")
	case o.Nodes != 1 && o.Nodes != 3:
		return o, fmt.Errorf("realbroker: Nodes is %d; want 1 or 3", o.Nodes)
	}
	return o, nil
}

// configuration is a node's file. No rate is limited; the
// parts of load_manager are all there because a broker does not start without.
var configuration = template.Must(template.New("").Parse(`cluster_name: test
broker: {host: "127.0.0.1", ports: {client: {{.Client}}, admin: {{.Admin}}, raft: {{.Raft}}, prometheus: {{.Metrics}}}}
meta_store: {data_dir: ./raft{{with .Seeds}}, seed_nodes: [{{range $i, $s := .}}{{if $i}}, {{end}}"{{$s}}"{{end}}]{{end}}}
bootstrap_namespaces: [default]
{{if .Secure}}auth:
  mode: tls
  tls: {cert_file: "{{.Certificates}}/cert.pem", key_file: "{{.Certificates}}/key.pem", ca_file: "{{.Certificates}}/ca.pem"}
  jwt: {secret_key: "{{.Secure.Secret}}", issuer: danube-auth, expiration_time: 3600}
  super_admins: ["{{.Secure.Admin}}"]
admin_tls: true
{{else}}auth: {mode: none}
{{end}}dispatch: {max_unacked_messages: {{.Window}}}
auto_create_topics: {{.AutoCreate}}
policies: {max_producers_per_topic: {{.Limits.Producers}}, max_subscriptions_per_topic: {{.Limits.Subscriptions}}, max_consumers_per_topic: {{.Limits.Consumers}}, max_consumers_per_subscription: {{.Limits.ConsumersPerSubscription}}, max_publish_rate: 0, max_subscription_dispatch_rate: 0, max_message_size: {{.Limits.MessageSize}}}
{{if .Seeds}}load_manager: {assignment_strategy: fair, load_report_interval_seconds: 5, rebalancing: {enabled: false, aggressiveness: balanced, check_interval_seconds: 300, max_moves_per_hour: 10, cooldown_seconds: 60, min_brokers_for_rebalance: 2, min_topic_age_seconds: 300, blacklist_topics: []}}
{{end}}storage:
  mode: {{if .Shared}}shared_fs{{else}}local{{end}}
  local_wal_root: ./wal
{{if .Shared}}  durable: {root: "{{.Shared}}"}
  metadata_prefix: /danube
{{end}}  wal: {advanced: {cache_capacity: {{.Cache}}, file_sync: {interval_ms: {{.FlushMs}}, max_batch_bytes: 1048576}}}
`))

func (n *Node) configuration(o Options, seeds []string, shared string) ([]byte, error) {
	var b bytes.Buffer
	err := configuration.Execute(&b, map[string]any{
		"Client": n.ports[0], "Admin": n.ports[1], "Raft": n.ports[2], "Metrics": n.ports[3],
		"Seeds": seeds, "Shared": shared, "Window": o.Window, "Cache": o.Cache, "FlushMs": o.Flush.Milliseconds(),
		"Secure": o.Security, "Certificates": certificates(o.Dir), "Limits": o.Limits, "AutoCreate": !o.NoAutoCreate,
	})
	return b.Bytes(), err
}
