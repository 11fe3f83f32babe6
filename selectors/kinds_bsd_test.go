//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect/selectors"
)

var kinds = []kind{
	selectKind,
	pollKind,
	{
		name:   "kqueue",
		create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewKqueueSelector() },
		kernel: true,
	},
}
