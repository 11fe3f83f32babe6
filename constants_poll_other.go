//go:build unix && !linux

package pyselect

import "golang.org/x/sys/unix"

// Events of a Poll that POSIX leaves to the system.
const (
	POLLRDNORM PollMask = unix.POLLRDNORM // the same as POLLIN
	POLLRDBAND PollMask = unix.POLLRDBAND // priority data can be read
	POLLWRNORM PollMask = unix.POLLWRNORM // the same as POLLOUT
	POLLWRBAND PollMask = unix.POLLWRBAND // priority data can be written
)

var pollNames = posixPollNames
