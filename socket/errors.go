//go:build unix || windows

package socket

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/pyselect/pyselect"
)

// ErrWouldBlock says that an operation of a non-blocking socket is not possible now, or has begun and is not complete. It is
// Python's BlockingIOError.
var ErrWouldBlock = errors.New("operation would block")

// Errors of the kernel that programs ask for, on every system: the error number of each is the system's own. Use [errors.Is].
var (
	ErrConnectionRefused error = eConnRefused // Python's ConnectionRefusedError
	ErrConnectionReset   error = eConnReset   // Python's ConnectionResetError
	ErrConnectionAborted error = eConnAborted // Python's ConnectionAbortedError
	ErrBrokenPipe        error = ePipe        // Python's BrokenPipeError; on Windows only after a Shutdown of this side
	ErrTimeout           error = eTimedOut    // the kernel's; the timeout of a Socket is os.ErrDeadlineExceeded
	ErrInProgress        error = eInProgress  // a connect has begun; it is ErrWouldBlock too, and on Windows the same number
	ErrAddressInUse      error = eAddrInUse   // another socket has the address
	ErrNotConnected      error = eNotConn     // the socket is not connected
	ErrHostUnreachable   error = eHostUnreach // there is no way to the host
	ErrNetUnreachable    error = eNetUnreach  // there is no way to the network
	ErrMessageTooLong    error = eMsgSize     // a datagram that is too large
	ErrNoBuffers         error = eNoBufs      // the system has no room for it now
)

// A blockingError is an errno that is ErrWouldBlock too.
type blockingError syscall.Errno

func (e blockingError) Error() string { return syscall.Errno(e).Error() }

func (e blockingError) Unwrap() error { return syscall.Errno(e) }

func (e blockingError) Is(target error) bool { return target == ErrWouldBlock }

// opError returns the error of an operation. The descriptor is -1 if there is none to name.
func opError(op string, fd int, err error) error {
	if err == eAgain || err == eInProgress || err == eAlready {
		err = blockingError(err.(syscall.Errno))
	}
	return &pyselect.OpError{Op: op, Fd: max(fd, -1), Err: portable(err)}
}

// invalid returns an error that is os.ErrInvalid, and says what was given and what is wanted.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, os.ErrInvalid)...)
}

// errno returns the error number of a failed system call, or 0.
func errno(err error) syscall.Errno {
	errno, _ := errors.AsType[syscall.Errno](err)
	return errno
}
