//go:build unix

package socket

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
)

// ErrWouldBlock says that an operation of a non-blocking socket is not possible now, or has begun and is not complete. It is
// Python's BlockingIOError.
var ErrWouldBlock = errors.New("operation would block")

// Errors of the kernel that programs ask for, on every system: the error number of each is the system's own. Use [errors.Is].
var (
	ErrConnectionRefused error = unix.ECONNREFUSED // Python's ConnectionRefusedError
	ErrConnectionReset   error = unix.ECONNRESET   // Python's ConnectionResetError
	ErrConnectionAborted error = unix.ECONNABORTED // Python's ConnectionAbortedError
	ErrBrokenPipe        error = unix.EPIPE        // Python's BrokenPipeError
	ErrTimeout           error = unix.ETIMEDOUT    // the kernel's; the timeout of a Socket is os.ErrDeadlineExceeded
	ErrInProgress        error = unix.EINPROGRESS  // a connect has begun; it is ErrWouldBlock too
	ErrAddressInUse      error = unix.EADDRINUSE   // another socket has the address
	ErrNotConnected      error = unix.ENOTCONN     // the socket is not connected
	ErrHostUnreachable   error = unix.EHOSTUNREACH // there is no way to the host
	ErrNetUnreachable    error = unix.ENETUNREACH  // there is no way to the network
	ErrMessageTooLong    error = unix.EMSGSIZE     // a datagram that is too large
	ErrNoBuffers         error = unix.ENOBUFS      // the system has no room for it now
)

// A blockingError is an errno that is ErrWouldBlock too.
type blockingError unix.Errno

func (e blockingError) Error() string { return unix.Errno(e).Error() }

func (e blockingError) Unwrap() error { return unix.Errno(e) }

func (e blockingError) Is(target error) bool { return target == ErrWouldBlock }

// opError returns the error of an operation. The descriptor is -1 if there is none to name.
func opError(op string, fd int, err error) error {
	switch err {
	case unix.EAGAIN, unix.EINPROGRESS, unix.EALREADY:
		err = blockingError(err.(unix.Errno))
	}
	return &pyselect.OpError{Op: op, Fd: max(fd, -1), Err: err}
}

// invalid returns an error that is os.ErrInvalid, and says what was given and what is wanted.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, os.ErrInvalid)...)
}

// errno returns the error number of a failed system call, or 0.
func errno(err error) unix.Errno {
	errno, _ := errors.AsType[unix.Errno](err)
	return errno
}
