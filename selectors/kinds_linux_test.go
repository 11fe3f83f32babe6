package selectors_test

import (
	"testing"

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
		t.Run(k.name, func(t *testing.T) { crowd(t, k, 2000, 32) })
	}
}
