package selectors_test

import (
	"testing"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/selectors"
)

var kinds = []kind{
	{
		name:    "select",
		create:  func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewDefaultSelector() },
		ordered: true,
	},
}

// errBadFd is the system's error for a descriptor that is not open, or not a socket.
const errBadFd = windows.WSAENOTSOCK
