package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// clusterFlags are the flags for the brokers.
func clusterFlags(fs *flag.FlagSet) group {
	addr := fs.String("addr", "127.0.0.1:6650", "listen on this `host:port`")
	window := numberFlag(fs, "max-unacked", 1, 10_000, 10, "`messages` of a subscription that may be unacknowledged at once, 1 to 10000")
	brokers := numberFlag(fs, "brokers", 1, 100, 1, "run `n` brokers, on the ports from that of -addr on")
	proxy := fs.Bool("proxy", false, "put a proxy before the brokers, as in Kubernetes, which alone listens")
	metrics := fs.String("metrics", "", "tell each broker's metrics over HTTP, from this `host:port` on")
	var seed []danubetest.Option
	fs.Func("seed", "repeat what is random: ids, and with them who gets which keys of a KeyShared subscription; a `number`", func(s string) error {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return errors.New("want a number, 0 or more")
		}
		seed = []danubetest.Option{danubetest.WithSeed(n)}
		return nil
	})
	draining := durationFlag(fs, "draining", 0, "how long a topic that moves refuses messages first, a `duration`")
	gap := durationFlag(fs, "gap", 2*time.Second, "how long a topic that moves has no broker then, a `duration`")
	failover := durationFlag(fs, "failover", 25*time.Second, "how long the topics of a killed broker stay with it, a `duration`")
	return func(*flags) ([]danubetest.Option, error) {
		opts := []danubetest.Option{
			danubetest.WithAddr(*addr), danubetest.WithMaxUnacked(*window), danubetest.WithBrokers(*brokers),
			danubetest.WithTiming(danubetest.Timing{Draining: *draining, Gap: *gap, Failover: *failover}),
		}
		if *proxy {
			opts = append(opts, danubetest.WithProxy())
		}
		if *metrics != "" {
			opts = append(opts, danubetest.WithMetrics(*metrics))
		}
		return append(opts, seed...), nil
	}
}

// topicFlags are the flags for topics and how they come to be.
func topicFlags(fs *flag.FlagSet) group {
	var opts []danubetest.Option
	topic := func(d danubetest.Dispatch) func(string) error {
		return func(s string) error {
			o, err := topicOptions(s, d)
			opts = append(opts, o...)
			return err
		}
	}
	fs.Func("topic", "create this `/namespace/topic`; with :N behind it, N partitions of it (repeatable)", topic(danubetest.Reliable))
	fs.Func("non-reliable-topic", "as -topic, for a `/namespace/topic` that keeps nothing", topic(danubetest.NonReliable))
	fs.Func("namespace", "create these `namespaces`, with commas between, beside default and system (repeatable)", func(s string) error {
		for name := range strings.SplitSeq(s, ",") {
			if name == "" {
				return errors.New("want the name of a namespace")
			}
			opts = append(opts, danubetest.WithNamespaces(name))
		}
		return nil
	})
	auto := fs.Bool("auto-create-topics", true, "let producers create topics")
	cluster := fs.Bool("cluster-create", false, "answer a producer that creates a topic UNAVAILABLE first, as a cluster does; the profile real has that")
	return func(out *flags) ([]danubetest.Option, error) {
		if *cluster && !*auto {
			return nil, errors.New("-cluster-create and -auto-create-topics=false exclude each other")
		}
		out.auto = *auto
		if *cluster {
			opts = append(opts, danubetest.WithClusterCreate())
		}
		return append(opts, danubetest.WithAutoCreateTopics(*auto)), nil
	}
}

// topicOptions reads a value of the flag topic. The topic's namespace is created too.
func topicOptions(s string, d danubetest.Dispatch) ([]danubetest.Option, error) {
	name, count, partitioned := strings.Cut(s, ":")
	cfg := danubetest.TopicConfig{Dispatch: d}
	if partitioned {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("partitions %q: want a number from 1", count)
		}
		cfg.Partitions = n
	}
	namespace, err := topicName(name)
	if err != nil {
		return nil, err
	}
	return []danubetest.Option{danubetest.WithNamespaces(namespace), danubetest.WithTopic(name, cfg)}, nil
}
