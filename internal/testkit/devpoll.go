//go:build solaris || emulated_devpoll

package testkit

import (
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/wait"
)

// NewDevpoll returns a Devpoll with POLLIN for each descriptor. All waits of the test block in the kernel: it has no other way, and
// the engine of Linux, where the emulation is, does not know that.
func NewDevpoll(t testing.TB, fds ...int) *pyselect.Devpoll {
	t.Helper()
	Force(t, wait.InKernel)
	d, err := pyselect.NewDevpoll()
	Check(t, err)
	t.Cleanup(func() { Check(t, d.Close()) })
	for _, fd := range fds {
		Check(t, d.Register(fd, pyselect.POLLIN))
	}
	return d
}
