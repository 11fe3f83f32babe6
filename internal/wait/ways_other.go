//go:build !linux

package wait

import "github.com/pyselect/pyselect/internal/sys"

// A ticket is for systems that have more ways to block.
type ticket struct{}

// Prepare has nothing to do.
func Prepare() {}

// choose chooses how to block: there is one way.
func (w *Waits) choose(sys.Deadline) {
	w.way = InKernel
	if !w.set.Watch() {
		w.way = Pausing
	}
}

// block blocks as chosen.
func (w *Waits) block(deadline sys.Deadline) (n int, err error) {
	if w.way == Pausing {
		return pause(deadline)
	}
	return w.set.Sleep(deadline)
}

func (w *Waits) vacate() {}

func (w *Waits) unblock() {}
