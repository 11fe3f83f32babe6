//go:build unix && !linux

package sys

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Events that POSIX leaves to the system.
const (
	PollRDNorm = unix.POLLRDNORM
	PollRDBand = unix.POLLRDBAND
	PollWRNorm = unix.POLLWRNORM
	PollWRBand = unix.POLLWRBAND
)

// nap is how long Poll sleeps at a time when less is left than the millisecond that poll(2) can wait for.
const nap = 50 * time.Microsecond

// Poll wraps poll(2). It waits until a descriptor is ready or the deadline has passed, whatever signals arrive, and returns
// the number of entries that have revents.
func Poll(fds []PollFd, deadline Deadline) (int, error) {
	for {
		left := deadline.Left()
		ms := int(min(left, longest) / time.Millisecond)
		if deadline == Never {
			ms = -1 // the only negative number that all systems take
		}
		n, err := unix.Poll(fds, ms)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n > 0 || left == 0:
			return n, nil
		case ms == 0:
			time.Sleep(min(nap, left))
		}
	}
}
