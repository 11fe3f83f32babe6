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

// choose chooses how to block.
//
// Of the waits for kqueues, the first few block in the kernel, because that is cheaper than to share a thread. The others share, but
// not in a bubble of testing/synctest. Every other wait blocks in the kernel, or pauses if it has no descriptor left for that.
func (w *Waits) choose(deadline sys.Deadline) Way {
	_, shares := w.set.(sharer)
	forced := Way(Force.Load())
	switch {
	case shares && !w.apart && !inBubble(deadline) && forced != InKernel && (forced == Together || !few()):
		return Together
	case w.set.Watch():
		return InKernel
	}
	return Pausing
}
