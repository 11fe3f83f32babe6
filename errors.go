package pyselect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// An OpError is the error of every operation of this package and of packages selectors and socket. Only the error of a context is
// returned as it is. An OpError is read-only: the same one may be returned many times.
type OpError struct {
	Op  string // the operation, by its name in Python: "select.select", "epoll.register", "selectors.modify", "socket.recv"
	Fd  int    // the descriptor that the error is about, or -1
	Err error  // what is wrong; use errors.Is, as there may be more text around an errno, os.ErrInvalid and the others

	element string // the argument that is to blame, like "rlist[3]"
}

// Error returns the operation, the descriptor and what is wrong, like "epoll.register: fd 7: file exists".
func (e *OpError) Error() string {
	text := e.Op
	if e.element != "" {
		text += ": " + e.element
	}
	if e.Fd >= 0 {
		text += fmt.Sprintf(": fd %d", e.Fd)
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *OpError) Unwrap() error { return e.Err }

// Timeout reports whether the operation failed because a time limit has passed: that of a Socket, which is os.ErrDeadlineExceeded,
// or one of the kernel, which is syscall.ETIMEDOUT, and on Windows windows.WSAETIMEDOUT. That an operation of a non-blocking socket is not
// possible now is no timeout.
func (e *OpError) Timeout() bool {
	return errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, kernelTimeout)
}

var (
	// ErrNotRegistered says that a descriptor is not registered. It is Python's KeyError.
	ErrNotRegistered = errors.New("not registered")

	// ErrConcurrentPoll says that another goroutine polls the same Poll. It is Python's RuntimeError of that case.
	ErrConcurrentPoll = errors.New("concurrent poll invocation")

	// ErrNotWaitable says that an object has no descriptor: Fileno does not know its type. It is Python's TypeError
	// (ValueError in selectors).
	ErrNotWaitable = errors.New("not a waitable object")
)

// opError returns the error of an operation, or nil. The descriptor is -1 if there is none to name.
func opError(op string, fd int, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Fd: fd, Err: err}
}

// waitError returns the error of a wait that ctx may have ended.
func waitError(ctx context.Context, op string, err error) error {
	if err == ctx.Err() {
		return err
	}
	return opError(op, -1, err)
}

// invalid returns an error that is os.ErrInvalid, and says what was given and what is wanted.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), os.ErrInvalid)
}

func negative(timeout time.Duration) error {
	return invalid("timeout %v is negative, want Forever to wait without end", timeout)
}

var errEmptyBuffer = invalid("the buffer is empty, want room for one event at least")
