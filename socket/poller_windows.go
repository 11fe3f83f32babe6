package socket

import (
	"os"
	"sync/atomic"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// watched is what is waited for: the Socket itself.
type watched struct{ socket *Socket }

// A parker waits together with all others that wait for sockets.
type parker struct{ watch atomic.Pointer[wait.Watch] } // nil before the first wait

func (p *poller) open(s *Socket) error {
	p.watched = watched{s}
	return nil
}

// needsPauses reports whether wait would not do: in a bubble of testing/synctest, where nothing can be shared with others.
func (c *call) needsPauses(deadline sys.Deadline) bool {
	return deadline.InBubble() || deadline == sys.Never && sys.InBubble()
}

func (w *waiter) park(p *poller, deadline sys.Deadline) error {
	watch, err := w.startWatching(p)
	if err != nil {
		return err
	}
	for {
		if waits, err := w.attempt(p.socket, watch); !waits {
			return err
		}
		watch.End(deadline)
		switch {
		case p.isClosed():
			return os.ErrClosed
		case deadline.Left() == 0:
			return os.ErrDeadlineExceeded
		}
	}
}

// startWatching returns the watch, and makes it if there is none. It comes before the attempt, so that no kick is lost.
func (w *waiter) startWatching(p *poller) (*wait.Watch, error) {
	if watch := w.watch.Load(); watch != nil {
		return watch, nil
	}
	fd, ok := p.socket.acquire()
	if !ok {
		return nil, os.ErrClosed
	}
	defer p.socket.release()
	events := uint16(sys.In)
	if w.call.op.writes {
		events = sys.Out
	}
	watch, err := wait.NewWatch(fd, events)
	if err == nil {
		w.watch.Store(watch)
	}
	return watch, err
}

// attempt makes the call or, if that is not possible now, begins a wait.
func (w *waiter) attempt(s *Socket, watch *wait.Watch) (waits bool, err error) {
	fd, ok := s.acquire()
	if !ok {
		return false, os.ErrClosed
	}
	defer s.release()
	if err = w.call.once(fd); err != w.call.op.inProgress {
		return false, err
	}
	err = watch.Begin()
	return err == nil, err
}

func (w *waiter) kick() {
	if watch := w.watch.Load(); watch != nil {
		watch.Kick()
	}
}

func (w *waiter) close() {
	if watch := w.watch.Swap(nil); watch != nil {
		watch.Close()
	}
}

// close ends all waits.
func (p *poller) close() {
	close(p.closed)
	p.kick()
	p.read.retire()
	p.write.retire()
}
