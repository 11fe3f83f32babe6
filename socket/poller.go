//go:build unix || windows

package socket

import (
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

// startPolling returns the poller, and makes it if there is none.
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
		if err := p.open(s); err != nil {
			return nil, opError(op, fd, err)
		}
		s.poller = p
	}
	return s.poller, nil
}

// wait makes a call as soon as that is possible.
func (p *poller) wait(c *call, deadline sys.Deadline) error {
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
