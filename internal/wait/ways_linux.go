package wait

import (
	"runtime"
	"sync/atomic"

	"github.com/pyselect/pyselect/internal/sys"
)

// lastWait is the id of the epoll for which a wait has blocked last. Waits of other facilities do not change it.
var lastWait atomic.Uint64

// Prepare opens the descriptors that all waits share. It does so early: later, a shared descriptor could get the number of a
// registered descriptor that has been closed. If Prepare fails, the next call of Prepare tries again.
func Prepare() {
	if !prepared.Load() {
		clock, lot, crowd := exact.open(), parkingLot.open(), theCrowd.open()
		prepared.Store(clock && lot && crowd)
	}
}

var prepared atomic.Bool

// choose chooses how to block.
//
// An epoll whose loop is alone in the process blocks in the kernel, which is cheapest. Every other epoll parks, if Go's poller
// takes it. Of the waits that cannot park, the first few, about one for each processor, block in the kernel, because that is
// cheaper than to share. The others share. A set with a descriptor that is not known to be steady always blocks in the kernel, and
// so does a wait in a bubble of testing/synctest. A wait that has no descriptor left for its way pauses.
func (w *Waits) choose(deadline sys.Deadline) Way {
	e, _ := w.set.(*Epoll)
	forced := Way(Force.Load())
	alone := e != nil && w.isAlone()
	_, shares := w.set.(sharer)
	shares = shares && !w.apart && !inBubble(deadline) && (e == nil || e.isSteady())
	switch {
	case e != nil && e.PauseNext:
		return Pausing
	case alone && forced == nowhere && few() && w.set.Watch():
		return InKernel
	case e != nil && shares && forced != InKernel && forced != Together && e.canPark():
		return Parked
	case (!shares || forced == InKernel || forced != Together && few()) && w.set.Watch():
		return InKernel
	case shares:
		return Together
	}
	return Pausing
}

// isAlone reports whether waits have blocked for this epoll many times in a row, and for no other epoll in between. The program is
// then taken for a single loop, so that nothing else needs the processor. With one processor, isAlone is always false.
func (w *Waits) isAlone() bool {
	const many = 32
	if lastWait.Load() != w.id {
		lastWait.Store(w.id)
		w.streak = 0
		return false
	}
	w.streak++
	return w.streak >= many && w.id != 0 && runtime.GOMAXPROCS(0) > 1
}
