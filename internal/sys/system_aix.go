package sys

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// An fdWord is a word of the bitmaps of select(2): a C long.
type fdWord = uintptr

// Values of the system.
const (
	PipeBuf     = 32768
	MsgDontwait = unix.MSG_NONBLOCK
	SoLinger    = unix.SO_LINGER

	// 0 if the system has none.
	SockNonblock   = 0
	SockCloexec    = 0
	MsgCmsgCloexec = 0
	SoReuseport    = unix.SO_REUSEPORT
)

// libcSelect wraps select(2), which takes no larger descriptors here.
func libcSelect(nfds int, r, w, x *unix.FdSet, tv *unix.Timeval) (int, error) {
	const limit = 65535
	if nfds > limit {
		return 0, fmt.Errorf("fd %d, want one below %d: %w", nfds-1, limit, unix.EINVAL)
	}
	return unix.Select(nfds, r, w, x, tv)
}
