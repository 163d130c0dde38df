package connect_test

import (
	"errors"
	"fmt"
	"time"

	connect "github.com/danube-messaging/danube-connect-go"
)

func ExampleKindOf() {
	cause := errors.New("503 Service Unavailable")
	for _, err := range []error{
		cause, // nothing is known of it
		connect.RetryableAfter(cause, 2*time.Second),
		connect.InvalidDataf("column %q is missing", "id"),
		fmt.Errorf("write: %w", connect.Fatal(cause)),
		errors.Join(cause, connect.InvalidDataf("row 7")),
	} {
		fmt.Println(connect.KindOf(err))
	}
	// Output:
	// retryable
	// retryable
	// invalid data
	// fatal
	// invalid data
}

func ExampleNewTestRecord() {
	type order struct {
		ID int `json:"id"`
	}
	rec := connect.NewTestRecord("/default/orders", []byte(`{"id":"seven"}`))
	_, err := connect.JSON[order](rec)
	fmt.Println(connect.IsInvalidData(err))
	fmt.Println(err)
	// Output:
	// true
	// invalid data: record /default/orders@0: payload as JSON: json: cannot unmarshal string into Go struct field order.id of type int
}
