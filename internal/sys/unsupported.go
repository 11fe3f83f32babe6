//go:build !unix && !windows

package sys

import "errors"

// A Waker cannot be made here.
type Waker struct{}

// NewWaker returns errors.ErrUnsupported.
func NewWaker() (*Waker, error) { return nil, errors.ErrUnsupported }

func (*Waker) Fd() int     { return -1 }
func (*Waker) Wake()       {}
func (*Waker) Drain()      {}
func (*Waker) Enter() bool { return false }
func (*Waker) Leave()      {}
func (*Waker) Close()      {}

// FdSets cannot be waited for here.
type FdSets struct{}

func (*FdSets) Reset()                        {}
func (*FdSets) Add(set int, fds ...int) error { return nil }
func (*FdSets) Select(Deadline) (int, error)  { return 0, errors.ErrUnsupported }
func (*FdSets) Has(set, fd int) bool          { return false }

// Probe finds nothing wrong with any descriptor.
func Probe(int) error { return nil }
