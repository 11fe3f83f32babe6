package selectors_test

import (
	"testing"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/selectors"
)

var afdKind = kind{
	name:   "afd",
	create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewAfdSelector() },
	kernel: true, forgets: true, hidden: true, strays: true,
}

var kinds = []kind{
	selectKind,
	afdKind.blocking(0, ""),
	afdKind.blocking(wait.InKernel, " in the kernel"),
	afdKind.blocking(wait.Together, " together"),
}

// Under Wine, a poll that was waiting is completed by the thread that has started it, as soon as this thread gets to that.
func init() {
	lags = func(sel selectors.BaseSelector) bool {
		_, ok := sel.(*selectors.AfdSelector)
		return ok
	}
}

// errBadFd is the system's error for a descriptor that is not open, or not a socket.
const errBadFd = windows.WSAENOTSOCK
