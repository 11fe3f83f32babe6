package sys

import "golang.org/x/sys/unix"

// An fdWord is a word of the bitmaps of select(2): a C long.
type fdWord = uintptr

// Values of the system.
const (
	PipeBuf     = 5120
	MsgDontwait = unix.MSG_DONTWAIT
	SoLinger    = unix.SO_LINGER

	// selectLimit is above the descriptors that the C library's select takes.
	selectLimit = 65536

	// 0 if the system has none.
	SockNonblock   = unix.SOCK_NONBLOCK
	SockCloexec    = unix.SOCK_CLOEXEC
	MsgCmsgCloexec = 0
	SoReuseport    = 0
)
