//go:build solaris || emulated_devpoll

package sys_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

// newDevpoll returns a set with entries.
func newDevpoll(t *testing.T, entries ...sys.PollFd) int {
	t.Helper()
	devpoll, err := sys.OpenDevpoll()
	check(t, err)
	t.Cleanup(func() { unix.Close(devpoll) })
	for _, e := range entries {
		check(t, sys.DevpollPut(devpoll, int(e.Fd), uint16(e.Events)))
	}
	return devpoll
}

// wantFound checks what a wait with room for some entries finds.
func wantFound(t *testing.T, devpoll, room int, want ...sys.PollFd) {
	t.Helper()
	found := make([]sys.PollFd, room)
	n, err := sys.DevpollWait(devpoll, found, sys.Now)
	check(t, err)
	for i := range found[:n] {
		found[i].Events = 0 // which says nothing of what is POLLNVAL
	}
	testkit.Equal(t, "found", found[:n], want...)
}

func revents(fd int, events uint16) sys.PollFd {
	f := sys.Entry(fd, 0)
	sys.SetFound(&f, events)
	return f
}

func TestDevpoll(t *testing.T) {
	testkit.NoLeaks(t)
	ready, idle := sockets(t)
	first, second := testkit.Dup(t, ready, 100), testkit.Dup(t, ready, 200)
	devpoll := newDevpoll(t, sys.Entry(second, sys.In|sys.Out), sys.Entry(first, sys.In|sys.Out), sys.Entry(idle, sys.In|sys.Out))
	both := revents(first, sys.In|sys.Out)
	wantFound(t, devpoll, 9, both, revents(second, sys.In|sys.Out))
	for range 2 { // begins where it has stopped
		wantFound(t, devpoll, 1, both)
		wantFound(t, devpoll, 1, revents(second, sys.In|sys.Out))
	}
	check(t, sys.DevpollPut(devpoll, second, sys.Out))
	wantFound(t, devpoll, 9, both, revents(second, sys.Out))
	check(t, sys.DevpollRemove(devpoll, second))
	check(t, sys.DevpollRemove(devpoll, second))
	wantFound(t, devpoll, 9, both)
	testkit.Close(t, first)
	wantFound(t, devpoll, 9, revents(first, unix.POLLNVAL))

	if err := sys.DevpollPut(devpoll, first, sys.In); err != unix.EBADF {
		t.Errorf("error is %v, want EBADF", err)
	}
	wantFound(t, devpoll, 9)
	testkit.Dup(t, ready, 100)
	wantFound(t, devpoll, 9)
	check(t, sys.DevpollPut(devpoll, first, sys.Out))
	wantFound(t, devpoll, 9, revents(first, sys.Out))
}

// A descriptor that is opened while it is put is refused or in the set, and not there as one that is never reported.
func TestDevpollPutDuringOpen(t *testing.T) {
	testkit.NoLeaks(t)
	ready := testkit.Readable(t)
	fd := testkit.ClosedFd(t, 100)
	devpoll := newDevpoll(t)
	for range 5000 {
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			unix.Dup2(ready, fd)
		}()
		err := sys.DevpollPut(devpoll, fd, sys.In)
		<-opened
		if err == nil {
			wantFound(t, devpoll, 9, revents(fd, sys.In))
		} else {
			wantFound(t, devpoll, 9)
		}
		check(t, sys.DevpollRemove(devpoll, fd))
		check(t, unix.Close(fd))
		if t.Failed() {
			return
		}
	}
}

func TestDevpollSleeps(t *testing.T) {
	_, idle := sockets(t)
	for name, devpoll := range map[string]int{"nothing": newDevpoll(t), "something": newDevpoll(t, sys.Entry(idle, sys.In|sys.Out))} {
		sleeps(t, name, func(deadline sys.Deadline) (int, error) {
			return sys.DevpollWait(devpoll, make([]sys.PollFd, 1), deadline)
		})
	}
}

func TestDevpollEndsWhenReady(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	devpoll := newDevpoll(t, sys.Entry(r, sys.In))
	for _, deadline := range []sys.Deadline{sys.Never, sys.After(time.Hour)} {
		call := testkit.Go(t, func() {
			if n, err := sys.DevpollWait(devpoll, make([]sys.PollFd, 1), deadline); n != 1 || err != nil {
				t.Errorf("found %d, %v", n, err)
			}
		}).Blocked()
		testkit.Write(t, w, "x")
		call.Wait()
		testkit.Drain(t, r)
	}
}

// There may be more room than the process may have descriptors.
func TestDevpollBeyondLimit(t *testing.T) {
	testkit.NoLeaks(t)
	r := testkit.Readable(t)
	devpoll := newDevpoll(t, sys.Entry(r, sys.In))
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	fewer := limit
	fewer.Cur = 20
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &fewer))
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	wantFound(t, devpoll, 50, revents(r, sys.In))
}
