package sys

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// leastTable is how many descriptors every process's table has room for.
const leastTable = 64

// selectOnce wraps pselect6(2), which takes nanoseconds where select takes microseconds.
func selectOnce(nfds int, sets [3]unsafe.Pointer, timeout time.Duration) (int, error) {
	var buf unix.Timespec
	ts := timespec(&buf, timeout)
	n, _, errno := unix.Syscall6(unix.SYS_PSELECT6, uintptr(nfds), uintptr(sets[0]), uintptr(sets[1]), uintptr(sets[2]), uintptr(unsafe.Pointer(ts)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Probe returns EBADF if the descriptor is not open.
func Probe(fd int) error {
	_, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFD, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
