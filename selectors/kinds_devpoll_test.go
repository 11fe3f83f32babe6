//go:build solaris || emulated_devpoll

package selectors_test

import (
	"testing"

	"github.com/pyselect/pyselect/selectors"
)

var devpollKind = kind{
	name:   "devpoll",
	create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewDevpollSelector() },
	kernel: true,
}
