package testkit

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/wait"
)

// EachWay runs a test with Epolls that block in each way.
func EachWay(t *testing.T, test func(t *testing.T)) {
	for _, way := range []struct {
		name string
		wait.Way
	}{{"in the kernel", wait.InKernel}, {"parked", wait.Parked}, {"together", wait.Together}} {
		t.Run(way.name, func(t *testing.T) {
			NoLeaks(t)
			Force(t, way.Way)
			test(t)
		})
	}
}

// NewEpoll returns an Epoll with EPOLLIN and flags for each descriptor.
func NewEpoll(t testing.TB, flags pyselect.EpollMask, fds ...int) *pyselect.Epoll {
	t.Helper()
	e, err := pyselect.NewEpoll()
	Check(t, err)
	t.Cleanup(func() { Check(t, e.Close()) })
	for _, fd := range fds {
		Check(t, e.Register(fd, pyselect.EPOLLIN|flags))
	}
	return e
}

// EpollFd returns the descriptor of an Epoll.
func EpollFd(t testing.TB, e *pyselect.Epoll) int {
	t.Helper()
	fd, err := e.Fileno()
	Check(t, err)
	return fd
}

// EpollIn returns the events of descriptors that are readable.
func EpollIn(fds ...int) (events []pyselect.EpollEvent) {
	for _, fd := range fds {
		events = append(events, pyselect.EpollEvent{Fd: fd, Events: pyselect.EPOLLIN})
	}
	return events
}

// WantEpoll checks what is ready now, in any order.
func WantEpoll(t testing.TB, e *pyselect.Epoll, want ...pyselect.EpollEvent) {
	t.Helper()
	events, err := e.Poll(0, -1)
	Check(t, err)
	SortByFd(events)
	SortByFd(want)
	Equal(t, "ready", events, want...)
}

// SortByFd sorts events by their descriptors.
func SortByFd(events []pyselect.EpollEvent) {
	slices.SortFunc(events, func(a, b pyselect.EpollEvent) int { return a.Fd - b.Fd })
}

// A Waiter is a Poll in a goroutine of its own.
type Waiter struct {
	*Call
	Events []pyselect.EpollEvent
	Err    error
}

// StartPoll returns when the goroutine is blocked.
func StartPoll(t testing.TB, e *pyselect.Epoll, timeout time.Duration) *Waiter {
	t.Helper()
	w := new(Waiter)
	w.Call = Go(t, func() { w.Events, w.Err = e.Poll(timeout, -1) })
	w.Blocked()
	return w
}

// Want waits until the Poll has returned, and checks what.
func (w *Waiter) Want(t testing.TB, events ...pyselect.EpollEvent) {
	t.Helper()
	w.Wait()
	Check(t, w.Err)
	Equal(t, "Poll returned", w.Events, events...)
}

// WantClosed waits until the Poll has returned, and checks that it says that the Epoll is closed.
func (w *Waiter) WantClosed(t testing.TB) {
	t.Helper()
	w.Wait()
	WantError(t, w.Err, os.ErrClosed, "epoll.poll")
	Equal(t, "Poll returned", w.Events)
}
