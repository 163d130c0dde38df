// Package danubetest is a Danube broker in the process of the program that uses
// it. It speaks the real protocol over real gRPC, so clients and connectors run
// against it unchanged: in tests, in virtual time too, in examples and benchmarks.
//
//	func TestSink(t *testing.T) {
//		b := danubetest.Run(t)
//		b.CreateSubscription("/default/orders", "sink", danubetest.SubOpts{})
//		b.Publish("/default/orders", []byte("hello"))
//		runSink(t, b.URL())
//		if err := b.WaitAcked(t.Context(), "/default/orders", "sink", 1); err != nil {
//			t.Fatal(err)
//		}
//	}
//
// # What it promises
//
// It keeps everything in memory and loses nothing of a reliable topic: messages are
// delivered until they are acknowledged (or dropped by a failure policy that says
// so), and [Broker.Stop] followed by [Broker.Start] keeps topics, messages, offsets
// and cursors. Everything else follows the broker of version 0.15: names, status
// codes and their texts, the window of unacknowledged messages per subscription,
// takeover by consumer name, redelivery delays, and also what is odd there: an
// acknowledgement that comes after the message was scheduled again is answered OK
// and ignored. UNSUPPORTED.md beside this file lists what is not there.
//
// A message that was delivered is again in the subscription's hands when its
// stream ends, and nothing but the cursor outlives a restart: what was acknowledged
// above an older unacknowledged message comes again, and counts of attempts start
// again.
//
// # Time
//
// The package has no clock of its own; it uses package time, so in a bubble of
// testing/synctest it runs on the bubble's time. There, create it inside the bubble,
// with [WithBufconn], and hand [Broker.DialOption] to the client.
//
// # Profiles
//
// What is promised above is the profile Sound, the default. A client that survives it
// has not been shown to survive a real broker, which loses, repeats, reorders and
// withholds messages in ways that are known: each is a [Trap], and [WithProfile] with
// [Real] has what a real broker has. TRAPS.md beside this file has a table of them.
//
// # Clusters
//
// [WithBrokers] makes several brokers over one set of topics. Every topic has one of
// them, to which the others redirect. [Broker.MoveTopic] and [Broker.UnloadTopic] move
// topics as an operator does, [Broker.KillBroker] and [Broker.StartBroker] are
// accidents, [WithProxy] puts a proxy before all of them.
//
// # Schemas
//
// The schema registry answers on the brokers' port, as the admin service does. Topics
// check their messages against it as the real broker's do, see [TopicSchema].
// [Broker.RegisterSchema] and [Broker.SetTopicSchema] arrange it without a client.
//
// # Security
//
// [WithTLS] and [WithTokens] are there each by itself; [WithTokenVerifier] with
// [VerifyJWT] takes what the real broker takes. [WithGrants] adds permissions.
//
// # Checks
//
// [Broker.CheckAcked], [Broker.CheckAtLeastOnce], [Broker.CheckDeadLetters],
// [Broker.CheckOrderPerKey] and others fail a test that ends with something amiss, and say
// what. [WithSeed] repeats what is random.
//
// # Metrics
//
// Each broker counts as the real one does, with the same names. [Broker.MetricsHandler]
// says what they are worth; [WithMetrics] and [Broker.MetricsTransport] lead there.
//
// # Faults
//
// [Broker.Fault] makes chosen requests fail, hang, take longer or succeed with an
// answer that says otherwise, spoils deliveries, and breaks connections or makes them go
// dead without a word. Under [Run] a fault that never fired fails the test.
package danubetest
