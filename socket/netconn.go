//go:build unix || windows

package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
)

// FromConn returns a socket for a duplicate of the descriptor of a net.Conn, a net.Listener or another [syscall.Conn],
// which stays open and usable.
//
// The error is ENOTSOCK if it is no socket.
func FromConn(c syscall.Conn) (s *Socket, err error) {
	if c == nil {
		return nil, opError("socket.fromconn", -1, invalid("no connection"))
	}
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
//
// On Windows, a socket with all its duplicates can become a net.Conn or a net.Listener only once, because package net has it in its
// completion port from then on. What FromConn has returned cannot.
func (s *Socket) NetConn() (net.Conn, error) {
	conn, err := toNet(s, "socket.netconn", net.FileConn)
	if err != nil {
		return nil, err
	}
	if d := s.Gettimeout(); d != 0 && d != pyselect.Forever {
		return &timeoutConn{Conn: conn, read: timeout{d: d}, write: timeout{d: d}}, nil
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
	// If it is, convert fails, and to close the file cancels what the other net.Conn waits for.
	if err := checkInNoPort(n); err != nil {
		closeFd(n)
		return c, opError(op, -1, err)
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
type timeout struct {
	mu sync.Mutex
	d  time.Duration
}

// begin sets the deadline of a call that begins.
func (t *timeout) begin(setDeadline func(time.Time) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.d != 0 {
		setDeadline(time.Now().Add(t.d))
	}
}

func (t *timeout) replace() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.d = 0
}

func (c *timeoutConn) Read(p []byte) (int, error) {
	c.read.begin(c.Conn.SetReadDeadline)
	return c.Conn.Read(p)
}

func (c *timeoutConn) Write(p []byte) (int, error) {
	c.write.begin(c.Conn.SetWriteDeadline)
	return c.Conn.Write(p)
}

func (c *timeoutConn) SetDeadline(t time.Time) error {
	c.read.replace()
	c.write.replace()
	return c.Conn.SetDeadline(t)
}

func (c *timeoutConn) SetReadDeadline(t time.Time) error {
	c.read.replace()
	return c.Conn.SetReadDeadline(t)
}

func (c *timeoutConn) SetWriteDeadline(t time.Time) error {
	c.write.replace()
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
	return errors.ErrUnsupported
}

func (c *timeoutConn) CloseRead() error {
	if conn, ok := c.Conn.(interface{ CloseRead() error }); ok {
		return conn.CloseRead()
	}
	return errors.ErrUnsupported
}
