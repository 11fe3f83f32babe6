//go:build unix

package socket

import "golang.org/x/sys/unix"

const (
	eAddrInUse   = unix.EADDRINUSE
	eAfNoSupport = unix.EAFNOSUPPORT
	eAgain       = unix.EAGAIN
	eAlready     = unix.EALREADY
	eClosed      = unix.EBADF // of a descriptor that is not open
	eConnAborted = unix.ECONNABORTED
	eConnRefused = unix.ECONNREFUSED
	eConnReset   = unix.ECONNRESET
	eHostUnreach = unix.EHOSTUNREACH
	eInProgress  = unix.EINPROGRESS
	eIntr        = unix.EINTR
	eInvalid     = unix.EINVAL
	eIsConn      = unix.EISCONN
	eMsgSize     = unix.EMSGSIZE
	eNetUnreach  = unix.ENETUNREACH
	eNoBufs      = unix.ENOBUFS
	eNotConn     = unix.ENOTCONN
	ePipe        = unix.EPIPE
	eTimedOut    = unix.ETIMEDOUT
)

// hasLeft reports whether the error of accept says that a client has left before it was accepted.
func hasLeft(err error) bool { return err == unix.ECONNABORTED }

// portable returns an error as it is: here, package syscall knows what all systems have.
func portable(err error) error { return err }
