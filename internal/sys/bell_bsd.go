//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Bell ends a wait in kevent(2). It is a descriptor that is always readable, and rings by being added to the kqueue: so one bell is
// enough for many kqueues. (EVFILT_USER is for that, but two of the systems do not have it.)
type Bell struct {
	waker       *Waker
	add, remove Kevents
}

// NewBell returns a Bell. One that becomes unreachable is closed.
func NewBell() (*Bell, error) {
	waker, err := NewWaker()
	if err != nil {
		return nil, err
	}
	waker.Wake()
	change := func(flags uint16) (c Kevents) {
		c.Resize(1)
		c.Set(0, Kevent{Ident: uint64(waker.Fd()), Filter: unix.EVFILT_READ, Flags: flags, Udata: bellUdata()})
		return c
	}
	return &Bell{waker, change(unix.EV_ADD), change(unix.EV_DELETE)}, nil
}

// Ring makes the kqueue report the bell, in waits that are on too, until Silence.
func (b *Bell) Ring(kq int) { KeventCall(kq, b.add, nil, Now) }

// Silence undoes Ring.
func (b *Bell) Silence(kq int) { KeventCall(kq, b.remove, nil, Now) }

// Close closes the descriptor.
func (b *Bell) Close() { b.waker.Close() }

var bellMark byte

// bellUdata is the Udata of bells. It is an address that nobody else has.
func bellUdata() uint64 { return uint64(uintptr(unsafe.Pointer(&bellMark))) }

// WithoutBells removes all bells from the first n events, and returns how many are left.
func (k Kevents) WithoutBells(n int) (left int) {
	for i := range n {
		if e := k.Get(i); e.Filter == unix.EVFILT_READ && e.Udata == bellUdata() {
			continue
		} else if left < i {
			k.Set(left, e)
		}
		left++
	}
	return left
}
