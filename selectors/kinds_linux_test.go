package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/selectors"
)

var kinds = []kind{
	{
		name:    "select",
		create:  func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewSelectSelector() },
		ordered: true,
	},
	{
		name:    "poll",
		create:  func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewPollSelector() },
		ordered: true,
	},
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
	{
		name:   "default",
		create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewDefaultSelector() },
		kernel: true, noFiles: true,
	},
}
