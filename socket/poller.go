//go:build unix

package socket

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// A poller waits in Go's own poller, for a duplicate of a socket's descriptor.
type poller struct {
	fd          int // of the socket, to name it in errors
	file        *os.File
	conn        syscall.RawConn // of file
	closed      chan struct{}
	read, write waiter
}

// A waiter waits for one direction. Only the goroutine that has the turn uses the fields that are not atomic.
type waiter struct {
	turn    wait.Turn
	alarm   *wait.Alarm
	parking atomic.Pointer[parking]
	attempt func(fd uintptr) bool // makes the call, and says whether that is over
	call    call
	err     error
}

// A parking is where a goroutine parks until a socket may be ready.
type parking struct {
	park        func(attempt func(fd uintptr) bool) error // attempts again whenever the socket may be ready
	setDeadline func(time.Time) error                     // of park
	close       func() error
}

const onLinux = runtime.GOOS == "linux"

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
		p, err := newPoller(fd, s.kind)
		if err != nil {
			return nil, opError(op, fd, err)
		}
		s.poller = p
	}
	return s.poller, nil
}

func newPoller(fd int, k kind) (*poller, error) {
	if err := sys.StartGoPoller(); err != nil {
		return nil, err
	}
	n, err := dup(fd)
	if err != nil {
		return nil, err
	}
	file, conn, err := sys.InGoPoller(n, "socket")
	if err != nil {
		return nil, err
	}
	p := &poller{fd: fd, file: file, conn: conn, closed: make(chan struct{})}
	// On Linux, a receiving call of a datagram socket that was shut down says EAGAIN for ever if it does not wait.
	p.read.prepare(parking{conn.Read, file.SetReadDeadline, file.Close}, onLinux && k.typ != SOCK_STREAM)
	p.write.prepare(parking{conn.Write, file.SetWriteDeadline, file.Close}, false)
	return p, nil
}

func (w *waiter) prepare(p parking, asksIfShut bool) {
	w.turn, w.alarm = wait.NewTurn(), wait.NewAlarm(w.kick)
	w.parking.Store(&p)
	w.attempt = func(fd uintptr) bool {
		w.err = w.call.once(int(fd))
		if asksIfShut && w.err == unix.EAGAIN && w.call.op.receives && isShut(int(fd)) {
			// Something may have come before that.
			if w.err = w.call.once(int(fd)); w.err == unix.EAGAIN {
				w.call.n, w.err = 0, nil
			}
		}
		return w.err != w.call.op.inProgress
	}
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

func (w *waiter) park(p *poller, deadline sys.Deadline) error {
	if deadline.InBubble() {
		w.parking.Load().resetDeadline(deadline)
	} else {
		w.alarm.Set(deadline)
		defer w.alarm.Stop()
	}
	for {
		err := w.parking.Load().park(w.attempt)
		switch {
		case err == nil:
			return w.err
		case p.isClosed():
			return os.ErrClosed
		case err != os.ErrDeadlineExceeded: // which may be a kick
			if err := w.leaveGoPoller(p, err); err != nil {
				return err
			}
		}
		w.parking.Load().resetDeadline(deadline)
		if deadline.Left() == 0 {
			return os.ErrDeadlineExceeded
		}
	}
}

// resetDeadline takes back what a kick has set. In a bubble of testing/synctest it makes park end with the deadline, since the alarm does
// not go off there.
func (p *parking) resetDeadline(deadline sys.Deadline) {
	if deadline.InBubble() {
		p.setDeadline(time.Now().Add(deadline.Left()))
	} else {
		p.setDeadline(time.Time{})
	}
}

// kick lets the operation that waits try again, also if the socket does not become ready.
func (w *waiter) kick() { w.parking.Load().setDeadline(time.Unix(0, 0)) }

// close ends all waits. It waits until the system calls of the poller have returned, which is at once, unless somebody else has made the
// descriptor blocking.
func (p *poller) close() {
	close(p.closed)
	if p.isNonblocking() {
		p.closeFiles()
	} else {
		go p.closeFiles()
	}
}

// retire ends the alarm, if nobody has the turn. Who has it does so later.
func (w *waiter) retire() {
	select {
	case w.turn <- struct{}{}:
		w.alarm.Close()
		w.turn.Leave()
	default:
	}
}

func (p *poller) closeFiles() {
	p.read.parking.Load().close() // which has left Go's poller, perhaps
	p.file.Close()
	p.read.retire()
	p.write.retire()
}

func (p *poller) isNonblocking() (yes bool) {
	p.conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		yes = err == nil && flags&unix.O_NONBLOCK != 0
	})
	return yes
}

func (p *poller) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}
