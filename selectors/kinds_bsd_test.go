//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/selectors"
)

var kqueueKind = kind{
	name:   "kqueue",
	create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewKqueueSelector() },
	kernel: true,
}

var kinds = []kind{
	selectKind,
	pollKind,
	kqueueKind.blocking(0, ""),
	kqueueKind.blocking(wait.InKernel, " in the kernel"),
	kqueueKind.blocking(wait.Together, " together"),
}

func TestCrowdOccupiesNoThreads(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Crowd(t, 300, 16, func(own, common int) func() (int, error) {
		sel, err := kqueueKind.create(t)
		check(t, err)
		t.Cleanup(func() { check(t, sel.Close()) })
		register(t, sel, own, read, nil)
		register(t, sel, common, read, nil)
		return func() (int, error) {
			ready, err := sel.Select(pyselect.Forever)
			return len(ready), err
		}
	})
}
