package sys

import "golang.org/x/sys/unix"

// An fdWord is a word of the bitmaps of select(2): a C long.
type fdWord = uintptr

// Values of the system.
const (
	PipeBuf     = 32768
	MsgDontwait = unix.MSG_NONBLOCK
	SoLinger    = unix.SO_LINGER

	// selectLimit is above the descriptors that the C library's select takes.
	selectLimit = 65535

	// 0 if the system has none.
	SockNonblock   = 0
	SockCloexec    = 0
	MsgCmsgCloexec = 0
	SoReuseport    = unix.SO_REUSEPORT
)
