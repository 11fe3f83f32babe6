package socket

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/windows"
)

const (
	eAddrInUse   = windows.WSAEADDRINUSE
	eAfNoSupport = windows.WSAEAFNOSUPPORT
	eAgain       = windows.WSAEWOULDBLOCK
	eAlready     = windows.WSAEALREADY
	eClosed      = windows.WSAENOTSOCK // of a descriptor that is not open
	eConnAborted = windows.WSAECONNABORTED
	eConnRefused = windows.WSAECONNREFUSED
	eConnReset   = windows.WSAECONNRESET
	eHostUnreach = windows.WSAEHOSTUNREACH
	eInProgress  = windows.WSAEWOULDBLOCK // of a connect that has begun
	eIntr        = windows.WSAEINTR
	eInvalid     = windows.WSAEINVAL
	eIsConn      = windows.WSAEISCONN
	eMsgSize     = windows.WSAEMSGSIZE
	eNetUnreach  = windows.WSAENETUNREACH
	eNoBufs      = windows.WSAENOBUFS
	eNotConn     = windows.WSAENOTCONN
	ePipe        = windows.WSAESHUTDOWN // as in Python
	eTimedOut    = windows.WSAETIMEDOUT
)

// hasLeft reports whether the error of accept says that a client has left before it was accepted.
func hasLeft(err error) bool {
	return err == windows.WSAECONNRESET || err == windows.WSAENOTCONN // which Wine says
}

// A deniedError is WSAEACCES, which package syscall does not know as fs.ErrPermission.
type deniedError syscall.Errno

func (e deniedError) Error() string { return syscall.Errno(e).Error() }

func (e deniedError) Unwrap() error { return syscall.Errno(e) }

func (e deniedError) Is(target error) bool { return target == fs.ErrPermission }

// portable returns an error that is what it is on all systems.
func portable(err error) error {
	if err == windows.WSAEACCES {
		return deniedError(windows.WSAEACCES)
	}
	return err
}
