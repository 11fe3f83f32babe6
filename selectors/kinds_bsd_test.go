//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package selectors_test

import (
	"os"
	"strings"
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/selectors"
)

var kqueueKind = kind{
	name:   "kqueue",
	create: func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewKqueueSelector() },
	kernel: true, forgets: true,
}

var kinds = []kind{
	selectKind,
	pollKind,
	kqueueKind.blocking(0, ""),
	kqueueKind.blocking(wait.InKernel, " in the kernel"),
	kqueueKind.blocking(wait.Together, " together"),
}

func TestCrowdOccupiesNoThreads(t *testing.T) {
	crowd(t, kqueueKind, 300, 16)
}

// What a kqueue cannot watch, a SelectSelector can, and the error says so.
func TestKqueueRefuses(t *testing.T) {
	testkit.NoLeaks(t)
	device, err := os.Open(os.DevNull)
	check(t, err)
	defer device.Close()
	sel, err := selectors.NewKqueueSelector()
	check(t, err)
	defer sel.Close()
	key, err := sel.Register(device, read, nil)
	if err == nil {
		selects(t, sel, pyselect.Forever, key.Fd, read)
		return
	}
	if !strings.Contains(err.Error(), "a SelectSelector can") {
		t.Errorf("error is %v", err)
	}
	other, err := selectors.NewSelectSelector()
	check(t, err)
	defer other.Close()
	selects(t, other, pyselect.Forever, register(t, other, device, read, nil).Fd, read)
}
