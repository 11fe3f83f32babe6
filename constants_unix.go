//go:build unix

package pyselect

import "golang.org/x/sys/unix"

// Events of a Poll.
const (
	POLLIN   PollMask = unix.POLLIN   // readable
	POLLPRI  PollMask = unix.POLLPRI  // urgent data
	POLLOUT  PollMask = unix.POLLOUT  // writable
	POLLERR  PollMask = unix.POLLERR  // an error; reported without being asked for
	POLLHUP  PollMask = unix.POLLHUP  // hung up; reported without being asked for
	POLLNVAL PollMask = unix.POLLNVAL // not an open descriptor; reported without being asked for
)

var posixPollNames = []bitName[PollMask]{
	{POLLIN, "POLLIN"},
	{POLLPRI, "POLLPRI"},
	{POLLOUT, "POLLOUT"},
	{POLLERR, "POLLERR"},
	{POLLHUP, "POLLHUP"},
	{POLLNVAL, "POLLNVAL"},
	{POLLRDNORM, "POLLRDNORM"},
	{POLLRDBAND, "POLLRDBAND"},
	{POLLWRNORM, "POLLWRNORM"},
	{POLLWRBAND, "POLLWRBAND"},
}
