package wait

import (
	"errors"
	"slices"
	"syscall"

	"github.com/pyselect/pyselect/internal/sys"
)

// A List is descriptors that are handed to the kernel with each wait, in the order in which they were added, and the waits for
// them. Its methods are called with the lock held.
type List struct {
	Waits
	Ask      func(fds []sys.PollFd, deadline sys.Deadline) (int, error) // sys.Poll or sys.Select
	BySelect bool                                                       // it is sys.Select
	Waker    *sys.Waker                                                 // for a thread that waits

	order   Order
	fds     []sys.PollFd
	changes int
	kept    []uint16 // by position, what has been found and had no room; empty if there is none

	// Of the block that is on: what it asks for, and with which state of the list.
	blocked []sys.PollFd
	state   int
	time    uint64
	own     bool // the waker is for this block only
}

// Init prepares the list for use.
func (l *List) Init() {
	l.Waits.set = l
	if l.Waker != nil {
		l.Waits.Init(l)
	}
}

// Entries and SetEntries are for a list that is used once.
func (l *List) Entries() []sys.PollFd { return l.fds }

func (l *List) SetEntries(fds []sys.PollFd) { l.fds = fds }

// Found returns the entries with what the last Look has found, or the last block.
func (l *List) Found(blocked bool) []sys.PollFd {
	if blocked {
		return l.blocked
	}
	return l.fds
}

// Find returns the position of a descriptor.
func (l *List) Find(fd int) (pos int, ok bool) { return l.order.Find(fd) }

// Put adds a descriptor at the end, or changes what it waits for, and returns its position. A block that is on does not see the
// change: call Kick to begin it anew.
func (l *List) Put(fd int, events uint16) (pos int) {
	l.changes++
	pos, ok := l.order.Find(fd)
	if ok {
		l.fds[pos] = sys.Entry(fd, events)
		if len(l.kept) > 0 {
			l.kept[pos] = 0
		}
		return pos
	}
	l.order.Add(fd)
	l.fds = append(l.fds, sys.Entry(fd, events))
	if len(l.kept) > 0 {
		l.kept = append(l.kept, 0)
	}
	return len(l.fds) - 1
}

// Remove removes the descriptor at a position.
func (l *List) Remove(pos int) {
	l.changes++
	l.order.Remove(int(l.fds[pos].Fd))
	l.fds = slices.Delete(l.fds, pos, pos+1)
	if len(l.kept) > 0 {
		l.kept = slices.Delete(l.kept, pos, pos+1)
	}
}

// Clear removes all.
func (l *List) Clear() { l.order, l.fds, l.kept = Order{}, nil, nil }

// Look implements Set.
func (l *List) Look(int) (n int, err error) {
	if n, err = l.Ask(l.fds, sys.Now); err != nil {
		return n, err
	}
	l.Kept = false
	if len(l.kept) == 0 {
		return n, nil
	}
	if n == 0 {
		for pos := range l.fds {
			sys.SetFound(&l.fds[pos], 0)
		}
	}
	for pos, revents := range l.kept {
		// A steady file reports its events again. For any other file, take the events that were found the last time.
		f := &l.fds[pos]
		if revents == 0 || f.Revents != 0 {
			continue
		}
		if steady, _ := sys.Steady(int(f.Fd)); !steady {
			sys.SetFound(f, revents)
			n++
		}
	}
	l.kept = l.kept[:0]
	return n, nil
}

// Watch implements Set.
func (l *List) Watch() bool {
	if l.Waker == nil && l.mayEnd {
		waker, err := sys.NewWaker()
		if err != nil {
			return false
		}
		l.Waker, l.own = waker, true
	}
	return true
}

// Arm implements Set.
func (l *List) Arm(int) {
	l.state, l.time = l.changes, l.order.Time()
	l.blocked = append(l.blocked[:0], l.fds...)
}

// Disarm implements Set.
func (l *List) Disarm(woken bool) {
	switch {
	case l.own:
		l.Waker.Close()
		l.Waker, l.own = nil, false
	case woken && l.Waker != nil:
		l.Waker.Drain()
	}
}

// Sleep implements Set.
func (l *List) Sleep(deadline sys.Deadline) (n int, err error) {
	if l.Waker == nil {
		return l.Ask(l.blocked, deadline)
	}
	last := len(l.blocked)
	l.blocked = append(l.blocked, sys.Entry(l.Waker.Fd(), sys.In))
	n, err = l.Ask(l.blocked, deadline)
	if !l.BySelect && errors.Is(err, syscall.EINVAL) {
		// poll(2) takes as many entries as the process may have descriptors, and the waker's is one more. select(2) has no such
		// limit, but does not tell all events apart: a Look has to follow.
		_, err = sys.Select(l.blocked, deadline)
		n = -1
	} else if n > 0 && l.blocked[last].Revents != 0 {
		n--
	}
	l.blocked = l.blocked[:last]
	return n, err
}

// Wake implements Set. There is no waker if nothing but the deadline may end this wait. Then Wake comes late, from the context of
// an earlier wait, and there is nothing to do.
func (l *List) Wake() {
	if l.Waker != nil {
		l.Waker.Wake()
	}
}

// Report calls take for each of the n descriptors that are ready, until take has returned true room times. It keeps the other
// ready descriptors for the next Look. If n is more than room, Report begins with the descriptor that had no room the last time.
// pos is -1 if the descriptor was removed during the block.
func (l *List) Report(n, room int, blocked bool, take func(pos, fd int, revents uint16) bool) {
	found, moved := l.Found(blocked), blocked && l.state != l.changes
	pos := 0
	if n > room {
		pos = min(l.order.Next(), len(found))
	}
	for range found {
		if pos == len(found) {
			pos = 0
		}
		f := &found[pos]
		at := pos
		pos++
		if f.Revents == 0 {
			continue
		}
		fd, revents := int(f.Fd), uint16(f.Revents)
		if moved { // who has the number now may not be who had it when the block began
			var ok bool
			if at, ok = l.order.FindUntil(fd, l.time); !ok {
				at = -1
			}
		}
		switch {
		case room == 0:
			l.keep(at, fd, revents)
		case take(at, fd, revents):
			room--
		}
		if n--; n == 0 {
			return
		}
	}
}

// keep remembers what has had no room.
func (l *List) keep(pos, fd int, revents uint16) {
	if pos < 0 {
		return
	}
	if len(l.kept) == 0 {
		l.order.ContinueAt(fd)
		l.kept = slices.Grow(l.kept, len(l.fds))[:len(l.fds)]
		clear(l.kept)
		l.Kept = true
	}
	l.kept[pos] = revents
	l.Kick()
}
