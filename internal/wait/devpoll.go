//go:build solaris || emulated_devpoll

package wait

import (
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// A Devpoll is a descriptor of /dev/poll and the waits for it. Its methods are called with the lock held.
//
// A wait holds a thread. Nothing can change the set as long as it does: so a change ends the block that is on.
type Devpoll struct {
	Waits
	fd         int
	cleanup    runtime.Cleanup
	waker      *sys.Waker     // in the set
	changes    uint64         // how many there were
	lastChange map[int]uint64 // descriptor that is in the set to the number of its last change
	sleeping   sync.Mutex     // held during Sleep, and during a change
	looked     []sys.PollFd

	// Of the block that is on.
	found      []sys.PollFd
	lastBefore uint64 // the number of the last change before
}

// NewDevpoll returns an empty Devpoll.
func NewDevpoll() (*Devpoll, error) {
	waker, err := sys.NewWaker()
	if err != nil {
		return nil, err
	}
	fd, err := sys.OpenDevpoll()
	if err != nil {
		waker.Close()
		return nil, err
	}
	d := &Devpoll{fd: fd, waker: waker, lastChange: make(map[int]uint64)}
	d.cleanup = runtime.AddCleanup(d, func(fd int) { unix.Close(fd) }, fd)
	d.Init(d)
	if err := sys.DevpollPut(fd, waker.Fd(), sys.In); err != nil {
		d.Release()
		return nil, err
	}
	return d, nil
}

// Fd returns the descriptor.
func (d *Devpoll) Fd() int { return d.fd }

// Release closes the descriptor. Waits.Close calls it.
func (d *Devpoll) Release() error {
	d.cleanup.Stop()
	d.waker.Close()
	return unix.Close(d.fd)
}

// Put adds a descriptor, or changes its events. If that fails, the descriptor is not in the set.
func (d *Devpoll) Put(fd int, events uint16) error {
	if fd == d.waker.Fd() {
		return unix.EBADF // the caller's descriptor was closed, and the waker has its number now
	}
	d.interrupt()
	defer d.sleeping.Unlock()
	err := sys.DevpollPut(d.fd, fd, events)
	if err == nil {
		d.changes++
		d.lastChange[fd] = d.changes
	} else {
		delete(d.lastChange, fd)
	}
	return err
}

// Remove removes a descriptor, which need not be in the set.
func (d *Devpoll) Remove(fd int) error {
	if _, ok := d.lastChange[fd]; !ok {
		return nil
	}
	d.interrupt()
	defer d.sleeping.Unlock()
	delete(d.lastChange, fd)
	return sys.DevpollRemove(d.fd, fd)
}

// interrupt ends the block that is on. The next one begins when sleeping is unlocked.
func (d *Devpoll) interrupt() {
	d.Kick()
	d.sleeping.Lock()
}

// Found returns what the last Look has found, or the last block, but nothing that has been changed since the block began.
func (d *Devpoll) Found(n int, blocked bool) []sys.PollFd {
	found, last := d.looked, d.changes
	if blocked {
		found, last = d.found, d.lastBefore
	}
	return slices.DeleteFunc(found[:n], func(f sys.PollFd) bool {
		change, ok := d.lastChange[int(f.Fd)]
		return !ok || change > last // the waker is not ok
	})
}

// Look implements Set.
func (d *Devpoll) Look(room int) (n int, err error) {
	d.looked = d.resize(d.looked, room)
	// The waker may take the only place. The next look begins behind it, unless a Sleep has found something in between: but a Sleep
	// ends with that, and no other one begins before this Look has ended.
	for range 3 {
		n, err = sys.DevpollWait(d.fd, d.looked, sys.Now)
		if !d.isWaker(d.looked[:n]) {
			break
		}
	}
	return n, err
}

// resize returns a buffer with as much room as is needed.
func (d *Devpoll) resize(found []sys.PollFd, room int) []sys.PollFd {
	n := min(room, len(d.lastChange)+1) // with the waker
	return slices.Grow(found[:0], n)[:n]
}

func (d *Devpoll) isWaker(found []sys.PollFd) bool {
	return len(found) == 1 && int(found[0].Fd) == d.waker.Fd()
}

// Watch implements Set.
func (d *Devpoll) Watch() bool { return true }

// Arm implements Set.
func (d *Devpoll) Arm(room int) { d.found, d.lastBefore = d.resize(d.found, room), d.changes }

// Sleep implements Set.
func (d *Devpoll) Sleep(deadline sys.Deadline) (n int, err error) {
	d.sleeping.Lock()
	defer d.sleeping.Unlock()
	n, err = sys.DevpollWait(d.fd, d.found, deadline)
	if d.isWaker(d.found[:n]) {
		n = -1
	}
	return n, err
}

// Wake implements Set.
func (d *Devpoll) Wake() { d.waker.Wake() }

// Disarm implements Set.
func (d *Devpoll) Disarm(woken bool) {
	if woken {
		d.waker.Drain()
	}
}
