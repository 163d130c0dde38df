package danubetest

import "fmt"

// Trap is one way in which the real broker surprises its clients: it loses, repeats,
// reorders or withholds messages. Each can be switched on by itself, with [WithTraps];
// [WithProfile] switches all on. The numbers in the comments are those of the list of
// traps that the clients are tested against.
//
// Some of them are no switches, because this broker always does what the real one does:
// an Exclusive subscription is refused to every other name for ever (T9); acks of
// messages that wait to be sent again are answered OK and ignored (T12); a nack lets
// later messages overtake (T13); redeliveries after lost streams count as attempts
// (T15); a Failover subscription never fails over (T10); a stream that is taken over ends with a clean EOF (T17), and two owners of one
// name steal it from each other (T20); requests without msg_id are reset (T21); producers
// and consumers are never forgotten while their topic is loaded (T28).
type Trap int

const (
	// TrapUnflushed (T1): what was published is in memory and goes to disk every 5 s.
	// [Broker.KillBroker] loses what is not there yet, though its publishers were told
	// OK.
	TrapUnflushed Trap = iota + 1
	// TrapLatest (T2): when the broker restarts or the topic moves, a subscription is
	// forgotten until somebody subscribes. Then it goes on behind its stored cursor,
	// and, when none was stored, starts behind the newest message: everything that was
	// not consumed is skipped.
	TrapLatest
	// TrapCursor: the cursor is stored by an ack, and only when 10 s have passed since
	// the last time, or since the subscription was loaded. A restart repeats what was
	// acked since then. A move stores it first.
	TrapCursor
	// TrapParked (T3): a dispatcher that believes there is something to read, when there
	// is not, waits for the next message of the topic and does nothing else: no acks, no
	// nacks, no timeouts, no redeliveries. It believes so after it was loaded on a topic
	// that is not empty, until it has sent something; when the newest message in flight
	// is settled before an older one; and, once messages were skipped, whenever all
	// that it sent are settled.
	TrapParked
	// TrapTail (T4): a subscription that started at the newest message reads the last
	// 256 messages of its topic. When it falls behind further, because its consumers are
	// slow or away, it skips what is older, and its cursor stays there.
	TrapTail
	// TrapLag (17.2): a subscription that started from a stored cursor reads ahead 1024
	// messages, and can catch up another 1024. When it falls behind further it gets
	// what was read ahead, and then nothing more until the topic is loaded again.
	TrapLag
	// TrapRenumber (T6): after a restart offsets start at 0 again. A subscription with a
	// stored cursor gets the messages after it that were there before, one for each new
	// message once the new offsets have passed the one it got last, and then the new ones
	// from where the old ones ended: those before never. When another broker takes over
	// for a dead one, the old messages are gone.
	TrapRenumber
	// TrapNoStream (T7): a consumer without a stream, but with a Subscribe behind it, is
	// handed messages. It has room for 4; then its subscription does nothing more,
	// and after 32 further requests the topic's publishers wait.
	TrapNoStream
	// TrapStale (T14): when a stream breaks that did not keep up, up to 4 messages stay
	// in the consumer's channel. They are the first on the next stream, before older
	// ones that are sent again, and then they come a second time.
	TrapStale
	// TrapSilentMove (T18): when a topic moves, the streams of a subscription with a
	// parked dispatcher do not end. They are silent for ever; only HealthCheck tells, with
	// CLOSE. Without [TrapParked] this goes for every subscription.
	TrapSilentMove
	// TrapPrefix (T19): names are looked up by their beginning: TopicPartitions of a
	// topic that does not exist lists every topic whose name begins so, and such a topic
	// cannot be created.
	TrapPrefix
	// TrapBurst (T34): a stream of a NonReliable topic may lag 8 messages; what is more
	// is dropped.
	TrapBurst

	// TrapKeyPace (6.11): a KeyShared subscription reads one message when one is
	// published and one every 500 ms, so what is left over takes its time.
	TrapKeyPace
	// TrapKeyGone (T11): a KeyShared consumer that is away for 3 s is forgotten. What it
	// had in flight counts as acked, and nothing is ever handed to that name again.
	TrapKeyGone
	// TrapKeySkip (6.11): a KeyShared subscription skips messages that the filters of none
	// of its consumers let through. Without it they wait for such a consumer.
	TrapKeySkip

	traps = int(TrapKeySkip) + 1
)

var trapNames = [traps]string{
	"none", "Unflushed", "Latest", "Cursor", "Parked", "Tail", "Lag", "Renumber", "NoStream",
	"Stale", "SilentMove", "Prefix", "Burst",
	"KeyPace", "KeyGone", "KeySkip",
}

// String returns the constant's name without its beginning.
func (t Trap) String() string {
	if t < 0 || int(t) >= traps {
		return "unknown"
	}
	return trapNames[t]
}

// Profile is a choice of traps.
type Profile int

const (
	// Sound has no traps: nothing of a reliable topic is ever lost. It is the default.
	Sound Profile = iota
	// Real has all traps, and creates topics as [WithClusterCreate] does: a client that
	// survives here has a chance with a real broker.
	Real
)

// WithProfile chooses the traps, in place of those chosen before.
func WithProfile(p Profile) Option {
	return func(c *config) error {
		if p != Sound && p != Real {
			return fmt.Errorf("profile: %d: want Sound or Real", p)
		}
		for i := range c.traps {
			c.traps[i] = p == Real
		}
		c.clusterCreate = c.clusterCreate || p == Real
		return nil
	}
}

// WithTraps switches traps on.
func WithTraps(list ...Trap) Option { return setTraps(list, true) }

// WithoutTraps switches traps off.
func WithoutTraps(list ...Trap) Option { return setTraps(list, false) }

func setTraps(list []Trap, on bool) Option {
	return func(c *config) error {
		for _, t := range list {
			if t < 1 || int(t) >= traps {
				return fmt.Errorf("trap: %d is unknown", t)
			}
			c.traps[t] = on
		}
		return nil
	}
}

// trap reports whether a trap is on.
func (c *core) trap(t Trap) bool { return c.cfg.traps[t] }
