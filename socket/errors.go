//go:build unix

package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrWouldBlock says that an operation of a non-blocking socket is not possible now, or has begun and is not complete. It is
// Python's BlockingIOError.
var ErrWouldBlock = errors.New("operation would block")

// An opError is the error of an operation on a descriptor, if that is known.
type opError struct {
	op  string
	fd  int // or -1
	err error
}

func (e *opError) Error() string {
	err := e.err
	if sys, ok := err.(*os.SyscallError); ok && sys.Syscall == e.op {
		err = sys.Err // it would name the operation again
	}
	if e.fd < 0 {
		return fmt.Sprintf("socket: %s: %v", e.op, err)
	}
	return fmt.Sprintf("socket: %s: fd %d: %v", e.op, e.fd, err)
}

func (e *opError) Unwrap() error { return e.err }

// Is makes the errors that Python's BlockingIOError stands for ErrWouldBlock.
func (e *opError) Is(target error) bool {
	if target != ErrWouldBlock {
		return false
	}
	switch errno(e) {
	case unix.EAGAIN, unix.EINPROGRESS, unix.EALREADY:
		return true
	}
	return false
}

// An attemptError is the error of a function that has tried an address.
type attemptError struct {
	addr netip.AddrPort
	err  error
}

func (e *attemptError) Error() string {
	return fmt.Sprintf("%v: %s", e.addr, strings.TrimPrefix(e.err.Error(), "socket: ")) // the function's error begins with that
}

func (e *attemptError) Unwrap() error { return e.err }

// errno returns the error number of a failed system call, or 0.
func errno(err error) unix.Errno {
	if sys, ok := errors.AsType[*os.SyscallError](err); ok {
		if errno, ok := sys.Err.(unix.Errno); ok {
			return errno
		}
	}
	return 0
}

func fdError(op string, fd int, err error) error {
	if _, ok := err.(unix.Errno); ok {
		err = os.NewSyscallError(op, err)
	}
	return &opError{op, fd, err}
}

func opErr(op string, err error) error { return fdError(op, -1, err) }
