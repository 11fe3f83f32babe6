//go:build unix || windows

package socket

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/pyselect/pyselect/internal/sys"
)

// Bind gives the socket an address. It mirrors socket.bind.
//
// The error is ErrAddressInUse if another socket has the address, os.ErrInvalid if addr is no valid address, like a path that is too
// long.
func (s *Socket) Bind(addr net.Addr) error {
	sa, err := s.sockaddr(addr)
	return s.control("socket.bind", func(fd int) error {
		if err != nil {
			return err
		}
		return bind(fd, &sa)
	})
}

// Listen lets clients connect, of which up to backlog may wait to be accepted; Python's default is 128, or SOMAXCONN if that
// is less. Listening again changes the backlog. It mirrors socket.listen.
func (s *Socket) Listen(backlog int) error {
	return s.control("socket.listen", func(fd int) error { return listen(fd, max(0, backlog)) })
}

var acceptOp = newOperation(operation{name: "socket.accept", inProgress: eAgain})

// Accept returns a socket for the next client that has connected, and the client's address. That socket is blocking,
// whatever this one is. It mirrors socket.accept.
func (s *Socket) Accept() (*Socket, net.Addr, error) {
	var from sockaddr
	c := call{op: acceptOp, f: func(fd int) (n int, err error) {
		for {
			// Skip clients that left before they were accepted.
			if n, err = accept(fd, &from); !hasLeft(err) {
				return n, err
			}
		}
	}}
	if err := s.do(&c); err != nil {
		return nil, nil, err
	}
	return s.sibling(c.n), from.addr(), nil
}

var connectOp = newOperation(operation{name: "socket.connect", writes: true, inProgress: eInProgress})

// Connect connects the socket to an address, or, with datagrams, sets where Send sends to. A non-blocking socket is writable
// when the attempt has ended, and Getsockopt(SOL_SOCKET, SO_ERROR) says how. An attempt whose timeout is over goes on, and
// the next Connect waits for its end. It mirrors socket.connect.
//
// The error is that of the attempt, like ErrConnectionRefused. For a non-blocking socket it is usually ErrInProgress, then
// EALREADY, and for a Unix address to which too many want to connect, EAGAIN, all of which are ErrWouldBlock. It is os.ErrInvalid if addr
// is no valid address.
func (s *Socket) Connect(addr net.Addr) error {
	sa, err := s.sockaddr(addr)
	if err != nil {
		return s.answer(connectOp.name, err)
	}
	begin := func(fd int) (int, error) {
		err := connect(fd, &sa)
		if err == eIntr {
			err = eInProgress // it goes on by itself
		}
		return 0, err
	}
	err = s.try(&call{op: connectOp, f: begin})
	deadline := s.deadline()
	if deadline == sys.Now || !errors.Is(err, ErrWouldBlock) {
		return err
	}
	c := call{op: connectOp, f: begin, addr: sa}
	if !sa.isUnix() { // whose attempt is not in progress, but has found a full backlog
		c.f = func(fd int) (int, error) { return 0, connected(fd, &sa) }
	}
	return s.wait(&c, deadline)
}

// connected finds out how a connect that was in progress has ended. SO_ERROR holds the error, unless somebody has read it already.
// A second connect then tells whether there is a connection; if there is none, it fails or starts a new attempt.
func connected(fd int, addr *sockaddr) error {
	switch ended, err := hasConnected(fd); {
	case err != nil:
		return err
	case !ended:
		return eInProgress // some systems forget the error when they are asked, or asked to connect, too early
	}
	code, err := getsockoptInt(fd, SOL_SOCKET, SO_ERROR)
	switch {
	case err != nil:
		return err
	case code != 0:
		return syscall.Errno(code)
	}
	switch err := connect(fd, addr); err {
	case eAlready, eIntr:
		return eInProgress
	case eIsConn:
		return nil
	default:
		return err
	}
}

// ConnectEx is Connect with the error number as its result: 0 when the socket is connected, that of ErrInProgress when a non-blocking one
// is not yet, EAGAIN when the timeout is over, EBADF if the socket is closed and EINVAL if addr is no valid address. On Windows these are
// windows.WSAEWOULDBLOCK, WSAEWOULDBLOCK, WSAENOTSOCK and WSAEINVAL. It mirrors socket.connect_ex.
func (s *Socket) ConnectEx(addr net.Addr) syscall.Errno {
	switch err := s.Connect(addr); {
	case err == nil:
		return 0
	case errors.Is(err, os.ErrDeadlineExceeded):
		return eAgain
	case errors.Is(err, os.ErrClosed):
		return eClosed
	case errno(err) != 0:
		return errno(err)
	}
	return eInvalid
}

// Shutdown ends one direction of a connection, or both: SHUT_RD, SHUT_WR or SHUT_RDWR. An operation that waits tries again and finds
// that. It mirrors socket.shutdown.
//
// The error is ErrNotConnected if the socket is not connected.
func (s *Socket) Shutdown(how int) error {
	err := s.control("socket.shutdown", func(fd int) error { return shutdown(fd, how) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.poller; p != nil {
		// The kernel does not make a Unix socket writable then. Linux shuts down a datagram socket that is not connected, and fails.
		p.kick()
	}
	return err
}

// Getsockname returns the socket's own address. It mirrors socket.getsockname.
//
// The error is EAFNOSUPPORT on systems that have no RawAddr, if the address would be one. On Windows, a socket that has no address yet is
// windows.WSAEINVAL, as in Python.
func (s *Socket) Getsockname() (net.Addr, error) { return s.name("socket.getsockname", getsockname) }

// Getpeername returns the address that the socket is connected to. It mirrors socket.getpeername.
//
// The error is ErrNotConnected if it is not connected, EAFNOSUPPORT as with Getsockname.
func (s *Socket) Getpeername() (net.Addr, error) { return s.name("socket.getpeername", getpeername) }

func (s *Socket) name(op string, get func(int, *sockaddr) error) (addr net.Addr, err error) {
	err = s.control(op, func(fd int) error {
		var name sockaddr
		if err := get(fd, &name); err != nil {
			return err
		}
		if addr = name.addr(); addr == nil {
			return eAfNoSupport
		}
		return nil
	})
	return addr, err
}
