//go:build unix

package testkit

import (
	"testing"

	"github.com/pyselect/pyselect"
)

// NewPoll returns a Poll with POLLIN for each descriptor.
func NewPoll(t testing.TB, fds ...int) *pyselect.Poll {
	t.Helper()
	p := pyselect.NewPoll()
	for _, fd := range fds {
		Check(t, p.Register(fd, pyselect.POLLIN))
	}
	return p
}

// PollIn returns the events of descriptors that are readable.
func PollIn(fds ...int) (events []pyselect.PollEvent) {
	for _, fd := range fds {
		events = append(events, pyselect.PollEvent{Fd: fd, Events: pyselect.POLLIN})
	}
	return events
}

// WantPoll checks what is ready now.
func WantPoll(t testing.TB, p *pyselect.Poll, want ...pyselect.PollEvent) {
	t.Helper()
	events, err := p.Poll(0)
	Check(t, err)
	Equal(t, "ready", events, want...)
}
