//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package wait

import (
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// A Kqueue is a kqueue descriptor and the waits for it. Its methods are called with the lock held.
//
// A wait holds a thread, in kevent. Go's poller cannot watch a kqueue: it adds a filter for reading, and then one for writing. A
// kqueue refuses the second filter, and the first stays behind. Closing the descriptor does not end the waits for it. So a waker
// is in the set. The waker is not an EVFILT_USER, because two of the systems do not have that.
type Kqueue struct {
	Waits
	Bound   int  // on the events that can be ready, as far as is known
	All     bool // find them all, whatever room there is
	fd      int
	waker   *sys.Waker
	watched bool // the waker is in the set
	cleanup runtime.Cleanup
	looked  sys.Kevents
	found   sys.Kevents // of the block that is on
}

// NewKqueue returns a Kqueue with a new descriptor.
func NewKqueue() (*Kqueue, error) {
	fd, err := sys.NewKqueue()
	if err != nil {
		return nil, err
	}
	k, err := ownKqueue(fd, 16)
	if err != nil {
		unix.Close(fd)
	}
	return k, err
}

// KqueueFromFd returns a Kqueue that owns fd: it is closed by Release or when the Kqueue is unreachable.
func KqueueFromFd(fd int) (*Kqueue, error) { return ownKqueue(fd, 1<<10) }

func ownKqueue(fd, bound int) (*Kqueue, error) {
	waker, err := sys.NewWaker()
	if err != nil {
		return nil, err
	}
	k := &Kqueue{fd: fd, waker: waker, Bound: bound}
	k.cleanup = runtime.AddCleanup(k, func(fd int) { unix.Close(fd) }, fd)
	k.Init(k)
	return k, nil
}

// Fd returns the descriptor.
func (k *Kqueue) Fd() int { return k.fd }

// Release closes the descriptor. Waits.Close calls it.
func (k *Kqueue) Release() error {
	k.cleanup.Stop()
	k.waker.Close()
	return unix.Close(k.fd)
}

// Change applies changes and looks for up to room events.
func (k *Kqueue) Change(changes sys.Kevents, room int) (n int, err error) {
	k.looked.Resize(room)
	n, err = sys.KeventCall(k.fd, changes, k.looked, sys.Now)
	return k.withoutWaker(k.looked, n), err
}

// withoutWaker removes the waker from n events and returns how many are left.
func (k *Kqueue) withoutWaker(events sys.Kevents, n int) int {
	for i := range n {
		if e := events.Get(i); e.Ident == uint64(k.waker.Fd()) && e.Filter == unix.EVFILT_READ {
			events.Set(i, events.Get(n-1))
			return n - 1
		}
	}
	return n
}

// Found returns an event that the last Look has found, or the last block.
func (k *Kqueue) Found(i int, blocked bool) sys.Kevent {
	if blocked {
		return k.found.Get(i)
	}
	return k.looked.Get(i)
}

// Look implements Set.
func (k *Kqueue) Look(room int) (int, error) { return k.Change(nil, k.bounded(room)) }

func (k *Kqueue) bounded(room int) int {
	if k.All {
		return k.Bound
	}
	return min(room, k.Bound)
}

// Watch implements Set.
func (k *Kqueue) Watch() bool {
	if !k.watched {
		var change sys.Kevents
		change.Resize(1)
		change.Set(0, sys.Kevent{Ident: uint64(k.waker.Fd()), Filter: unix.EVFILT_READ, Flags: unix.EV_ADD})
		_, err := sys.KeventCall(k.fd, change, nil, sys.Now)
		k.watched = err == nil
	}
	return k.watched
}

// Arm implements Set.
func (k *Kqueue) Arm(room int) { k.found.Resize(k.bounded(room)) }

// Sleep implements Set.
func (k *Kqueue) Sleep(deadline sys.Deadline) (int, error) {
	n, err := sys.KeventCall(k.fd, nil, k.found, deadline)
	return k.withoutWaker(k.found, n), err
}

// Wake implements Set.
func (k *Kqueue) Wake() { k.waker.Wake() }

// Disarm implements Set.
func (k *Kqueue) Disarm(woken bool) {
	if woken {
		k.waker.Drain()
	}
}
