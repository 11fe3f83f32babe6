//go:build unix

package socket

import (
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// A poller waits in Go's own poller, for a duplicate of a socket's descriptor.
type poller struct {
	file        *os.File
	closed      chan struct{}
	read, write waiter
}

// A waiter waits for one direction. Only the goroutine that has the turn uses the other fields.
type waiter struct {
	turn        wait.Turn
	setDeadline func(time.Time) error
	limited     bool                              // a deadline is set
	park        func(func(fd uintptr) bool) error // calls the function until it returns true, whenever the socket is ready
	attempt     func(fd uintptr) bool             // tries op again, and says whether that is over
	kicked      atomic.Bool                       // park has to try again: its deadline is in the past for this reason

	op   *operation
	args args
	n    int
	addr unix.Sockaddr
	err  error
}

// startPolling returns the descriptor and the poller, and makes that if there is none.
func (s *Socket) startPolling(op string) (fd int, p *poller, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return -1, nil, opError(op, -1, os.ErrClosed)
	}
	if s.poller == nil {
		if s.poller, err = newPoller(s.fd); err != nil {
			return -1, nil, opError(op, s.fd, err)
		}
	}
	return s.fd, s.poller, nil
}

func newPoller(fd int) (*poller, error) {
	if err := sys.StartGoPoller(); err != nil {
		return nil, err
	}
	fd, err := dup(fd)
	if err != nil {
		return nil, err
	}
	file, raw, err := sys.InGoPoller(fd, "socket")
	if err != nil {
		return nil, err
	}
	p := &poller{file: file, closed: make(chan struct{})}
	p.read.init(file.SetReadDeadline, raw.Read)
	p.write.init(file.SetWriteDeadline, raw.Write)
	return p, nil
}

func (w *waiter) init(setDeadline func(time.Time) error, park func(func(uintptr) bool) error) {
	w.turn, w.setDeadline, w.park = wait.NewTurn(), setDeadline, park
	w.attempt = func(fd uintptr) bool {
		w.n, w.addr, w.err = restart(w.op.call, int(fd), w.args)
		return w.err != w.op.inProgress
	}
}

// limit makes park end with the deadline.
func (w *waiter) limit(deadline sys.Deadline) {
	switch {
	case deadline != sys.Never:
		w.setDeadline(time.Now().Add(deadline.Left()))
	case w.limited:
		w.setDeadline(time.Time{})
	}
	w.limited = deadline != sys.Never
}

// kick lets the operation that waits try again, also if the socket does not become ready.
func (w *waiter) kick() {
	w.kicked.Store(true)
	w.setDeadline(time.Unix(0, 0))
}

// close ends all waits.
func (p *poller) close() {
	close(p.closed)
	p.file.Close()
}

// why returns the reason why a wait has ended, which is err unless the socket is closed.
func (p *poller) why(err error) error {
	select {
	case <-p.closed:
		return os.ErrClosed
	default:
		return err
	}
}

// sleep waits for a while. It is an error if the socket is closed in the meantime or the deadline has come.
func (s *Socket) sleep(op string, d time.Duration, deadline sys.Deadline) error {
	fd, p, err := s.startPolling(op)
	if err != nil {
		return err
	}
	select {
	case <-p.closed:
		return opError(op, fd, os.ErrClosed)
	case <-time.After(min(d, deadline.Left())):
	}
	if deadline.Left() == 0 {
		return opError(op, fd, os.ErrDeadlineExceeded)
	}
	return nil
}
