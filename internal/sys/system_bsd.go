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
)
