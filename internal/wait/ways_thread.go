//go:build darwin || dragonfly || freebsd || netbsd || openbsd || windows

package wait

import "github.com/pyselect/pyselect/internal/sys"

// choose chooses how to block.
//
// Of the waits for kqueues, and of those for sockets through \Device\Afd, the first few block in the kernel, because that is cheaper than
// to share a thread. The others share, but not in a bubble of testing/synctest. Every other wait blocks in the kernel, or pauses if it
// has no descriptor left for that.
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
