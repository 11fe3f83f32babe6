package sys

import (
	"math"

	"golang.org/x/sys/unix"
)

// An fdWord is a word of the bitmaps of select(2).
type fdWord = uint32

// Values of the system.
const (
	PipeBuf     = 512
	MsgDontwait = unix.MSG_DONTWAIT
	SoLinger    = unix.SO_LINGER_SEC // SO_LINGER counts in hundredths of a second

	// selectLimit is above the descriptors that the C library's select takes.
	selectLimit = math.MaxInt32

	// 0 if the system has none.
	SockNonblock   = 0
	SockCloexec    = 0
	MsgCmsgCloexec = 0
	SoReuseport    = unix.SO_REUSEPORT
)
