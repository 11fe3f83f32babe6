//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package wait

import "github.com/pyselect/pyselect/internal/sys"

// Prepare has nothing to do.
func Prepare() {}

// choose chooses how to block: there is one way.
func (w *Waits) choose(sys.Deadline) Way {
	if w.set.Watch() {
		return InKernel
	}
	return Pausing
}
