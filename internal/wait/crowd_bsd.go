//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package wait

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// A kqueueAsker asks a kqueue for kqueues.
type kqueueAsker struct {
	crowd   *sync.Mutex
	fd      int
	bell    *sys.Bell
	change  sys.Kevents
	events  sys.Kevents
	found   []int
	waiting bool
	rung    bool
}

// newAsker also makes commonBell. It returns nil if there is no descriptor for that.
func newAsker(crowd *sync.Mutex) asker {
	bell, err := sys.NewBell()
	if err != nil {
		return nil
	}
	fd, err := sys.NewKqueue()
	if err != nil {
		bell.Close()
		return nil
	}
	const room = 64
	k := &kqueueAsker{crowd: crowd, fd: fd, bell: bell}
	k.change.Resize(1)
	k.events.Resize(room)
	commonBell.Store(bell)
	return k
}

func (k *kqueueAsker) Add(fd int) error { return k.control(fd, unix.EV_ADD|unix.EV_ONESHOT) }

func (k *kqueueAsker) Remove(fd int) { k.control(fd, unix.EV_DELETE) }

func (k *kqueueAsker) control(fd int, flags uint16) error {
	k.change.Set(0, sys.Kevent{Ident: uint64(fd), Filter: unix.EVFILT_READ, Flags: flags})
	_, err := sys.KeventCall(k.fd, k.change, nil, sys.Now)
	return err
}

func (k *kqueueAsker) Wake() {
	if k.waiting && !k.rung {
		k.rung = true
		k.bell.Ring(k.fd)
	}
}

func (k *kqueueAsker) Wait() ([]int, error) {
	k.waiting = true
	k.crowd.Unlock()
	n, err := sys.KeventCall(k.fd, nil, k.events, sys.Never)
	k.crowd.Lock()
	k.waiting = false
	if k.rung {
		k.rung = false
		k.bell.Silence(k.fd)
	}
	k.found = k.found[:0]
	for i := range k.events.WithoutBells(n) {
		k.found = append(k.found, int(k.events.Get(i).Ident))
	}
	return k.found, err
}
