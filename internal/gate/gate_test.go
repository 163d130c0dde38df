package gate

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		if !g.Pass(t.Context()) || g.Lift() {
			t.Error("a new gate is not open")
		}
		if !g.Shut() || g.Shut() {
			t.Error("Shut does not say whether it changed anything")
		}
		var passed atomic.Int32
		for range 3 {
			go func() {
				if g.Pass(t.Context()) {
					passed.Add(1)
				}
			}()
		}
		synctest.Wait()
		if n := passed.Load(); n != 0 {
			t.Errorf("%d passed a closed gate", n)
		}
		g.Lift()
		synctest.Wait()
		if n := passed.Load(); n != 3 {
			t.Errorf("%d of 3 passed the open gate", n)
		}
		g.Shut()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if g.Pass(ctx) {
			t.Error("Pass says that the gate was open")
		}
	})
}
