//go:build unix || windows

package socket

import (
	"os"
	"syscall"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// An operation is what may have to wait.
type operation struct {
	name       string
	writes     bool          // the socket has to be writable, not readable
	receives   bool          // data, so that it ends when nothing more can come
	inProgress syscall.Errno // the error of a system call that is not possible now
	wouldBlock error         // what the operation returns then; always the same error, so that it costs no allocation
}

func newOperation(o operation) *operation {
	o.wouldBlock = opError(o.name, -1, o.inProgress)
	return &o
}

// A call is one system call of an operation, with its arguments and results. It is a value, so that an operation that is possible at
// once allocates nothing.
type call struct {
	op    *operation
	f     func(fd int) (n int, err error) // the system call; nil for those that follow
	p     []byte
	flags int
	named bool     // it returns an address
	addr  sockaddr // where to, or where from
	n     int

	askedLimit bool         // the kernel, for what follows
	limit      sys.Deadline // of all calls of a blocking operation, by SO_RCVTIMEO or SO_SNDTIMEO; Never if there is none
}

// once performs the system call. It does not wait.
func (c *call) once(fd int) (err error) {
	for {
		switch {
		case c.f != nil:
			c.n, err = c.f(fd)
		case c.op.writes:
			c.n, err = send(fd, c.p, c.flags, &c.addr)
		case c.named || c.flags != 0:
			c.n, err = recvfrom(fd, c.p, c.flags, &c.addr)
		default: // read(2) is what recv(2) is without flags
			c.n, err = read(fd, c.p)
		}
		if err != eIntr {
			return err
		}
	}
}

// send wraps write(2), which is what send(2) is without flags and address.
func send(fd int, p []byte, flags int, to *sockaddr) (int, error) {
	if flags == 0 && len(p) != 0 && to.isEmpty() {
		return write(fd, p)
	}
	return sendto(fd, p, flags, to)
}

// do performs an operation. It waits as the mode of the socket says.
func (s *Socket) do(c *call) error {
	err := s.try(c)
	if err != nil && err == c.op.wouldBlock {
		return s.wait(c, s.deadline())
	}
	return err
}

// whole performs an operation in parts, as long as next, which is called after each part, returns true.
func (s *Socket) whole(c *call, next func() bool) error {
	for parts := 0; ; parts++ {
		switch err := s.do(c); {
		case err == nil && next():
		case err == c.op.wouldBlock && parts > 0:
			return nil // the time of SO_RCVTIMEO or SO_SNDTIMEO is over
		default:
			return err
		}
	}
}

// control runs a call that never waits.
func (s *Socket) control(name string, f func(fd int) error) error {
	fd, ok := s.acquire()
	if !ok {
		return opError(name, -1, os.ErrClosed)
	}
	defer s.release()
	for {
		switch err := f(fd); err {
		case nil:
			return nil
		case eIntr:
		default:
			return opError(name, fd, err)
		}
	}
}

// answer returns the result of an operation that makes no system call: err, unless the Socket is closed.
func (s *Socket) answer(name string, err error) error {
	return s.control(name, func(int) error { return err })
}

// try performs an operation if that is possible at once.
func (s *Socket) try(c *call) error {
	fd, ok := s.acquire()
	if !ok {
		return opError(c.op.name, -1, os.ErrClosed)
	}
	defer s.release()
	if err := c.once(fd); err != nil {
		c.n = 0
		return c.op.error(fd, err)
	}
	return nil
}

func (o *operation) error(fd int, err error) error {
	if err == o.inProgress {
		return o.wouldBlock
	}
	return opError(o.name, fd, err)
}

// deadline returns when an operation that begins now has to end.
func (s *Socket) deadline() sys.Deadline { return sys.After(s.Gettimeout()) }

// wait performs an operation as soon as that is possible.
func (s *Socket) wait(c *call, deadline sys.Deadline) error {
	if deadline == sys.Now || c.flags&(MSG_DONTWAIT|msgErrqueue) != 0 || c.op.receives && c.flags&MSG_OOB != 0 {
		return c.op.wouldBlock
	}
	blocking := deadline == sys.Never
	if blocking {
		if !c.askedLimit {
			c.askedLimit, c.limit = true, s.kernelDeadline(c.op)
		}
		deadline = c.limit
	}
	var p *poller
	err := errUnwatched
	for pause := time.Millisecond; err == errUnwatched; pause = min(2*pause, 50*time.Millisecond) {
		if p, err = s.startPolling(c.op.name); p == nil {
			return err
		}
		if err == nil {
			err = p.wait(c, deadline)
		}
		if err == errUnwatched {
			err = s.tryAfter(pause, c, p, deadline)
		}
	}
	if err == nil {
		return nil
	}
	c.n = 0
	if err == os.ErrDeadlineExceeded && blocking {
		return c.op.wouldBlock
	}
	return opError(c.op.name, p.fd, err)
}

// kernelDeadline returns when an operation of a blocking socket that begins now has to end by SO_RCVTIMEO or SO_SNDTIMEO, which the
// kernel ignores, since the descriptor is non-blocking.
func (s *Socket) kernelDeadline(o *operation) sys.Deadline {
	option := SO_RCVTIMEO
	if o.writes {
		option = SO_SNDTIMEO
	}
	deadline := sys.Never
	s.control(o.name, func(fd int) error {
		timeout, err := getsockoptTimeout(fd, option)
		if timeout > 0 {
			deadline = sys.After(timeout)
		}
		return err
	})
	return deadline
}

// attempt makes the call of an operation that waits.
func (c *call) attempt(s *Socket, fd int) error {
	err := c.once(fd)
	// On Linux, a receiving call of a datagram socket that was shut down says EAGAIN for ever if it does not wait.
	if onLinux && s.kind.typ != SOCK_STREAM && err == eAgain && c.op.receives && isShut(fd) {
		// Something may have come before that.
		if err = c.once(fd); err == eAgain {
			c.n, err = 0, nil
		}
	}
	return err
}

// tryAfter tries an operation after a pause. The error is errUnwatched if it is not possible then.
func (s *Socket) tryAfter(pause time.Duration, c *call, p *poller, deadline sys.Deadline) error {
	wait.Sleep(sys.After(min(pause, deadline.Left())), p.closed)
	fd, ok := s.acquire()
	if !ok {
		return os.ErrClosed
	}
	err := c.attempt(s, fd)
	s.release()
	switch {
	case err != c.op.inProgress && err != eAgain:
		return err
	case deadline.Left() == 0:
		return os.ErrDeadlineExceeded
	}
	return errUnwatched
}
