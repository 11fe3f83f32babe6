package selectors

import (
	"fmt"

	"github.com/pyselect/pyselect/internal/sys"
)

// SelectSelector waits with select(2), which occupies a thread. It mirrors Python's selectors.SelectSelector.
//
// It reports in the order of registration. Regular files are always ready. While an object is registered that has been
// closed, Select fails with unix.EBADF and names its descriptor.
//
// On Windows, it does so with windows.WSAENOTSOCK, also for all that is no socket. A non-blocking connect that has failed
// makes its socket available for writing, as on other systems.
type SelectSelector struct {
	base
	sel selectSet
}

// NewSelectSelector returns an empty selector. The error wraps an *os.SyscallError.
func NewSelectSelector() (*SelectSelector, error) {
	waker, err := sys.NewWaker()
	if err != nil {
		return nil, opError("select", err)
	}
	s := &SelectSelector{sel: selectSet{waker: waker}}
	s.init(&s.sel)
	return s, nil
}

// A selectSet implements keySet.
type selectSet struct {
	list
	waker *sys.Waker
	sets  sys.FdSets // of looks without a block

	// From arm until look, a goroutine blocks on what the list was at arm.
	inUse bool

	// Of the one that blocks.
	blocked sys.FdSets
	n       int
	err     error
}

func (s *selectSet) add(key *SelectorKey) error {
	s.change()
	s.list.append(key)
	return nil
}

func (s *selectSet) modify(key *SelectorKey) error {
	s.change()
	s.list.replace(key)
	return nil
}

func (s *selectSet) replace(key *SelectorKey) { s.list.replace(key) }

func (s *selectSet) remove(fd int) {
	s.change()
	s.list.delete(fd)
}

// change lets a block begin again.
func (s *selectSet) change() {
	if s.inUse {
		s.inUse = false
		s.waker.Wake()
	}
}

func (s *selectSet) look(dst []Ready, room int, blocked bool) ([]Ready, error) {
	if blocked && s.n > 0 && s.blocked.Has(sys.Readable, s.waker.Fd()) {
		s.waker.Drain()
		s.n--
	}
	var n int
	var err error
	sets := &s.sets
	if blocked && s.inUse {
		s.inUse = false
		sets = &s.blocked
		n, err = s.n, s.err
	} else {
		if err = s.fill(sets); err == nil {
			n, err = sets.Select(sys.Now)
		}
	}
	if err != nil {
		return dst, s.explain(err)
	}
	if n == 0 {
		return dst, nil
	}
	events := func(_ int, key *SelectorKey) (ready Event) {
		if sets.Has(sys.Readable, key.Fd) {
			ready |= EventRead
		}
		if sets.Has(sys.Writable, key.Fd) || sys.FailedConnectIsExceptional && sets.Has(sys.Exceptional, key.Fd) {
			ready |= EventWrite
		}
		return ready
	}
	n = 0 // count keys, not events
	for pos, key := range s.all {
		if events(pos, key) != 0 {
			n++
		}
	}
	return s.report(dst, room, n, events), nil
}

// fill makes sets what is to be waited for.
func (s *selectSet) fill(sets *sys.FdSets) error {
	sets.Reset()
	for _, key := range s.all {
		if key.Events&EventRead != 0 {
			if err := sets.Add(sys.Readable, key.Fd); err != nil {
				return err
			}
		}
		if key.Events&EventWrite != 0 {
			if err := sets.Add(sys.Writable, key.Fd); err != nil {
				return err
			}
			if sys.FailedConnectIsExceptional {
				if err := sets.Add(sys.Exceptional, key.Fd); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// explain finds the descriptor that is to blame for an error, which the kernel does not name.
func (s *selectSet) explain(err error) error {
	for _, key := range s.all {
		if err := sys.Probe(key.Fd); err != nil {
			return fmt.Errorf("fd %d: %w", key.Fd, err)
		}
	}
	return err
}

func (s *selectSet) arm(sys.Deadline) error {
	if err := s.fill(&s.blocked); err != nil {
		return s.explain(err)
	}
	s.inUse, s.n, s.err = true, 0, nil
	return s.blocked.Add(sys.Readable, s.waker.Fd())
}

func (s *selectSet) block(deadline sys.Deadline) (lookFirst bool) {
	if s.waker.Enter() {
		defer s.waker.Leave()
		s.n, s.err = s.blocked.Select(deadline)
	}
	return false
}

func (s *selectSet) kick() { s.waker.Wake() }

func (s *selectSet) close() error {
	s.list = list{}
	s.waker.Close()
	return nil
}
