// Package danube is a client for Danube, a message broker: producers, consumers,
// and what they need to survive everything that a cluster does. It knows nothing
// of connectors.
//
// A [Client] is opened on one or more seed addresses and dials brokers as topics
// need them. A [Producer] publishes to one topic, with at most one send
// outstanding per partition, because the broker gives no order beyond that. A
// [Consumer] receives one subscription of one topic: reading and acknowledging
// run apart, acks are pipelined, and a session that ends for whatever reason is
// replaced by a new one until the context ends.
//
// [Client.Schemas] is the schema registry, and an [Admin], opened on the brokers'
// admin ports, manages topics, subscriptions and namespaces. Addresses that begin
// with https mean TLS; files with certificates and tokens may be replaced at any
// time.
//
// What the broker promises, and what it does not, is described at each type.
// Facts about the wire come from running Danube 0.15.1.
package danube
