//go:build unix || windows

package socket

import (
	"errors"
	"os"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// A poller is where the operations of a socket wait.
type poller struct {
	fd          int // of the socket, to name it in errors
	closed      chan struct{}
	read, write waiter
	watched
}

// errUnwatched says that a socket cannot be watched now, for lack of descriptors for instance, so that an operation has to try again and
// again.
var errUnwatched = errors.New("not watched")

// startPolling returns the poller, and makes it if there is none. The error is errUnwatched if the poller cannot watch the socket.
func (s *Socket) startPolling(op string) (*poller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd, ok := s.acquire()
	if !ok {
		return nil, opError(op, -1, os.ErrClosed)
	}
	defer s.release()
	if s.poller == nil {
		p := &poller{fd: fd, closed: make(chan struct{}), read: waiter{turn: wait.NewTurn()}, write: waiter{turn: wait.NewTurn()}}
		if p.open(s) != nil {
			return p, errUnwatched
		}
		s.poller = p
	}
	return s.poller, nil
}

// wait makes a call as soon as that is possible. The error may be errUnwatched.
func (p *poller) wait(c *call, deadline sys.Deadline) error {
	if c.needsPauses(deadline) {
		return errUnwatched
	}
	w := &p.read
	if c.op.writes {
		w = &p.write
	}
	if !w.turn.Take(deadline, p.closed) {
		if p.isClosed() {
			return os.ErrClosed
		}
		return os.ErrDeadlineExceeded
	}
	defer func() {
		w.call = call{} // which would keep the caller's memory alive
		w.turn.Leave()
		if p.isClosed() {
			w.retire()
		}
	}()
	w.call = *c
	err := w.park(p, deadline)
	c.n, c.addr = w.call.n, w.call.addr
	return err
}

func (p *poller) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}
