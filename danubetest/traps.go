package danubetest

// Trap is one way in which the real broker surprises its clients: it loses, repeats,
// reorders, withholds or refuses. Each is a switch, for [WithTraps] and [WithoutTraps];
// [WithProfile] sets them all. The numbers in the comments are those of the list of traps
// that the clients are tested against. TRAPS.md beside this file has them all in a table,
// with the profiles that have them and their tests.
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
	// messages, and can catch up another 1024, see [WithCache]. When it falls behind further it gets
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
	// TrapAckWaits (T24): an ack or a nack waits until the dispatcher takes it, when 32
	// commands are before it already and the dispatcher waits itself: for room with a
	// consumer, see [TrapNoStream], or for a message, see [TrapParked]. A client that acks
	// in the loop in which it receives and a dispatcher that sends to it then wait for each
	// other, until the ack's deadline. Without it, the ack is answered OK at once and done
	// when its turn comes.
	TrapAckWaits
	// TrapStale (T14): when a stream breaks that did not keep up, up to 4 messages stay
	// in the consumer's channel. They are the first on the next stream, before older
	// ones that are sent again, and then they come a second time.
	TrapStale
	// TrapSilentMove (T18): when a topic moves or is deleted, the streams of a subscription with a
	// parked dispatcher do not end. They are silent for ever; only HealthCheck tells, with
	// CLOSE. Without [TrapParked] this goes for every subscription.
	TrapSilentMove
	// TrapPrefix (T19): names are looked up by their beginning: TopicPartitions of a
	// topic that does not exist lists every topic whose name begins so, and such a topic
	// cannot be created. A lookup at a broker that does not have the topic answers with the
	// first one whose name begins so, and its broker.
	TrapPrefix
	// TrapBurst (T34): a stream of a NonReliable topic may lag 8 messages; what is more
	// is dropped. A consumer that has subscribed and has no stream yet gets the first 4.
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
	// TrapKeyBeat (6.11): a KeyShared subscription sends messages again, and does what its
	// failure policy says, at heartbeats only, one every 500 ms. What waits for its key or
	// for a consumer that was away goes out only after an ack, an ack timeout, or the end or
	// takeover of a stream. When [TrapKeyGone] forgets the last consumer, it is skipped.
	TrapKeyBeat
	// TrapKeyParked (T3): a KeyShared subscription that is behind, and has room in its
	// window but nothing to read, waits for the next message as with TrapParked. It is
	// behind while anything is not acked, so a consumer that needs more than 500 ms is
	// enough. While it waits it forgets no consumer either.
	TrapKeyParked
	// TrapKeyDrain (6.11): when a failure policy drops a message of a KeyShared
	// subscription or takes it to the dead letter topic, the messages that wait for the
	// same key are gone with it, and the cursor stays below them.
	TrapKeyDrain

	// TrapConcurrent (T5): of messages published to one topic at the same time, one now
	// and then becomes visible before the one with the offset below it. A subscription
	// that started at the newest message gets them in that order, the lower one perhaps
	// only with the next message; one that started from a cursor gets nothing more until
	// the topic is loaded again.
	TrapConcurrent
	// TrapHole (T23): a SendMessage that its client gives up while a fault delays it or
	// has it hang has taken its offset, and nothing is there until the topic is loaded
	// again. A subscription that started from a cursor stops at the hole and gets nothing
	// more; another's cursor stays below it.
	TrapHole
	// TrapLocal (T8): the brokers share no storage: whoever takes a topic over goes on with
	// its numbers and has none of its messages. A subscription that was not done with them
	// gets nothing more, one without a stored cursor starts at the newest message.
	TrapLocal
	// TrapRate (T16): where [WithDispatchRate] limits a subscription, what is read beyond
	// the rate is thrown away. Without it, the subscription waits.
	TrapRate
	// TrapRecreate (T33): a topic that is deleted and created again finds the stored cursors
	// of its old subscriptions, and begins at offset 0: those get nothing until the new
	// offsets have passed them. It finds the schema that was configured for the old one too.
	TrapRecreate
	// TrapFirstSubscribe (T35): when two first consumers of one subscription subscribe at
	// the same time, both are told OK, and the second one's subscription takes the place
	// of the first one's, whose consumer is unknown from then on.
	TrapFirstSubscribe
	// TrapLateInactive (6.3): the end of a stream that is taken over marks the new one
	// inactive: it is open and silent, and HealthCheck answers CLOSE. It happens to each
	// consumer once, the first time that Subscribe takes a live stream over.
	TrapLateInactive

	// TrapOneName (T9): an Exclusive subscription is refused to every other name for ever.
	// Without it, only while the first one has a stream, or may still open one.
	TrapOneName
	// TrapNoFailover (T10): a Failover subscription hands everything to the consumer that
	// was there first, there or not. Without it, to the first that is there.
	TrapNoFailover
	// TrapLateAck (T12): an ack of a message that waits to be sent again, because its
	// stream ended, it was nacked or its time ran out, is answered OK and ignored. Without
	// it, the ack counts.
	TrapLateAck
	// TrapOvertake (T13): while a nacked message waits to be sent again, later ones go on
	// being delivered. Without it, nothing new is.
	TrapOvertake
	// TrapBurn (T15): being sent again because a stream ended counts as an attempt.
	TrapBurn
	// TrapCleanEnd (T17): a stream that is taken over, or whose topic moves, ends cleanly,
	// with EOF. Without it, with ABORTED and UNAVAILABLE.
	TrapCleanEnd
	// TrapTheft (T20): whoever asks for a consumer's name has it, and two that want the
	// same one steal it from each other. Without it, Subscribe and ReceiveMessages are
	// answered ALREADY_EXISTS while the consumer's stream is open.
	TrapTheft
	// TrapReset (T21): a request without msg_id gets no answer but the reset of its stream.
	// Without it, INVALID_ARGUMENT.
	TrapReset
	// TrapOversize (T22): a message is larger as a delivery than as a request, because
	// its offset is filled in. One that just fits into the 4 MiB of a request is then above
	// what gRPC clients take if nobody tells them otherwise, and ends their stream each
	// time it is sent; the end of a stream never exhausts a message. Without it, SendMessage
	// leaves 1 KiB for that and is answered OUT_OF_RANGE beyond.
	TrapOversize
	// TrapDeadOwner (T32): while the topics of a broker that was killed stay with it, see
	// [Timing], lookups at the others send clients to it, and nobody answers there. Without
	// it, they are answered NOT_FOUND, as while a topic moves.
	TrapDeadOwner
	// TrapPolicy (T25): a failure policy that the admin service is given holds for
	// subscriptions that are loaded later, and the next new consumer of one that is loaded
	// writes the old policy back. Without it, it holds at once.
	TrapPolicy
	// TrapDeadLetter (T26): a message goes to the dead letter topic without its key, its
	// schema, its producer and its time. Without it, with them.
	TrapDeadLetter
	// TrapNamespace (T27): a missing namespace is answered UNAVAILABLE, though no retry
	// helps. Without it, NOT_FOUND.
	TrapNamespace
	// TrapLeak (T28): producers and consumers are known as long as their topic is loaded,
	// whether anybody uses them or not. Without it, one that nobody has used for a minute
	// is forgotten: a producer that neither sends nor asks for its health, a consumer that
	// has no stream.
	TrapLeak
	// TrapGrants (T29): ReceiveMessages, Ack and Nack need the permission to consume on the
	// whole cluster. Without it, on their topic. See [WithGrants].
	TrapGrants
	// TrapNoName (T30): deliveries have in subscription_name what the producer put there.
	// Without it, the subscription's name.
	TrapNoName
	// TrapListing (T31): TopicPartitions lists partitions by text, 10 before 2. Without
	// it, by number.
	TrapListing
	// TrapBlock (T36): a message that is exhausted stays so until its topic is loaded
	// again. Without it, a new stream of its consumer tries it anew.
	TrapBlock
	// TrapOrphan: a NonReliable topic that is to move leaves its broker and never gets
	// another: nobody can publish to it or subscribe any more.
	TrapOrphan

	traps = int(TrapOrphan) + 1
)
