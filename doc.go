// Package connect runs connectors between Danube, a message broker, and other
// systems. A connector's author implements a small interface, [SinkConnector] or
// [SourceConnector], or one of their variants; the runtime owns everything else: the
// Danube client, the loops, retries, batches, acks, dead letters, checkpoints,
// metrics, health and signals.
//
//	func main() {
//		connect.RunSink(connect.SinkFunc(func(ctx context.Context, rec *connect.SinkRecord) error {
//			fmt.Printf("%s\n", rec.Payload())
//			return nil
//		}))
//	}
//
// # Delivery
//
// A sink acknowledges a message after its Process or ProcessBatch has returned nil
// for it, or after the policy on_error has dealt with it, and in no other case; what
// is not acknowledged is delivered again, to this process or the next. Records of a
// partition are processed in order, retries included, unless ordering says otherwise.
//
// A source never drops what was polled or emitted: it is published, given up by the
// policy on_error, or the connector stops with an error. Its own offsets are committed
// in order and without a gap, after the broker has acknowledged what they stand for.
//
// Both are at-least-once: after a crash, a lost connection or a broker's restart some
// records come again. A Danube broker itself can lose messages, see the documentation
// in docs/delivery.md.
//
// # Errors
//
// What an author returns decides what happens next: [Retryable], [InvalidData],
// [Fatal], [InvalidConfig], or any other error, which [KindOf] classifies.
//
// # Configuration
//
// Defaults, a TOML file, the environment and code, each over the one before; see
// [Config].
package connect
