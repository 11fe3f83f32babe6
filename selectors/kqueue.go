//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package selectors

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// KqueueSelector waits with kqueue(2). It mirrors Python's selectors.KqueueSelector.
//
// An object that is closed while registered is never reported again, and stays registered until it is unregistered. A kqueue
// refuses some devices, on macOS terminals for instance: the error of Register is an errno, like unix.EINVAL, and says that a
// SelectSelector can watch them. FreeBSD and OpenBSD report only once that a device, such as a terminal, is gone. NetBSD does
// not report that a full pipe has lost its reader.
type KqueueSelector struct {
	base
	kqueue kqueueSet
}

// NewKqueueSelector returns an empty selector. The error is an errno, like unix.EMFILE.
func NewKqueueSelector() (*KqueueSelector, error) {
	kq, err := wait.NewKqueue()
	if err != nil {
		return nil, opError("selectors.KqueueSelector", -1, err)
	}
	kq.All = true
	s := &KqueueSelector{kqueue: kqueueSet{kq: kq}}
	s.base = base{&kq.Waits, &s.kqueue}
	return s, nil
}

// Fileno returns the descriptor of the kqueue. It mirrors KqueueSelector.fileno.
//
// The error is os.ErrClosed.
func (s *KqueueSelector) Fileno() (int, error) { return s.descriptor(s.kqueue.kq.Fd) }

// A kqueueSet implements keySet. A kqueue forgets a descriptor that is closed, even if a duplicate of it lives on.
type kqueueSet struct {
	table
	kq    *wait.Kqueue
	found []int        // descriptors that are ready
	last  []sys.Kevent // events after which the kernel has removed the filter
	turns []turn       // by descriptor
	round uint16
}

// A turn is what report knows of a descriptor: what it is ready for, and the round of reports in which it had its turn.
type turn struct {
	ready Event
	round uint16
}

// The filters of a key, which are one event each.
var kqueueFilters = [...]struct {
	event  Event
	filter int16
}{
	{EventRead, unix.EVFILT_READ},
	{EventWrite, unix.EVFILT_WRITE},
}

func (k *kqueueSet) add(key *SelectorKey) error {
	for _, f := range kqueueFilters {
		if key.Events&f.event == 0 {
			continue
		}
		if err := k.addFilter(key.Fd, f.filter, k.next()); err != nil {
			k.deleteFilters(key.Fd, key.Events)
			return err
		}
	}
	k.insert(key)
	k.kq.Bound = 2*k.count + 1
	return nil
}

func (k *kqueueSet) modify(key *SelectorKey) error {
	old, serial := k.find(key.Fd).Events, k.slots[key.Fd].serial
	// First come the filters that are there: if they are not, the descriptor was closed, and its number may be that of
	// something else.
	for _, f := range kqueueFilters {
		if old&f.event == 0 {
			continue
		}
		var flags uint16 = unix.EV_ENABLE
		if key.Events&f.event == 0 {
			flags = unix.EV_DELETE
		}
		err := k.control(key.Fd, f.filter, flags, serial)
		if errors.Is(err, unix.ENOENT) && f.event == EventWrite && k.isBroken(key.Fd) {
			err = nil // there was a filter, until the pipe broke
		}
		if err != nil {
			return err
		}
	}
	for _, f := range kqueueFilters {
		if key.Events&^old&f.event == 0 {
			continue
		}
		if err := k.addFilter(key.Fd, f.filter, serial); err != nil {
			return err
		}
	}
	k.replace(key)
	return nil
}

func (k *kqueueSet) remove(fd int) {
	k.deleteFilters(fd, EventRead|EventWrite)
	k.delete(fd)
	for _, f := range kqueueFilters {
		k.kq.Forget(uint64(fd), f.filter)
	}
}

// deleteFilters removes the filters of a descriptor. It does not matter if one is not there.
func (k *kqueueSet) deleteFilters(fd int, events Event) {
	for _, f := range kqueueFilters {
		if events&f.event != 0 {
			k.control(fd, f.filter, unix.EV_DELETE, 0)
		}
	}
}

