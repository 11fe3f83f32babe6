//go:build linux

package selectors

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// EpollSelector waits with epoll(7), without occupying a thread. It mirrors Python's selectors.EpollSelector.
//
// It cannot watch regular files: registering one is unix.EPERM. An object that is closed while registered stays registered
// until it is unregistered. It is never reported again, except perhaps while a duplicate of its descriptor is open. What is
// said of nesting and of many epolls that watch the same file at [pyselect.Epoll] holds here too.
type EpollSelector struct {
	base
	epoll epollSet
}

// NewEpollSelector returns an empty selector. The error wraps an *os.SyscallError.
func NewEpollSelector() (*EpollSelector, error) {
	ep, err := sys.NewEpoll()
	if err != nil {
		return nil, opError("epoll", err)
	}
	s := &EpollSelector{epoll: epollSet{ep: ep}}
	s.init(&s.epoll)
	s.lookFirst.Store(true)
	return s, nil
}

// Fileno returns the descriptor of the epoll. It changes when the kernel's set had to be rebuilt, because a registered
// descriptor was closed and unregistered, but a duplicate of it lives on. It mirrors EpollSelector.fileno.
//
// The error is os.ErrClosed.
func (s *EpollSelector) Fileno() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return -1, opError("fileno", os.ErrClosed)
	}
	return s.epoll.ep.Fd(), nil
}

// An epollSet implements keySet.
type epollSet struct {
	table
	ep    *sys.Epoll
	raw   []unix.EpollEvent
	armed *sys.Epoll // the one to block on
	err   error      // of the one that blocks
}

func (e *epollSet) add(key *SelectorKey) error {
	err := e.control(e.ep, unix.EPOLL_CTL_ADD, key, e.next())
	if errors.Is(err, unix.EEXIST) {
		// The descriptor was closed, unregistered, and is now open again as a duplicate of what it was.
		err = e.control(e.ep, unix.EPOLL_CTL_MOD, key, e.next())
	}
	if err == nil {
		e.insert(key)
	}
	return err
}

func (e *epollSet) modify(key *SelectorKey) error {
	err := e.control(e.ep, unix.EPOLL_CTL_MOD, key, e.slots[key.Fd].serial)
	if err == nil {
		e.replace(key)
	}
	return err
}

func (e *epollSet) remove(fd int) {
	// This fails if the descriptor has been closed. Should the kernel go on reporting it, look will find out.
	e.ep.Ctl(unix.EPOLL_CTL_DEL, fd, 0, 0)
	e.delete(fd)
}

func (e *epollSet) control(ep *sys.Epoll, op int, key *SelectorKey, serial uint32) error {
	var mask uint32
	if key.Events&EventRead != 0 {
		mask |= unix.EPOLLIN
	}
	if key.Events&EventWrite != 0 {
		mask |= unix.EPOLLOUT
	}
	return ep.Ctl(op, key.Fd, mask, serial)
}

func (e *epollSet) look(dst []Ready, room int, blocked bool) ([]Ready, error) {
	none := dst
	for {
		room := min(room, max(e.count, 1))
		if room > len(e.raw) {
			e.raw = make([]unix.EpollEvent, room)
		}
		n, err := e.ep.Look(e.raw[:room])
		if n == 0 && err == nil && blocked {
			err = e.err
		}
		if n == 0 || err != nil {
			return dst, err
		}
		if dst == nil {
			dst = make([]Ready, 0, n)
		}
		haunted := false
		for i := range e.raw[:n] {
			event := &e.raw[i]
			key := e.lookup(int(event.Fd), uint32(event.Pad))
			if key == nil {
				haunted = true
				continue
			}
			dst = append(dst, Ready{key, readyEvents(event.Events, unix.EPOLLIN, unix.EPOLLOUT) & key.Events})
		}
		if !haunted {
			return dst, nil
		}
		// Nothing can have been unregistered since Look. So this is a descriptor that was closed and could then not be
		// removed from the kernel's set, because its file lives on in a duplicate. It may have taken the room of another.
		err = e.rebuild()
		switch {
		case err == nil:
			dst = none
		case len(dst) > 0:
			return dst, nil
		default:
			return dst, err
		}
	}
}

// rebuild replaces the kernel's set by one that has the registered descriptors only.
func (e *epollSet) rebuild() error {
	ep, err := sys.NewEpoll()
	if err != nil {
		return err
	}
	for _, s := range e.ordered() {
		// A descriptor that has left the set by being closed must not come back as something else.
		if e.control(e.ep, unix.EPOLL_CTL_MOD, s.key, s.serial) != nil {
			continue
		}
		if err := e.control(ep, unix.EPOLL_CTL_ADD, s.key, s.serial); err != nil {
			ep.Close()
			return fmt.Errorf("fd %d: %w", s.key.Fd, err)
		}
	}
	e.ep.Close()
	e.ep = ep
	return nil
}

func (e *epollSet) arm(deadline sys.Deadline) error {
	e.armed, e.err = e.ep, nil
	return e.ep.Arm(deadline)
}

func (e *epollSet) block(deadline sys.Deadline) (lookFirst bool) {
	slept, err := e.armed.Block(deadline)
	e.err = err
	return !slept
}

func (e *epollSet) kick() { e.ep.Kick() }

func (e *epollSet) close() error {
	e.table = table{}
	e.raw = nil
	return e.ep.Close()
}
