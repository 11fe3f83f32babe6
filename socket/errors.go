//go:build unix

package socket

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
)

// ErrWouldBlock says that an operation of a non-blocking socket is not possible now, or has begun and is not complete. It is
// Python's BlockingIOError.
var ErrWouldBlock = errors.New("operation would block")

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

// errno returns the error number of a failed system call, or 0.
func errno(err error) unix.Errno {
	errno, _ := errors.AsType[unix.Errno](err)
	return errno
}
