package pyselect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"
)

// Forever is the timeout that never ends, Python's timeout=None: wait until something is ready.
const Forever time.Duration = math.MaxInt64

// forever returns the timeout that a negative one stands for where Python blocks.
func forever(timeout time.Duration) time.Duration {
	if timeout < 0 {
		return Forever
	}
	return timeout
}

var (
	// ErrNotRegistered says that a descriptor is not registered. It is Python's KeyError.
	ErrNotRegistered = errors.New("not registered")

	// ErrConcurrentPoll says that another goroutine polls the same Poll. It is Python's RuntimeError of that case.
	ErrConcurrentPoll = errors.New("concurrent poll invocation")

	// ErrNotWaitable says that an object has no descriptor: it is nothing that Fileno knows. It is Python's TypeError
	// (ValueError in selectors).
	ErrNotWaitable = errors.New("not a waitable object")
)

func opError(op string, err error) error {
	return fmt.Errorf("pyselect: %s: %w", op, err)
}

// waitError returns the error of a wait that ctx may have ended.
func waitError(ctx context.Context, op string, err error) error {
	if err == nil || err == ctx.Err() {
		return err
	}
	return opError(op, err)
}

func fdError(op string, fd int, err error) error {
	return fmt.Errorf("pyselect: %s: fd %d: %w", op, fd, err)
}

func emptyBufferError(op string) error {
	return fmt.Errorf("pyselect: %s: the buffer for events is empty: %w", op, os.ErrInvalid)
}
