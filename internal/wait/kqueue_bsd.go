//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package wait

import (
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// A Kqueue is a kqueue descriptor and the waits for it. Its methods are called with the lock held.
//
// Go's poller cannot watch a kqueue: it adds a filter for reading, and then one for writing. A kqueue refuses the second filter, and
// the first stays behind. So a wait for a kqueue holds a thread, in kevent, or shares one, in theCrowd.
type Kqueue struct {
	Waits
	Bound   int  // on the events that can be ready, as far as is known
	All     bool // find them all, whatever room there is
	fd      int
	bell    *sys.Bell // closing the descriptor does not end a kevent for it: this does
	cleanup runtime.Cleanup
	kept    []sys.Kevent // what a Look finds, and the kernel does not report again
	looked  sys.Kevents
	found   sys.Kevents // of the block that is on
}

// NewKqueue returns a Kqueue with a new descriptor.
func NewKqueue() (*Kqueue, error) {
	fd, err := sys.NewKqueue()
	if err != nil {
		return nil, err
	}
	Prepare()
	bell := commonBell.Load()
	if bell == nil {
		bell, err = sys.NewBell()
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return ownKqueue(fd, bell, 16), nil
}

// KqueueFromFd returns a Kqueue that owns fd: it is closed by Release or when the Kqueue is unreachable. It may be a duplicate, and the
// set also that of another Kqueue: so that they do not silence each other's bell, this one has its own.
func KqueueFromFd(fd int) (*Kqueue, error) {
	bell, err := sys.NewBell()
	if err != nil {
		return nil, err
	}
	return ownKqueue(fd, bell, 1<<10), nil
}

func ownKqueue(fd int, bell *sys.Bell, bound int) *Kqueue {
	k := &Kqueue{fd: fd, bell: bell, Bound: bound}
	k.cleanup = runtime.AddCleanup(k, func(fd int) { unix.Close(fd) }, fd)
	k.Init(k)
	return k
}

// Fd returns the descriptor.
func (k *Kqueue) Fd() int { return k.fd }

// Release closes the descriptor. Waits.Close calls it.
func (k *Kqueue) Release() error {
	k.cleanup.Stop()
	if k.bell != commonBell.Load() {
		k.bell.Close()
	}
	return unix.Close(k.fd)
}

// Change applies changes and looks for up to room events.
func (k *Kqueue) Change(changes sys.Kevents, room int) (n int, err error) {
	if k.kicked && k.way == InKernel { // the bell must not take the room of an event
		k.bell.Silence(k.fd)
		defer k.bell.Ring(k.fd)
	}
	k.looked.Resize(room)
	n, err = sys.KeventCall(k.fd, changes, k.looked, sys.Now)
	return k.looked.WithoutBells(n), err
}

// Found returns an event that the last Look has found, or the last block.
func (k *Kqueue) Found(i int, blocked bool) sys.Kevent {
	if blocked {
		return k.found.Get(i)
	}
	return k.looked.Get(i)
}

// Look implements Set.
func (k *Kqueue) Look(room int) (int, error) {
	n, err := k.Change(nil, k.bounded(room))
	if err != nil {
		return 0, err
	}
	k.looked.Resize(n + len(k.kept))
	for _, e := range k.kept {
		k.looked.Set(n, e)
		n++
	}
	k.kept, k.Kept = k.kept[:0], false
	return n, nil
}

// Keep lets the next Look find an event, also that of a wait in progress.
func (k *Kqueue) Keep(event sys.Kevent) {
	k.Forget(event.Ident, event.Filter)
	k.kept, k.Kept = append(k.kept, event), true
	k.Kick()
}

// Forget forgets an event that is kept.
func (k *Kqueue) Forget(ident uint64, filter int16) {
	k.kept = slices.DeleteFunc(k.kept, func(e sys.Kevent) bool { return e.Ident == ident && e.Filter == filter })
}

func (k *Kqueue) bounded(room int) int {
	if k.All {
		return k.Bound
	}
	return min(room, k.Bound)
}

// Watch implements Set.
func (k *Kqueue) Watch() bool { return true }

// Arm implements Set.
func (k *Kqueue) Arm(room int) { k.found.Resize(k.bounded(room)) }

// Sleep implements Set.
func (k *Kqueue) Sleep(deadline sys.Deadline) (int, error) {
	n, err := sys.KeventCall(k.fd, nil, k.found, deadline)
	return k.found.WithoutBells(n), err
}

// share implements sharer.
func (k *Kqueue) share(deadline sys.Deadline) (int, error) { return k.inCrowd(k.fd, deadline) }

// Wake implements Set.
func (k *Kqueue) Wake() { k.bell.Ring(k.fd) }

// Disarm implements Set.
func (k *Kqueue) Disarm(woken bool) {
	if woken {
		k.bell.Silence(k.fd)
	}
}
