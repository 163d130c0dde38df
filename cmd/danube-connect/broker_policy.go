package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// policyFlags are the flags for what happens to messages that are not acknowledged.
func policyFlags(fs *flag.FlagSet) group {
	var opts []danubetest.Option
	fs.Func("failure-policy", "what happens to unacknowledged messages, `field=value,...`: max-redeliveries, ack-timeout, base-delay, max-delay,"+
		" backoff (exponential or fixed), poison (block, drop or dead-letter), dead-letter-topic; with subscription=NAME,"+
		" in subscriptions of that name, else in all that have none of their own (repeatable)",
		func(s string) error {
			name, p, err := parsePolicy(s)
			if err != nil {
				return err
			}
			opts = append(opts, danubetest.WithFailurePolicy(name, p))
			return nil
		})
	return func(*flags) ([]danubetest.Option, error) { return opts, nil }
}

// parsePolicy reads a failure policy and the name of the subscriptions that it is for,
// empty for all.
func parsePolicy(s string) (subscription string, p danubetest.FailurePolicy, err error) {
	seen := make(map[string]bool)
	for field := range strings.SplitSeq(s, ",") {
		key, text, ok := strings.Cut(field, "=")
		switch {
		case !ok:
			return "", p, fmt.Errorf("%q: want field=value", field)
		case seen[key]:
			return "", p, fmt.Errorf("%s is there twice", key)
		}
		seen[key] = true
		switch key {
		case "subscription":
			if subscription = text; text == "" {
				err = fmt.Errorf("subscription: want a name, or leave it out for all")
			}
		case "max-redeliveries":
			p.MaxRedeliveries, err = redeliveries(text)
		case "ack-timeout":
			p.AckTimeout, err = policyTime(key, text)
		case "base-delay":
			p.BaseDelay, err = policyTime(key, text)
		case "max-delay":
			p.MaxDelay, err = policyTime(key, text)
		case "backoff":
			p.Backoff, err = oneOf(key, text, map[string]danubetest.Backoff{"exponential": danubetest.Exponential, "fixed": danubetest.Fixed}, "exponential or fixed")
		case "poison":
			p.Poison, err = oneOf(key, text, map[string]danubetest.Poison{
				"block": danubetest.Block, "drop": danubetest.Drop, "dead-letter": danubetest.DeadLetter,
			}, "block, drop or dead-letter")
		case "dead-letter-topic":
			p.DeadLetterTopic = text
			_, err = topicName(text)
		default:
			err = fmt.Errorf("there is no field %q; -h lists them", key)
		}
		if err != nil {
			return "", p, err
		}
	}
	if dead := p.Poison == danubetest.DeadLetter; dead != (p.DeadLetterTopic != "") {
		return "", p, fmt.Errorf("poison=dead-letter and dead-letter-topic need each other")
	}
	return subscription, p, nil
}

// redeliveries reads how often a message may come again. The option takes 0 for its
// default; here it means what it says.
func redeliveries(s string) (int, error) {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || n < 0:
		return 0, fmt.Errorf("max-redeliveries %q: want a number, 0 or more", s)
	case n == 0:
		return -1, nil
	}
	return n, nil
}

func policyTime(key, s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s %q: want a duration such as 5s, more than 0s", key, s)
	}
	return d, nil
}

func oneOf[T any](key, s string, values map[string]T, names string) (T, error) {
	v, ok := values[s]
	if !ok {
		return v, fmt.Errorf("%s %q: want %s", key, s, names)
	}
	return v, nil
}
