//go:build unix

package selectors

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// PollSelector waits with poll(2), which occupies a thread. It mirrors Python's selectors.PollSelector.
//
// It reports in the order of registration. Regular files are always ready. An object that is closed while registered is
// reported as ready until it is unregistered.
type PollSelector struct {
	base
	poll pollSet
}

// NewPollSelector returns an empty selector. The error wraps an *os.SyscallError.
func NewPollSelector() (*PollSelector, error) {
	waker, err := sys.NewWaker()
	if err != nil {
		return nil, opError("poll", err)
	}
	s := &PollSelector{poll: pollSet{
		waker: waker,
		fds:   []unix.PollFd{sys.PollFd(waker.Fd(), unix.POLLIN)},
	}}
	s.init(&s.poll)
	return s, nil
}

// A pollSet implements keySet.
type pollSet struct {
	list
	waker *sys.Waker
	fds   []unix.PollFd // the waker's and then those of the list

	// From arm until look, fds is in use by the one that blocks: it is not written to, but replaced.
	inUse bool

	// Of the one that blocks.
	blocked []unix.PollFd
	n       int
	err     error
}

func (p *pollSet) add(key *SelectorKey) error {
	p.change()
	p.fds = append(p.fds, pollFd(key))
	p.list.append(key)
	return nil
}

func (p *pollSet) modify(key *SelectorKey) error {
	p.change()
	p.fds[1+p.list.replace(key)] = pollFd(key)
	return nil
}

func (p *pollSet) replace(key *SelectorKey) { p.list.replace(key) }

func (p *pollSet) remove(fd int) {
	p.change()
	pos := 1 + p.list.delete(fd)
	p.fds = slices.Delete(p.fds, pos, pos+1)
}

// change makes fds ready for a change, and lets the block begin again with it.
func (p *pollSet) change() {
	if p.inUse {
		p.fds = slices.Clone(p.fds)
		p.inUse = false
		p.waker.Wake()
	}
}

func pollFd(key *SelectorKey) unix.PollFd {
	var mask uint16
	if key.Events&EventRead != 0 {
		mask |= unix.POLLIN
	}
	if key.Events&EventWrite != 0 {
		mask |= unix.POLLOUT
	}
	return sys.PollFd(key.Fd, mask)
}

func (p *pollSet) look(dst []Ready, room int, blocked bool) ([]Ready, error) {
	if blocked && p.n > 0 && p.blocked[0].Revents != 0 {
		p.waker.Drain()
		p.n--
	}
	var n int
	var err error
	fds := p.fds[1:]
	if blocked && p.inUse {
		p.inUse = false
		n, err = p.n, p.err
	} else {
		if p.inUse {
			fds = slices.Clone(fds)
		}
		n, err = sys.Poll(fds, sys.Now)
	}
	if err != nil {
		return dst, err
	}
	return p.report(dst, room, n, func(pos int, key *SelectorKey) Event {
		return readyEvents(uint32(uint16(fds[pos].Revents)), unix.POLLIN, unix.POLLOUT) & key.Events
	}), nil
}

func (p *pollSet) arm(sys.Deadline) error {
	p.blocked, p.inUse = p.fds, true
	p.n, p.err = 0, nil
	return nil
}

func (p *pollSet) block(deadline sys.Deadline) (lookFirst bool) {
	if p.waker.Enter() {
		defer p.waker.Leave()
		p.n, p.err = sys.Poll(p.blocked, deadline)
	}
	return false
}

func (p *pollSet) kick() { p.waker.Wake() }

func (p *pollSet) close() error {
	p.list, p.fds = list{}, nil
	p.waker.Close()
	return nil
}
