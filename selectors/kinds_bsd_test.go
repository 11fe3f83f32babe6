//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package selectors_test

import (
	"testing"

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
		name:   "kqueue",
		create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewKqueueSelector() },
		kernel: true,
	},
	{
		name:   "default",
		create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewDefaultSelector() },
		kernel: true,
	},
}
