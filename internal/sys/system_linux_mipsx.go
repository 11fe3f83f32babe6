//go:build linux && (mips || mipsle || mips64 || mips64le)

package sys

import "golang.org/x/sys/unix"

// An fdWord is a word of the bitmaps of select(2): a C long.
type fdWord = uintptr

// Values of the system.
const (
	PipeBuf     = 4096
	MsgDontwait = unix.MSG_DONTWAIT
	SoLinger    = unix.SO_LINGER

	PollRDNorm = 0x040
	PollRDBand = 0x080
	PollWRNorm = Out
	PollWRBand = 0x100

	// 0 if the system has none.
	SockNonblock   = unix.SOCK_NONBLOCK
	SockCloexec    = unix.SOCK_CLOEXEC
	MsgCmsgCloexec = unix.MSG_CMSG_CLOEXEC
	SoReuseport    = unix.SO_REUSEPORT
)
