package danubetest_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"

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

// The metrics of a broker in memory.
func ExampleBroker_MetricsTransport() {
	b, err := danubetest.New(danubetest.WithBufconn())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	b.Publish("/default/orders", []byte("hello"))

	client := http.Client{Transport: b.MetricsTransport()}
	resp, err := client.Get(b.MetricsURL())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), `messages_in_total{broker="1",topic=`) {
			fmt.Println(lines.Text())
		}
	}
	// Output: danube_topic_messages_in_total{broker="1",topic="/default/orders"} 1
}
