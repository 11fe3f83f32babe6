package sys

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// An fdWord is a word of the bitmaps of select(2): a C long.
type fdWord = uintptr

// Values of the system.
const (
	PipeBuf     = 5120
	MsgDontwait = unix.MSG_DONTWAIT
	SoLinger    = unix.SO_LINGER

	// 0 if the system has none.
	SockNonblock   = unix.SOCK_NONBLOCK
	SockCloexec    = unix.SOCK_CLOEXEC
	MsgCmsgCloexec = 0
	SoReuseport    = 0
)

// libcSelect wraps select(2), which takes no larger descriptors here.
func libcSelect(nfds int, r, w, x *unix.FdSet, tv *unix.Timeval) (int, error) {
	const limit = 65536
	if nfds > limit {
		return 0, fmt.Errorf("fd %d, want one below %d: %w", nfds-1, limit, unix.EINVAL)
	}
	return unix.Select(nfds, r, w, x, tv)
}
