package danubetest_test

import (
	"fmt"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// A broker can be arranged and looked at without any client.
func Example() {
	b, err := danubetest.New(danubetest.WithTopic("/default/orders", danubetest.TopicConfig{Partitions: 2}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	b.CreateSubscription("/default/orders", "sink", danubetest.SubOpts{})
	for i := range 3 {
		b.Publish("/default/orders", fmt.Appendf(nil, "order %d", i))
	}
	for _, m := range b.Messages("/default/orders") {
		fmt.Printf("%s at %d: %s\n", m.Topic, m.Offset, m.Payload)
	}
	info, _ := b.Subscription("/default/orders", "sink")
	fmt.Println("pending:", info.Pending)
	// Output:
	// /default/orders-part-0 at 0: order 0
	// /default/orders-part-0 at 1: order 2
	// /default/orders-part-1 at 0: order 1
	// pending: 3
}
