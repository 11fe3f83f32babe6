//go:build netbsd || openbsd

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
	SoLinger    = unix.SO_LINGER

	// selectLimit is above the descriptors that the C library's select takes.
	selectLimit = math.MaxInt32

	// 0 if the system has none.
	SockNonblock   = unix.SOCK_NONBLOCK
	SockCloexec    = unix.SOCK_CLOEXEC
	MsgCmsgCloexec = unix.MSG_CMSG_CLOEXEC
	SoReuseport    = unix.SO_REUSEPORT
)
