//go:build unix

package socket

import (
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
	writes     bool       // the socket has to be writable, not readable
	call       call       // what to do first
	again      call       // what to do when the socket is ready
	notYet     unix.Errno // what a call that has to wait fails with
	wouldBlock error      // what it returns then, always the same as it is frequent
}

func newOperation(name string, writes bool, first, again call, notYet unix.Errno) *operation {
	return &operation{name, writes, first, again, notYet, opErr(name, notYet)}
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
func (s *Socket) control(name string, f func(fd int) (int, unix.Sockaddr, error)) (n int, addr unix.Sockaddr, err error) {
	return s.try(&operation{name: name, call: func(fd int, _ args) (int, unix.Sockaddr, error) { return f(fd) }}, args{})
}

// try performs an operation if that is possible at once.
func (s *Socket) try(o *operation, a args) (n int, addr unix.Sockaddr, err error) {
	s.mu.RLock()
	fd := s.fd
	if fd < 0 {
		s.mu.RUnlock()
		return 0, nil, opErr(o.name, os.ErrClosed)
	}
	n, addr, err = restart(o.call, fd, a)
	s.mu.RUnlock()
	if err != nil {
		return 0, nil, o.error(fd, err)
	}
	return n, addr, nil
}

// restart calls again what a signal has interrupted.
func restart(c call, fd int, a args) (n int, addr unix.Sockaddr, err error) {
	for {
		if n, addr, err = c(fd, a); err != unix.EINTR {
			return n, addr, err
		}
	}
}

func (o *operation) error(fd int, err error) error {
	if err == o.notYet && o.wouldBlock != nil {
		return o.wouldBlock
	}
	return fdError(o.name, fd, err)
}

// deadline returns when an operation that begins now has to end.
func (s *Socket) deadline() sys.Deadline { return sys.After(s.Gettimeout()) }

// wait performs an operation as soon as that is possible.
func (s *Socket) wait(o *operation, a args, deadline sys.Deadline) (n int, addr unix.Sockaddr, err error) {
	if deadline == sys.Now || a.flags&MSG_DONTWAIT != 0 {
		return 0, nil, o.wouldBlock
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
		return 0, nil, fdError(o.name, fd, p.why())
	}
	defer w.turn.Leave()
	w.limit(deadline)
	w.again, w.args = o.again, a
	ended := w.park(w.attempt)
	n, addr, err = w.n, w.addr, w.err
	w.args, w.addr, w.err = args{}, nil, nil // which would keep the caller's memory alive
	switch {
	case ended != nil:
		return 0, nil, fdError(o.name, fd, p.why())
	case err != nil:
		return 0, nil, fdError(o.name, fd, err)
	}
	return n, addr, nil
}

// A poller waits in Go's own poller, for a duplicate of a socket's descriptor.
type poller struct {
	file        *os.File
	closed      chan struct{}
	read, write waiter
}

// A waiter waits for one direction. Who has its turn uses the other fields.
type waiter struct {
	turn        sys.Turn
	setDeadline func(time.Time) error
	limited     bool                              // a deadline is set
	park        func(func(fd uintptr) bool) error // calls the function until it returns true, whenever the socket is ready
	attempt     func(fd uintptr) bool             // calls again, and says whether that is over

	again call
	args  args
	n     int
	addr  unix.Sockaddr
	err   error
}

// startPolling returns the descriptor and the poller, and makes that if there is none.
func (s *Socket) startPolling(op string) (fd int, p *poller, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return -1, nil, opErr(op, os.ErrClosed)
	}
	if s.poller == nil {
		if s.poller, err = newPoller(s.fd); err != nil {
			return -1, nil, fdError(op, s.fd, err)
		}
	}
	return s.fd, s.poller, nil
}

func newPoller(fd int) (*poller, error) {
	fd, err := dup(fd)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "socket")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetDeadline(time.Time{}) // which is an error if Go's poller cannot watch it
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	p := &poller{file: file, closed: make(chan struct{})}
	p.read.init(file.SetReadDeadline, raw.Read)
	p.write.init(file.SetWriteDeadline, raw.Write)
	return p, nil
}

func (w *waiter) init(setDeadline func(time.Time) error, park func(func(uintptr) bool) error) {
	w.turn, w.setDeadline, w.park = sys.NewTurn(), setDeadline, park
	w.attempt = func(fd uintptr) bool {
		w.n, w.addr, w.err = restart(w.again, int(fd), w.args)
		return w.err != unix.EAGAIN && w.err != unix.EINPROGRESS
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

// close ends all waits.
func (p *poller) close() {
	close(p.closed)
	p.file.Close()
}

// why returns the reason why a wait has ended.
func (p *poller) why() error {
	select {
	case <-p.closed:
		return os.ErrClosed
	default:
		return os.ErrDeadlineExceeded
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
		return fdError(op, fd, os.ErrClosed)
	case <-time.After(min(d, deadline.Left())):
	}
	if deadline.Left() == 0 {
		return fdError(op, fd, os.ErrDeadlineExceeded)
	}
	return nil
}
