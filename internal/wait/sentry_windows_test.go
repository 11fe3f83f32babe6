package wait_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

// A sentry that has called is collected like others: the port does not hold on to it.
func TestSentryIsCollected(t *testing.T) {
	set, err := sys.NewAfdSet()
	testkit.Check(t, err)
	defer set.Close()
	a, _ := testkit.Socketpair(t)
	testkit.Check(t, set.Add(a, sys.Out))
	var collected atomic.Bool
	func() {
		s, err := wait.NewSentry()
		testkit.Check(t, err)
		s.OnCollected(func() { collected.Store(true) })
		s.Wait(set.Entries(nil)[0])
	}()
	testkit.Eventually(t, "the sentry to be collected", func() bool {
		runtime.GC()
		return collected.Load()
	})
}
