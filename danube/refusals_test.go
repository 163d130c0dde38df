package danube

import (
	"testing"
	"testing/synctest"
	"time"
)

// A verdict that may change does so when its time is up, and an outage or another refusal
// in between begins the time anew.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unknown := judgeRefusal("Schema ID 7 not found in registry")
		strange := judgeRefusal("the moon is full")
		away := verdict{class: classSession, ambiguous: true}
		var d doubt
		for i, step := range []struct {
			wait time.Duration
			v    verdict
			want class
		}{
			{0, unknown, classTransient},
			{time.Second, unknown, classTransient},
			{10 * time.Second, away, classSession},
			{0, unknown, classTransient},
			{unknownSchemaPatience - 1, unknown, classTransient},
			{time.Second, strange, classTransient},
			{unknownRefusalPatience - 1, strange, classTransient},
			{0, unknown, classTransient},
			{unknownSchemaPatience, unknown, classMessage},
			{0, strange, classTransient},
			{unknownRefusalPatience, strange, classFatal},
		} {
			time.Sleep(step.wait)
			if got := d.class(step.v); got != step.want {
				t.Errorf("step %d: class %v, want %v", i, got, step.want)
			}
		}
	})
}
