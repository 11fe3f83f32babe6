//go:build solaris || emulated_devpoll

package testkit

import (
	"testing"

	"github.com/pyselect/pyselect"
)

// NewDevpoll returns a Devpoll with POLLIN for each descriptor.
func NewDevpoll(t testing.TB, fds ...int) *pyselect.Devpoll {
	t.Helper()
	d, err := pyselect.NewDevpoll()
	Check(t, err)
	t.Cleanup(func() { Check(t, d.Close()) })
	for _, fd := range fds {
		Check(t, d.Register(fd, pyselect.POLLIN))
	}
	return d
}
