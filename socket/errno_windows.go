package socket

import "golang.org/x/sys/windows"

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
