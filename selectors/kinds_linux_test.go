package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/selectors"
)

var epollKind = kind{
	name:   "epoll",
	create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewEpollSelector() },
	kernel: true, noFiles: true,
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

// blocking returns the kind with all waits blocking in one way.
func (k kind) blocking(way wait.Way, name string) kind {
	k.name += name
	k.force = func(t *testing.T) { testkit.Force(t, way) }
	create := k.create
	k.create = func(t *testing.T) (selectors.BaseSelector, error) {
		k.force(t)
		return create(t)
	}
	return k
}
