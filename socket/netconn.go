//go:build unix

package socket

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
)

// FromConn returns a socket for a duplicate of the descriptor of a net.Conn, a net.Listener or another [syscall.Conn],
// which stays open and usable.
//
// The error is unix.ENOTSOCK if it is no socket.
func FromConn(c syscall.Conn) (s *Socket, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, opError("socket.fromconn", -1, err)
	}
	if closed := raw.Control(func(fd uintptr) { s, err = FromFd(int(fd)) }); closed != nil {
		return nil, opError("socket.fromconn", -1, fmt.Errorf("%w: %w", os.ErrClosed, closed))
	}
	return s, err
}

// NetConn returns a net.Conn for a duplicate of the descriptor: a *net.TCPConn, *net.UDPConn or *net.UnixConn. The Socket stays open and
// usable. It is for what a program does with socket.makefile.
//
// If the Socket has a timeout, the net.Conn is another type, whose Read and Write each have this timeout until SetDeadline,
// SetReadDeadline or SetWriteDeadline sets something else. That the Socket is non-blocking is not carried over.
func (s *Socket) NetConn() (net.Conn, error) {
	conn, err := toNet(s, "socket.netconn", net.FileConn)
	if err != nil {
		return nil, err
	}
	if timeout := s.Gettimeout(); timeout != 0 && timeout != pyselect.Forever {
		return &timeoutConn{Conn: conn, read: newTimeout(timeout), write: newTimeout(timeout)}, nil
	}
	return conn, nil
}

// NetListener returns a net.Listener for a duplicate of the descriptor of a listening socket. The Socket stays open and
// usable.
func (s *Socket) NetListener() (net.Listener, error) {
	return toNet(s, "socket.netlistener", net.FileListener)
}

func toNet[T any](s *Socket, op string, convert func(*os.File) (T, error)) (c T, err error) {
	var n int
	err = s.control(op, func(fd int) (err error) {
		if err = sys.StartGoPoller(); err == nil { // which convert makes use of
			n, err = dup(fd)
		}
		return err
	})
	if err != nil {
		return c, err
	}
	f := os.NewFile(uintptr(n), "socket")
	defer f.Close()
	if c, err = convert(f); err != nil { // it makes a duplicate of its own
		return c, opError(op, -1, err)
	}
	return c, nil
}

// A timeoutConn is a net.Conn whose calls have a timeout.
type timeoutConn struct {
	net.Conn
	read, write timeout
}

// A timeout is the time that each call may take, or 0 when a deadline has been set instead.
type timeout struct{ *atomic.Int64 }

func newTimeout(d time.Duration) timeout {
	t := timeout{new(atomic.Int64)}
	t.Store(int64(d))
	return t
}

func (t timeout) set(setDeadline func(time.Time) error) {
	if d := time.Duration(t.Load()); d != 0 {
		setDeadline(time.Now().Add(d))
	}
}

func (c *timeoutConn) Read(p []byte) (int, error) {
	c.read.set(c.Conn.SetReadDeadline)
	return c.Conn.Read(p)
}

func (c *timeoutConn) Write(p []byte) (int, error) {
	c.write.set(c.Conn.SetWriteDeadline)
	return c.Conn.Write(p)
}

func (c *timeoutConn) SetDeadline(t time.Time) error {
	c.read.Store(0)
	c.write.Store(0)
	return c.Conn.SetDeadline(t)
}

func (c *timeoutConn) SetReadDeadline(t time.Time) error {
	c.read.Store(0)
	return c.Conn.SetReadDeadline(t)
}

func (c *timeoutConn) SetWriteDeadline(t time.Time) error {
	c.write.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SyscallConn returns what that of the net.Conn in it does.
func (c *timeoutConn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(syscall.Conn).SyscallConn()
}

// CloseWrite and CloseRead end one direction, if the net.Conn in it can.

func (c *timeoutConn) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return unix.EOPNOTSUPP
}

func (c *timeoutConn) CloseRead() error {
	if conn, ok := c.Conn.(interface{ CloseRead() error }); ok {
		return conn.CloseRead()
	}
	return unix.EOPNOTSUPP
}

// SyscallConn returns a RawConn, whose Control calls a function with the descriptor. The descriptor keeps its meaning until the function
// returns, also if the Socket is closed or becomes unreachable meanwhile. Read and Write call the function until it returns true, and
// wait in between as Recv and Send do. It implements [syscall.Conn].
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	if err := s.control("socket.syscallconn", func(int) error { return nil }); err != nil {
		return nil, err
	}
	return rawConn{s}, nil
}

var (
	rawReadOp  = newOperation(operation{name: "socket.read", inProgress: unix.EAGAIN})
	rawWriteOp = newOperation(operation{name: "socket.write", writes: true, inProgress: unix.EAGAIN})
)

type rawConn struct{ s *Socket }

func (c rawConn) Control(f func(fd uintptr)) error {
	return c.s.control("socket.control", func(fd int) error {
		f(uintptr(fd))
		return nil
	})
}

func (c rawConn) Read(f func(fd uintptr) (done bool)) error { return c.s.do(untilDone(rawReadOp, f)) }

func (c rawConn) Write(f func(fd uintptr) (done bool)) error { return c.s.do(untilDone(rawWriteOp, f)) }

func untilDone(o *operation, f func(fd uintptr) (done bool)) *call {
	return &call{op: o, f: func(fd int) (int, error) {
		if !f(uintptr(fd)) {
			return 0, unix.EAGAIN
		}
		return 0, nil
	}}
}
