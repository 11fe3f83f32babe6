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
	added   map[int]uint32 // descriptor to serial number, which goes through the kernel with the event
	serial  uint32
	events  sys.Kevents
	found   []int
	waiting bool
	rung    bool
}

// newAsker returns nil if there is no descriptor for it. There is a commonBell.
func newAsker(crowd *sync.Mutex) asker {
	fd, err := sys.NewKqueue()
	if err != nil {
		return nil
	}
	const room = 64
	k := &kqueueAsker{crowd: crowd, fd: fd, added: make(map[int]uint32)}
	k.events.Resize(room)
	return k
}

func (k *kqueueAsker) Add(fd int) error {
	k.serial++
	err := sys.ChangeKqueue(k.fd, sys.Kevent{
		Ident: uint64(fd), Filter: unix.EVFILT_READ, Flags: unix.EV_ADD | unix.EV_ONESHOT, Udata: uint64(k.serial),
	})
	if err == nil {
		k.added[fd] = k.serial
	}
	return err
}

func (k *kqueueAsker) Remove(fd int) {
	sys.ChangeKqueue(k.fd, sys.Kevent{Ident: uint64(fd), Filter: unix.EVFILT_READ, Flags: unix.EV_DELETE})
	delete(k.added, fd)
	if len(k.added) == 0 && k.waiting && !k.rung {
		k.rung = true
		commonBell.Load().Ring(k.fd)
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
		commonBell.Load().Silence(k.fd)
	}
	k.found = k.found[:0]
	for i := range k.events.WithoutBells(n) {
		e := k.events.Get(i)
		if fd := int(e.Ident); k.added[fd] == uint32(e.Udata) {
			delete(k.added, fd)
			k.found = append(k.found, fd)
		}
	}
	return k.found, err
}
