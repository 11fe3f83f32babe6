//go:build linux

package selectors

import (
	"errors"

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

// NewEpollSelector returns an empty selector. The error is an errno, like unix.EMFILE.
func NewEpollSelector() (*EpollSelector, error) {
	ep, err := wait.NewEpoll()
	if err != nil {
		return nil, opError("selectors.EpollSelector", -1, err)
	}
	s := &EpollSelector{epoll: epollSet{ep: ep}}
	s.base = base{&ep.Waits, &s.epoll}
	return s, nil
}

// Fileno returns the descriptor of the epoll. It changes when the kernel's set had to be rebuilt, because a registered
// descriptor was closed and unregistered, but a duplicate of it lives on. It mirrors EpollSelector.fileno.
//
// The error is os.ErrClosed.
func (s *EpollSelector) Fileno() (int, error) { return s.descriptor(s.epoll.ep.Fd) }

// An epollSet implements keySet.
type epollSet struct {
	table
	ep          *wait.Epoll
	rebuildFrom sys.Deadline // when the set may be rebuilt again
}

func (e *epollSet) add(key *SelectorKey) error {
	err := e.ep.Add(key.Fd, key.Fileobj, epollEvents(key.Events), e.next())
	if errors.Is(err, unix.EEXIST) {
		// The descriptor was closed, unregistered, and is now open again as a duplicate of what it was.
		err = e.ep.Modify(key.Fd, epollEvents(key.Events), e.next())
	}
	if err == nil {
		e.insert(key)
		e.bound()
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
	e.bound()
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
	for asked := min(room, e.ep.Bound); n > 0 && err == nil; n, err = e.ep.Look(asked) {
		if dst == nil {
			dst = make([]Ready, 0, n)
		}
		dst = dst[:0]
		ghosts := false
		for _, event := range e.ep.Found(n, blocked) {
			if key := e.lookup(int(event.Fd), uint32(event.Pad)); key == nil {
				ghosts = true
			} else if len(dst) < room {
				dst = append(dst, Ready{key, readyEvents(event.Events, unix.EPOLLIN, unix.EPOLLOUT) & key.Events})
			}
		}
		switch {
		case !ghosts || blocked && len(dst) > 0:
			return dst, nil
		case blocked: // perhaps they have been unregistered during the block
		case e.rebuild() == nil:
		case n == asked && len(dst) < room: // they may have taken the room of others
			e.ep.Bound *= 2
			defer e.bound()
		default:
			e.ep.PauseNext = len(dst) == 0
			return dst, nil
		}
		blocked, asked = false, e.ep.Bound
	}
	return dst[:0], err
}

var errTooOften = errors.New("rebuilt too often")

// bound tells how many descriptors can be ready.
func (e *epollSet) bound() { e.ep.Bound = max(e.count, 1) }

// rebuild replaces the kernel's set by one that has the registered descriptors only, without ghosts. A ghost is a descriptor that
// was closed and then could not be removed from the set, because its file lives on in a duplicate. A rebuild fails if the last one
// was too recent. Waits then pause for a moment, so that they do not spin.
func (e *epollSet) rebuild() error {
	const share = 16 // of the time that may go into it
	if e.rebuildFrom.Left() > 0 {
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
	e.rebuildFrom = sys.After(share * (sys.Clock() - begin))
	return err
}

func (e *epollSet) close() error {
	e.table = table{}
	return e.ep.Release()
}
