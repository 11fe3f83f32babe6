package sys

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Poll wraps ppoll(2). It waits until a descriptor is ready or the deadline has passed, whatever signals arrive, and
// returns the number of entries that have revents.
func Poll(fds []PollFd, deadline Deadline) (int, error) {
	for {
		left := deadline.Left()
		n, errno := ppoll(fds, left)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, tooMany(len(fds), errno)
		case n > 0 || left == 0 || deadline.Left() == 0:
			return n, nil
		}
	}
}

func ppoll(fds []PollFd, timeout time.Duration) (int, syscall.Errno) {
	var buf unix.Timespec
	ts := timespec(&buf, timeout)
	n, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	return int(n), errno
}

// timespec fills in the timeout as the kernel takes it: nil to wait for ever.
func timespec(buf *unix.Timespec, timeout time.Duration) *unix.Timespec {
	if timeout == time.Duration(Never) {
		return nil
	}
	*buf = unix.NsecToTimespec(int64(min(timeout, longest)))
	return buf
}
