//go:build linux

package selectors

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// EpollSelector waits with epoll(7). It mirrors Python's selectors.EpollSelector.
//
// It cannot watch regular files: registering one is unix.EPERM. An object that is closed while registered stays registered
// until it is unregistered. It is never reported again, except perhaps while a duplicate of its descriptor is open: unregister
// an object before it is closed, or the kernel's set may have to be made anew. What is said of waiting at [pyselect.Epoll] holds
// here too.
type EpollSelector struct {
	base
	epoll epollSet
}

// NewEpollSelector returns an empty selector. The error wraps an *os.SyscallError.
func NewEpollSelector() (*EpollSelector, error) {
	ep, err := wait.NewEpoll()
	if err != nil {
		return nil, opError("epoll", err)
	}
	s := &EpollSelector{epoll: epollSet{ep: ep}}
	s.base = base{&ep.Waits, &s.epoll}
	return s, nil
}

// Fileno returns the descriptor of the epoll. It changes when the kernel's set had to be rebuilt, because a registered
// descriptor was closed and unregistered, but a duplicate of it lives on. It mirrors EpollSelector.fileno.
//
// The error is os.ErrClosed.
func (s *EpollSelector) Fileno() (int, error) {
	s.waits.Lock()
	defer s.waits.Unlock()
	if s.waits.Closed() {
		return -1, opError("fileno", os.ErrClosed)
	}
	return s.epoll.ep.Fd(), nil
}

// An epollSet implements keySet.
type epollSet struct {
	table
	ep      *wait.Epoll
	rebuilt sys.Deadline // when it may be rebuilt again
}

func (e *epollSet) add(key *SelectorKey) error {
	err := e.ep.Add(key.Fd, key.Fileobj, epollEvents(key.Events), e.next())
	if errors.Is(err, unix.EEXIST) {
		// The descriptor was closed, unregistered, and is now open again as a duplicate of what it was.
		err = e.ep.Modify(key.Fd, epollEvents(key.Events), e.next())
	}
	if err == nil {
		e.insert(key)
		e.ep.Bound = e.count
	}
	return err
}

func (e *epollSet) modify(key *SelectorKey) error {
	err := e.ep.Modify(key.Fd, epollEvents(key.Events), e.slots[key.Fd].serial)
	if err == nil {
		e.replace(key)
	}
	return err
}

func (e *epollSet) remove(fd int) {
	e.ep.Remove(fd) // This fails if the descriptor has been closed. Should the kernel go on reporting it, report will find out.
	e.delete(fd)
	e.ep.Bound = max(e.count, 1)
}

func epollEvents(events Event) (mask uint32) {
	if events&EventRead != 0 {
		mask |= unix.EPOLLIN
	}
	if events&EventWrite != 0 {
		mask |= unix.EPOLLOUT
	}
	return mask
}

func (e *epollSet) report(dst []Ready, room, n int, blocked bool) (_ []Ready, err error) {
	none := dst
	for n > 0 && err == nil {
		if dst == nil {
			dst = make([]Ready, 0, n)
		}
		ghosts := 0
		for _, event := range e.ep.Found(n, blocked) {
			if key := e.lookup(int(event.Fd), uint32(event.Pad)); key == nil {
				ghosts++
			} else if len(dst) < room {
				dst = append(dst, Ready{key, readyEvents(event.Events, unix.EPOLLIN, unix.EPOLLOUT) & key.Events})
			}
		}
		switch {
		case ghosts == 0:
			return dst, nil
		case blocked && len(dst) == 0: // what has come is perhaps of keys that have been unregistered during the block
			blocked = false
			n, err = e.ep.Look(room)
			continue
		}
		// Nothing can have been unregistered since the look. So this is a descriptor that was closed and could then not be
		// removed from the kernel's set, because its file lives on in a duplicate. It may have taken the room of another.
		if len(dst) == 0 && e.rebuild() == nil {
			dst = none
			n, err = e.ep.Look(room)
			continue
		}
		return e.reportRest(dst, room)
	}
	return dst, err
}

// reportRest appends keys that are ready and are not in dst yet, however many events are nobody's.
func (e *epollSet) reportRest(dst []Ready, room int) ([]Ready, error) {
	for size := 2*e.count + 16; len(dst) < room; size *= 2 {
		e.ep.Bound = size
		n, err := e.ep.Look(size)
		e.ep.Bound = max(e.count, 1)
		if err != nil {
			return dst, err
		}
		for _, event := range e.ep.Found(n, false) {
			key := e.lookup(int(event.Fd), uint32(event.Pad))
			if key != nil && len(dst) < room && !slices.ContainsFunc(dst, func(r Ready) bool { return r.Key == key }) {
				dst = append(dst, Ready{key, readyEvents(event.Events, unix.EPOLLIN, unix.EPOLLOUT) & key.Events})
			}
		}
		if n < size {
			break
		}
	}
	e.ep.Haunted = len(dst) == 0
	return dst, nil
}

var errTooOften = errors.New("rebuilt too often")

// rebuild replaces the kernel's set by one that has the registered descriptors only. That is not done too often: while it may
// not be, or cannot be, waits pause for a moment instead of spinning.
func (e *epollSet) rebuild() error {
	const share = 16 // of the time that may go into it
	if e.rebuilt.Left() > 0 && e.ep.Steady() {
		return errTooOften
	}
	begin := sys.Clock()
	err := e.ep.Rebuild(func(yield func(int, [2]uint32) bool) {
		for _, s := range e.ordered() {
			if !yield(s.key.Fd, [2]uint32{epollEvents(s.key.Events), s.serial}) {
				return
			}
		}
	})
	e.rebuilt = sys.After(share * (sys.Clock() - begin))
	return err
}

func (e *epollSet) close() error {
	e.table = table{}
	return e.ep.Release()
}
