package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/selectors"
)

var kinds = []kind{
	selectKind,
	pollKind,
	{
		name:   "epoll",
		create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewEpollSelector() },
		kernel: true, noFiles: true,
	},
	{
		name: "epoll without parking",
		create: func(t *testing.T) (selectors.BaseSelector, error) {
			sys.ForbidParking.Store(true)
			t.Cleanup(func() { sys.ForbidParking.Store(false) })
			return selectors.NewEpollSelector()
		},
		kernel: true, noFiles: true,
	},
}
