//go:build unix

package socket

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// A call is a system call on a descriptor. It never waits.
type call func(fd int, a args) (n int, addr unix.Sockaddr, err error)

// args are what calls take, all of which by value, so that a call that is possible at once allocates nothing.
type args struct {
	p     []byte
	flags int
	to    unix.Sockaddr
}

// An operation is a call that may have to wait.
type operation struct {
	name       string
	writes     bool // the socket has to be writable, not readable
	call       call
	inProgress unix.Errno // the error of a call that is not possible now
	wouldBlock error      // what the operation returns then; always the same error, so that it costs no allocation
}

func newOperation(name string, writes bool, call call, inProgress unix.Errno) *operation {
	return &operation{name, writes, call, inProgress, opError(name, -1, inProgress)}
}

// do performs an operation. It waits as the mode of the socket says.
func (s *Socket) do(o *operation, a args) (n int, addr unix.Sockaddr, err error) {
	n, addr, err = s.try(o, a)
	if err != nil && err == o.wouldBlock {
		return s.wait(o, a, s.deadline())
	}
	return n, addr, err
}

// control performs a call that has nothing to wait for.
func (s *Socket) control(name string, f func(fd int) error) error {
	call := func(fd int, _ args) (int, unix.Sockaddr, error) { return 0, nil, f(fd) }
	_, _, err := s.try(&operation{name: name, call: call}, args{})
	return err
}

// try performs an operation if that is possible at once.
func (s *Socket) try(o *operation, a args) (n int, addr unix.Sockaddr, err error) {
	s.mu.RLock()
	fd := s.fd
	if !s.open {
		s.mu.RUnlock()
		return 0, nil, opError(o.name, -1, os.ErrClosed)
	}
	n, addr, err = restart(o.call, fd, a)
	s.mu.RUnlock()
	if err != nil {
		return 0, nil, o.error(fd, err)
	}
	return n, addr, nil
}

// restart repeats a call that a signal has interrupted.
func restart(c call, fd int, a args) (n int, addr unix.Sockaddr, err error) {
	for {
		if n, addr, err = c(fd, a); err != unix.EINTR {
			return n, addr, err
		}
	}
}

func (o *operation) error(fd int, err error) error {
	if err == o.inProgress && o.wouldBlock != nil {
		return o.wouldBlock
	}
	return opError(o.name, fd, err)
}

// deadline returns when an operation that begins now has to end.
func (s *Socket) deadline() sys.Deadline { return sys.After(s.Gettimeout()) }

// wait performs an operation as soon as that is possible.
func (s *Socket) wait(o *operation, a args, deadline sys.Deadline) (n int, addr unix.Sockaddr, err error) {
	if deadline == sys.Now || a.flags&MSG_DONTWAIT != 0 {
		return 0, nil, o.wouldBlock
	}
	if _, ok := a.to.(*unix.SockaddrUnix); ok {
		return s.retry(o, a, deadline)
	}
	fd, p, err := s.startPolling(o.name)
	if err != nil {
		return 0, nil, err
	}
	w := &p.read
	if o.writes {
		w = &p.write
	}
	if !w.turn.Take(deadline, p.closed) {
		return 0, nil, opError(o.name, fd, p.why(os.ErrDeadlineExceeded))
	}
	defer w.turn.Leave()
	w.op, w.args = o, a
	w.limit(deadline)
	ended := w.park(w.attempt)
	for ended != nil && w.kicked.Swap(false) {
		w.limited = true // by the kick
		w.limit(deadline)
		ended = w.park(w.attempt)
	}
	n, addr, err = w.n, w.addr, w.err
	w.args, w.addr, w.err = args{}, nil, nil // which would keep the caller's memory alive
	switch {
	case ended != nil:
		return 0, nil, opError(o.name, fd, p.why(ended))
	case err != nil:
		return 0, nil, opError(o.name, fd, err)
	}
	return n, addr, nil
}

// retry tries an operation again and again, with pauses, until it is possible. It is for a Unix address: Linux does not report when
// the receiving socket has room again, because the sending socket counts as writable all the time.
func (s *Socket) retry(o *operation, a args, deadline sys.Deadline) (n int, addr unix.Sockaddr, err error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if err = s.sleep(o.name, pause, deadline); err != nil {
			return 0, nil, err
		}
		if n, addr, err = s.try(o, a); !errors.Is(err, ErrWouldBlock) {
			return n, addr, err
		}
	}
}
