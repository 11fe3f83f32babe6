package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/selectors"
)

var epollKind = kind{
	name:   "epoll",
	create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewEpollSelector() },
	kernel: true, forgets: true, noFiles: true,
}

var kinds = []kind{
	selectKind.blocking(0, ""),
	pollKind.blocking(0, ""),
	epollKind.blocking(0, ""),
	epollKind.blocking(wait.InKernel, " in the kernel"),
	epollKind.blocking(wait.Parked, " parked"),
	epollKind.blocking(wait.Together, " together"),
	selectKind.blocking(wait.Together, " together"),
	pollKind.blocking(wait.Together, " together"),
}

func TestCrowdsOccupyNoThreads(t *testing.T) {
	for _, k := range kinds[:3] {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			testkit.Crowd(t, 2000, 32, func(own, common int) func() (int, error) {
				sel, err := k.create(t)
				testkit.Check(t, err)
				t.Cleanup(func() { testkit.Check(t, sel.Close()) })
				register(t, sel, own, read, nil)
				register(t, sel, common, read, nil)
				return func() (int, error) {
					ready, err := sel.Select(pyselect.Forever)
					return len(ready), err
				}
			})
		})
	}
}
