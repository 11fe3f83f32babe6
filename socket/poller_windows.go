package socket

import (
	"os"
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// watched is what is waited for: the Socket itself.
type watched struct {
	socket *Socket
	mu     sync.Mutex
	watch  *wait.Watch // nil before the first wait
}

// A waiter waits for one direction. Only the goroutine that has the turn uses the call.
type waiter struct {
	turn wait.Turn
	call call
}

func (p *poller) open(s *Socket) error {
	p.socket = s
	return nil
}

// needsPauses reports whether wait would not do: in a bubble of testing/synctest, where nothing can be shared with others.
func (c *call) needsPauses(deadline sys.Deadline) bool {
	return deadline.InBubble() || deadline == sys.Never && sys.InBubble()
}

func (w *waiter) park(p *poller, deadline sys.Deadline) error {
	watch, err := p.startWatching()
	if err != nil {
		return err
	}
	event := uint16(sys.In)
	if w.call.op.writes {
		event = sys.Out
	}
	for {
		waits, err := w.attempt(p.socket, func() error {
			if deadline.Left() == 0 {
				return os.ErrDeadlineExceeded
			}
			return watch.Begin(event)
		})
		if !waits {
			return err
		}
		watch.End(event, deadline)
	}
}

// startWatching returns the watch, and makes it if there is none. It comes before the attempt, so that no kick is lost.
func (p *poller) startWatching() (*wait.Watch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watch != nil {
		return p.watch, nil
	}
	fd, ok := p.socket.acquire()
	if !ok {
		return nil, os.ErrClosed
	}
	defer p.socket.release()
	watch, err := wait.NewWatch(fd)
	if err != nil {
		return nil, errUnwatched
	}
	p.watch = watch
	return watch, nil
}

// attempt makes the call or, if that is not possible now, begins a wait.
func (w *waiter) attempt(s *Socket, begin func() error) (waits bool, err error) {
	fd, ok := s.acquire()
	if !ok {
		return false, os.ErrClosed
	}
	defer s.release()
	if err = w.call.once(fd); err != w.call.op.inProgress {
		return false, err
	}
	err = begin()
	return err == nil, err
}

// kick lets the operations that wait try again, also if the socket does not become ready.
func (p *poller) kick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watch != nil {
		p.watch.Kick()
	}
}

// retire has nothing to do: the watch is the poller's.
func (*waiter) retire() {}

// close ends all waits.
func (p *poller) close() {
	close(p.closed)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watch != nil {
		p.watch.Close()
	}
}
