//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Bell ends a wait in kevent(2). It is a descriptor that is always readable, and rings by being added to the kqueue: so one bell is
// enough for many kqueues. (EVFILT_USER is for that, but not all of the systems have it.)
type Bell struct{ waker *Waker }

// NewBell returns a Bell. One that becomes unreachable is closed.
func NewBell() (*Bell, error) {
	waker, err := NewWaker()
	if err != nil {
		return nil, err
	}
	waker.Wake()
	return &Bell{waker}, nil
}

// Ring makes the kqueue report the bell, in waits that are on too, until Silence.
func (b *Bell) Ring(kq int) { b.change(kq, unix.EV_ADD) }

// Silence undoes Ring.
func (b *Bell) Silence(kq int) { b.change(kq, unix.EV_DELETE) }

func (b *Bell) change(kq int, flags uint16) {
	ChangeKqueue(kq, Kevent{Ident: uint64(b.waker.Fd()), Filter: unix.EVFILT_READ, Flags: flags, Udata: bellUdata()})
}

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