// addFilter adds a filter, or says what else can watch the descriptor.
func (k *kqueueSet) addFilter(fd int, filter int16, serial uint32) error {
	err := k.control(fd, filter, unix.EV_ADD, serial)
	switch {
	case filter == unix.EVFILT_WRITE && isOfBrokenPipe(fd, err):
		k.kq.Keep(sys.Kevent{Ident: uint64(fd), Filter: filter, Flags: unix.EV_ONESHOT, Udata: uint64(serial)})
		return nil
	case err == nil || errors.Is(err, unix.ENOMEM) || sys.Probe(fd) != nil:
		return err
	}
	return fmt.Errorf("a kqueue cannot watch this file, a SelectSelector can: %w", err)
}

// isOfBrokenPipe reports whether a filter for the writing end of a pipe was refused because there is no reader, so that a write would
// not block. FreeBSD and DragonFly say EPIPE then, and NetBSD EBADF; macOS and OpenBSD take the filter and report it.
func isOfBrokenPipe(fd int, err error) bool {
	return errors.Is(err, unix.EPIPE) || runtime.GOOS == "netbsd" && errors.Is(err, unix.EBADF) && sys.Probe(fd) == nil
}

// isBroken reports whether the descriptor is, now, the writing end of a pipe without a reader.
func (k *kqueueSet) isBroken(fd int) bool {
	err := k.control(fd, unix.EVFILT_WRITE, unix.EV_ADD, 0)
	if err == nil { // it is the number of another file
		k.control(fd, unix.EVFILT_WRITE, unix.EV_DELETE, 0)
	}
	return isOfBrokenPipe(fd, err)
}

func (k *kqueueSet) control(fd int, filter int16, flags uint16, serial uint32) error {
	return sys.ChangeKqueue(k.kq.Fd(), sys.Kevent{Ident: uint64(fd), Filter: filter, Flags: flags, Udata: uint64(serial)})
}

// report is given all that is ready, because two events may be of one key, and because the kernel does not know which keys had no
// room the last time.
func (k *kqueueSet) report(dst []Ready, room, n int, blocked bool) ([]Ready, error) {
	k.found, k.last = k.found[:0], k.last[:0]
	if missing := len(k.slots) - len(k.turns); missing > 0 {
		k.turns = append(k.turns, make([]turn, missing)...)
	}
	for i := range n {
		k.note(k.kq.Found(i, blocked))
	}
	if dst == nil && len(k.found) > 0 {
		dst = make([]Ready, 0, len(k.found))
	}
	// In each round, every key gets its turn. If there is room for more, the next round begins.
	for range 2 {
		for _, fd := range k.found {
			t := &k.turns[fd]
			if t.ready == 0 || t.round == k.round || len(dst) == room {
				continue
			}
			dst = append(dst, Ready{k.find(fd), t.ready})
			*t = turn{round: k.round}
		}
		if len(dst) < room {
			k.round++
		}
	}
	for _, e := range k.last {
		if k.turns[e.Ident].ready != 0 || e.Filter == unix.EVFILT_WRITE && k.isBroken(int(e.Ident)) {
			k.kq.Keep(e)
		}
	}
	for _, fd := range k.found {
		k.turns[fd].ready = 0
	}
	return dst, nil
}

// note puts an event into found and turns, unless it is of an earlier registration.
func (k *kqueueSet) note(event sys.Kevent) {
	fd := int(event.Ident)
	key := k.lookup(fd, uint32(event.Udata))
	if key == nil {
		return
	}
	for _, f := range kqueueFilters {
		if event.Filter != f.filter || key.Events&f.event == 0 {
			continue
		}
		t := &k.turns[fd]
		if t.ready == 0 {
			k.found = append(k.found, fd)
		}
		t.ready |= f.event
		if event.Flags&unix.EV_ONESHOT != 0 {
			k.last = append(k.last, event)
		}
	}
}

func (k *kqueueSet) close() error {
	k.table = table{}
	return k.kq.Release()
}
