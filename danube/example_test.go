package danube_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/danube-messaging/danube-connect-go/danube"
	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// startBroker stands for the cluster of the examples.
func startBroker() (url string, stop func()) {
	b, err := danubetest.New()
	if err != nil {
		log.Fatal(err)
	}
	return b.URL(), func() { b.Close() }
}

// A producer and a consumer, from opening to closing.
func Example() {
	url, stop := startBroker()
	defer stop()
	ctx := context.Background()

	client, err := danube.Open(danube.Config{
		Seeds:  []string{url}, // such as http://localhost:6650
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)

	// A new subscription starts with what is published after it.
	consumer, err := client.NewConsumer(ctx, danube.ConsumerConfig{
		Topic:        "/default/orders",
		Subscription: "billing",
		Name:         "billing-1", // stable: the next run of this program has the same
		CreateTopic:  true,
	})
	if err != nil {
		log.Fatal(err)
	}
	producer, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: "/default/orders", Name: "shop"})
	if err != nil {
		log.Fatal(err)
	}

	if _, err := producer.Send(ctx, &danube.Outgoing{Payload: []byte("two coffees"), Key: "table 7"}); err != nil {
		log.Fatal(err)
	}
	m, err := consumer.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("offset %d from %s: %s for %s\n", m.Offset, m.ProducerName, m.Payload, m.Key)
	if err := consumer.Ack(m); err != nil {
		log.Fatal(err)
	}
	if err := consumer.Close(ctx); err != nil { // sends the acks that are not out
		log.Fatal(err)
	}
	// Output:
	// offset 0 from shop: two coffees for table 7
}

// SendAsync publishes without waiting for each answer; Close waits for all.
func ExampleProducer_SendAsync() {
	url, stop := startBroker()
	defer stop()
	ctx := context.Background()
	client, err := danube.Open(danube.Config{Seeds: []string{url}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)

	producer, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: "/default/orders", Name: "shop", Partitions: 2})
	if err != nil {
		log.Fatal(err)
	}
	published := make(chan int32, 4)
	for range 4 {
		err := producer.SendAsync(ctx, &danube.Outgoing{Payload: []byte("one coffee")}, func(r danube.Receipt, err error) {
			if err != nil {
				log.Print(err) // such as ErrTooLarge: this message fails, the next one may not
			}
			published <- r.Partition
		})
		if err != nil {
			log.Fatal(err) // not accepted
		}
	}
	if err := producer.Close(ctx); err != nil {
		log.Fatal(err)
	}
	count := map[int32]int{}
	for range 4 {
		count[<-published]++
	}
	fmt.Println("by partition:", count)
	// Output:
	// by partition: map[0:2 1:2]
}

// With a Handler messages come as calls. It must not block for long: here it hands
// them on.
func ExampleConsumerConfig_handler() {
	url, stop := startBroker()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := danube.Open(danube.Config{Seeds: []string{url}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)

	work := make(chan *danube.Message, 100)
	consumer, err := client.NewConsumer(ctx, danube.ConsumerConfig{
		Topic: "/default/orders", Subscription: "billing", Name: "billing-1", CreateTopic: true,
		Handler: func(m *danube.Message) { work <- m },
		OnSession: func(e danube.SessionEvent) {
			if e.State == danube.Ready {
				fmt.Println("receiving", e.Topic)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	producer, err := client.NewProducer(ctx, danube.ProducerConfig{Topic: "/default/orders", Name: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	for _, order := range []string{"tea", "cake"} {
		if _, err := producer.Send(ctx, &danube.Outgoing{Payload: []byte(order)}); err != nil {
			log.Fatal(err)
		}
	}
	for range 2 {
		m := <-work
		fmt.Printf("%s\n", m.Payload)
		if err := consumer.Ack(m); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// receiving /default/orders
	// tea
	// cake
}
