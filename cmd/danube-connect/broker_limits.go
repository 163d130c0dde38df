package main

import (
	"errors"
	"flag"
	"math"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// limitFlags are the flags for what topics, subscriptions and messages may have.
func limitFlags(fs *flag.FlagSet) group {
	var limits danubetest.Limits
	for _, f := range []struct {
		name string
		n    *int
		what string
	}{
		{"max-producers", &limits.Producers, "`producers` that a topic may have; 0 is no limit"},
		{"max-subscriptions", &limits.Subscriptions, "`subscriptions` that a topic may have; 0 is no limit"},
		{"max-consumers", &limits.Consumers, "`consumers` that a topic may have, over all its subscriptions; 0 is no limit"},
		{"max-consumers-per-subscription", &limits.ConsumersPerSubscription, "`consumers` that a subscription may have; 0 is no limit"},
	} {
		numberFlagVar(fs, f.n, f.name, 0, math.MaxInt, f.what)
	}
	size := numberFlag(fs, "max-message-size", 0, math.MaxInt, 10<<20, "largest payload in `bytes`; 0 is no limit, but no request may be larger than 4 MiB")
	rate := numberFlag(fs, "dispatch-rate", 0, math.MaxInt, 0, "`messages` a second that each subscription hands out; 0 is no limit")
	cache := numberFlag(fs, "cache", 1, math.MaxInt, 1024, "`messages` of a topic at hand, which say how far behind the trap Lag lets a subscription be")
	forget := fs.Bool("forget-acked", false, "drop messages from memory once all subscriptions are done with them")
	return func(out *flags) ([]danubetest.Option, error) {
		if out.traps[danubetest.TrapRate] && *rate == 0 {
			return nil, errors.New("-trap Rate needs -dispatch-rate")
		}
		opts := []danubetest.Option{
			danubetest.WithLimits(limits), danubetest.WithMaxMessageSize(*size),
			danubetest.WithDispatchRate(*rate), danubetest.WithCache(*cache),
		}
		if *forget {
			opts = append(opts, danubetest.WithForgetAcked())
		}
		return opts, nil
	}
}
