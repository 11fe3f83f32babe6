//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package wait

import (
	"sync/atomic"

	"github.com/pyselect/pyselect/internal/sys"
)

// Prepare opens the descriptors that all waits share. It does so early: later, a shared descriptor could get the number of a
// registered descriptor that has been closed. If Prepare fails, the next call of Prepare tries again.
func Prepare() {
	if !prepared.Load() {
		prepared.Store(openBell() && theCrowd.open())
	}
}

var prepared atomic.Bool

// commonBell is for all kqueues that nobody else has; nil if there is none yet.
var commonBell atomic.Pointer[sys.Bell]

// openBell opens commonBell, which is never closed, and reports whether it is there.
func openBell() bool {
	if commonBell.Load() == nil {
		if bell, err := sys.NewBell(); err == nil && !commonBell.CompareAndSwap(nil, bell) {
			bell.Close()
		}
	}
	return commonBell.Load() != nil
}
