package connect_test

import (
	"fmt"
	"log/slog"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

// Configuration made in code alone: neither a file nor the environment is read. All
// that is wrong with it comes in one error.
func Example_configFromCode() {
	c := connect.DefaultConfig()
	c.ServiceURL = "http://broker-1:6650,http://broker-2:6650"
	c.ConnectorName = "orders-to-screen"
	c.SourceTopic = "/default/orders"
	c.SubscriptionName = "orders to screen"
	c.DrainTimeout = 5 * time.Second
	c.BatchSize = 0

	_, err := connect.NewSinkRuntime(&orderSink{}, connect.WithConfig(c))
	fmt.Println(err)
	fmt.Println("exit code", connect.ExitCode(err))

	c.SubscriptionName, c.BatchSize = "orders-to-screen", 100
	_, err = connect.NewSinkRuntime(&orderSink{}, connect.WithConfig(c), connect.WithLogger(slog.New(slog.DiscardHandler)))
	fmt.Println(err)
	// Output:
	// configuration: 2 problems:
	//   subscription_name = "orders to screen" (code): expected letters, digits, _ and - only
	//   batch_size = "0" (code): expected at least 1
	// exit code 2
	// <nil>
}
