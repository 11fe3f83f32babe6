//go:build unix && !linux

package sys

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// leastTable is how many descriptors every process's table has room for. It is 0 here, because some tables begin smaller than a
// word of bits.
const leastTable = 0

// selectOnce wraps select(2), which takes microseconds. Some systems overwrite the timeout.
func selectOnce(nfds int, sets [3]unsafe.Pointer, timeout time.Duration) (int, error) {
	if nfds > selectLimit {
		return 0, fmt.Errorf("fd %d, want one below %d: %w", nfds-1, selectLimit, unix.EINVAL)
	}
	var tv *unix.Timeval
	if timeout != time.Duration(Never) {
		v := unix.NsecToTimeval(int64(min(timeout, longest))) // rounds up
		tv = &v
	}
	return libcSelect(nfds, (*unix.FdSet)(sets[0]), (*unix.FdSet)(sets[1]), (*unix.FdSet)(sets[2]), tv)
}

// Probe returns EBADF if the descriptor is not open.
func Probe(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err
}
