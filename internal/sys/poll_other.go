//go:build unix && !linux

package sys

import (
	"golang.org/x/sys/unix"
)

// Events that POSIX leaves to the system.
const (
	PollRDNorm = unix.POLLRDNORM
	PollRDBand = unix.POLLRDBAND
	PollWRNorm = unix.POLLWRNORM
	PollWRBand = unix.POLLWRBAND
)

// Poll wraps poll(2). It waits until a descriptor is ready or the deadline has passed, whatever signals arrive, and returns
// the number of entries that have revents.
func Poll(fds []PollFd, deadline Deadline) (int, error) {
	n, err := inMilliseconds(deadline, func(ms int) (int, error) { return unix.Poll(fds, ms) })
	return n, tooMany(len(fds), err)
}

var sleep = Sleep
