//go:build !unix && !windows

package sys

import "errors"

// A Waker cannot be made here.
type Waker struct{}

// NewWaker returns errors.ErrUnsupported.
func NewWaker() (*Waker, error) { return nil, errors.ErrUnsupported }

func (*Waker) Fd() int { return -1 }
func (*Waker) Wake()   {}
func (*Waker) Drain()  {}
func (*Waker) Close()  {}

// Select returns errors.ErrUnsupported.
func Select([]PollFd, Deadline) (int, error) { return 0, errors.ErrUnsupported }

// Probe finds nothing wrong with any descriptor.
func Probe(int) error { return nil }

// StartGoPoller has nothing to do.
func StartGoPoller() error { return nil }
