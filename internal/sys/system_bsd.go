//go:build netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

// An fdWord is a word of the bitmaps of select(2).
type fdWord = uint32

// Values of the system.
const (
	PipeBuf     = 512
	MsgDontwait = unix.MSG_DONTWAIT
	SoLinger    = unix.SO_LINGER

	// 0 if the system has none.
	SockNonblock   = unix.SOCK_NONBLOCK
	SockCloexec    = unix.SOCK_CLOEXEC
	MsgCmsgCloexec = unix.MSG_CMSG_CLOEXEC
	SoReuseport    = unix.SO_REUSEPORT
)

func libcSelect(nfds int, r, w, x *unix.FdSet, tv *unix.Timeval) (int, error) {
	return unix.Select(nfds, r, w, x, tv)
}
