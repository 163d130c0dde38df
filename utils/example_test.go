package utils_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/danube-messaging/danube-connect-go/utils"
)

// A batcher beside a timer: the timer is set whenever a first item came, and what
// is left at the end is flushed.
func ExampleBatcher() {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for _, l := range []string{"a", "b", "c", "d", "e"} {
			lines <- l
		}
	}()

	b := utils.NewBatcher[string](2, time.Minute)
	var due <-chan time.Time
	flush := func() {
		due = nil
		if items := b.Flush(); items != nil {
			fmt.Println(items)
		}
	}
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				flush()
				return
			}
			if b.Add(line) {
				flush()
			} else if wait, ok := b.Due(); ok {
				due = time.After(wait)
			}
		case <-due:
			flush()
		}
	}
	// Output:
	// [a b]
	// [c d]
	// [e]
}

func ExampleHealthChecker() {
	h := utils.NewHealthChecker(3)
	for range 3 {
		_ = h.Record(errors.New("connection refused"))
		fmt.Println(h.ConsecutiveFailures(), h.Status(), h.Healthy())
	}
	h.RecordSuccess()
	fmt.Println(h.ConsecutiveFailures(), h.Status(), h.Healthy())
	// Output:
	// 1 degraded true
	// 2 degraded true
	// 3 unhealthy false
	// 0 healthy true
}

func ExampleJSONFromBytes() {
	type order struct {
		ID int `json:"id"`
	}
	o, err := utils.JSONFromBytes[order]([]byte(`{"id": 7}`))
	fmt.Println(o.ID, err)
	_, err = utils.JSONFromBytes[order]([]byte(`{"id": "seven"}`))
	fmt.Println(err)
	// Output:
	// 7 <nil>
	// decode JSON: json: cannot unmarshal string into Go struct field order.id of type int
}
