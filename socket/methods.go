//go:build unix

package socket

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
)

// Bind gives the socket an address. It mirrors socket.bind.
//
// The error is unix.EADDRINUSE if the address is taken, os.ErrInvalid if addr is no valid address.
func (s *Socket) Bind(addr Addr) error {
	return s.control("socket.bind", func(fd int) error {
		sa, err := sockaddr(addr)
		if err != nil {
			return err
		}
		return unix.Bind(fd, sa)
	})
}

// Listen lets clients connect, of which up to backlog may wait to be accepted; Python's default is 128, or SOMAXCONN if that
// is less. Listening again changes the backlog. It mirrors socket.listen.
func (s *Socket) Listen(backlog ...int) error {
	n := min(128, SOMAXCONN)
	if len(backlog) > 0 {
		n = max(0, backlog[0])
	}
	return s.control("socket.listen", func(fd int) error { return unix.Listen(fd, n) })
}

var acceptOp = newOperation("socket.accept", false, acceptCall, unix.EAGAIN)

func acceptCall(fd int, _ args) (n int, addr unix.Sockaddr, err error) {
	for {
		// A client that has gone before it was accepted is none.
		if n, addr, err = accept(fd); err != unix.ECONNABORTED {
			return n, addr, err
		}
	}
}

// Accept returns a socket for the next client that has connected, and the client's address. That socket is blocking,
// whatever this one is. It mirrors socket.accept.
func (s *Socket) Accept() (*Socket, Addr, error) {
	fd, addr, err := s.do(acceptOp, args{})
	if err != nil {
		return nil, nil, err
	}
	return newOwner(fd), fromSockaddr(addr), nil
}

var (
	connectOp   = newOperation("socket.connect", true, connectCall, unix.EINPROGRESS)
	connectedOp = newOperation("socket.connect", true, connectedCall, unix.EINPROGRESS)
)

func connectCall(fd int, a args) (int, unix.Sockaddr, error) {
	err := unix.Connect(fd, a.to)
	if err == unix.EINTR {
		err = unix.EINPROGRESS // it goes on by itself
	}
	return 0, nil, err
}

// connectedCall finds out how a connect that was in progress has ended. SO_ERROR holds the error, unless somebody has read it
// already. A second connect then tells whether there is a connection; if there is none, it fails or starts a new attempt.
func connectedCall(fd int, a args) (int, unix.Sockaddr, error) {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return 0, nil, err
	}
	if code != 0 {
		return 0, nil, unix.Errno(code)
	}
	switch _, _, err := connectCall(fd, a); err {
	case unix.EALREADY:
		return 0, nil, unix.EINPROGRESS
	case unix.EISCONN:
		return 0, nil, nil
	default:
		return 0, nil, err
	}
}

// Connect connects the socket to an address, or, with datagrams, sets where Send sends to. A non-blocking socket is writable
// when the attempt has ended, and Getsockopt(SOL_SOCKET, SO_ERROR) says how. An attempt whose timeout is over goes on, and
// the next Connect waits for its end. It mirrors socket.connect.
//
// The error is that of the attempt, like unix.ECONNREFUSED. For a non-blocking socket it is usually unix.EINPROGRESS, then
// unix.EALREADY, and for a Unix address to which too many want to connect, unix.EAGAIN, all of which are ErrWouldBlock. It is
// os.ErrInvalid if addr is no valid address.
func (s *Socket) Connect(addr Addr) error {
	sa, err := sockaddr(addr)
	if err != nil {
		return s.control("socket.connect", func(int) error { return err })
	}
	_, _, err = s.try(connectOp, args{to: sa})
	if deadline := s.deadline(); errors.Is(err, ErrWouldBlock) && deadline != sys.Now {
		_, _, err = s.wait(connectedOp, args{to: sa}, deadline)
	}
	return err
}

// ConnectEx is Connect with the error number as its result: 0 when the socket is connected, unix.EINPROGRESS when a
// non-blocking one is not yet, unix.EAGAIN when the timeout is over. It mirrors socket.connect_ex.
//
// It is unix.EBADF if the socket is closed, and unix.EINVAL if addr is no valid address.
func (s *Socket) ConnectEx(addr Addr) unix.Errno {
	switch err := s.Connect(addr); {
	case err == nil:
		return 0
	case errors.Is(err, os.ErrDeadlineExceeded):
		return unix.EAGAIN
	case errors.Is(err, os.ErrClosed):
		return unix.EBADF
	case errno(err) != 0:
		return errno(err)
	}
	return unix.EINVAL
}

var (
	recvOp     = newOperation("socket.recv", false, recvCall, unix.EAGAIN)
	recvfromOp = newOperation("socket.recvfrom", false, recvfromCall, unix.EAGAIN)
	sendOp     = newOperation("socket.send", true, sendCall, unix.EAGAIN)
	sendtoOp   = newOperation("socket.sendto", true, sendtoCall, unix.EAGAIN)
)

// recvCall wraps read(2), which is what recv(2) is without flags, and which allocates no address.
func recvCall(fd int, a args) (int, unix.Sockaddr, error) {
	if a.flags != 0 {
		return recvfromCall(fd, a)
	}
	n, err := unix.Read(fd, a.p)
	return n, nil, err
}

func recvfromCall(fd int, a args) (int, unix.Sockaddr, error) { return unix.Recvfrom(fd, a.p, a.flags) }

// sendCall wraps write(2), which is what send(2) is without flags, and faster than sendmsg(2).
func sendCall(fd int, a args) (int, unix.Sockaddr, error) {
	if a.flags != 0 || len(a.p) == 0 {
		return sendtoCall(fd, a)
	}
	n, err := unix.Write(fd, a.p)
	return n, nil, err
}

// sendtoCall wraps sendmsg(2): what package unix has of sendto(2) does not say how much was sent.
func sendtoCall(fd int, a args) (int, unix.Sockaddr, error) {
	n, err := unix.SendmsgN(fd, a.p, nil, a.to, a.flags)
	return n, nil, err
}

// data returns the arguments of a call with a buffer and flags.
func data(p []byte, flags []int) args {
	a := args{p: part(p)}
	for _, flag := range flags {
		a.flags |= flag
	}
	return a
}

// part returns what is not too much for one call: some systems refuse 2 GB and more.
func part(p []byte) []byte { return p[:min(len(p), 1<<30)] }

// Recv receives up to len(p) bytes, or one datagram, of which it drops what does not fit. Zero bytes of a stream mean that
// the peer has shut it down, without an error, as in Python. With MSG_TRUNC, n may be the length of the whole datagram, more than
// len(p). If p is empty, Recv does nothing. It does not allocate, unless there are flags, like MSG_PEEK. It mirrors
// socket.recv_into.
//
// The error is ErrWouldBlock if there is nothing to receive and the socket is non-blocking or the flags have MSG_DONTWAIT.
// MSG_WAITALL has no effect.
func (s *Socket) Recv(p []byte, flags ...int) (n int, err error) {
	if len(p) == 0 {
		return 0, s.control("socket.recv", func(int) error { return nil })
	}
	n, _, err = s.do(recvOp, data(p, flags))
	return n, err
}

// Recvfrom is Recv that also returns the sender, which is nil if the kernel does not say it, as with streams, and that
// takes a datagram away even if p is empty. It mirrors socket.recvfrom_into.
func (s *Socket) Recvfrom(p []byte, flags ...int) (n int, from Addr, err error) {
	n, addr, err := s.do(recvfromOp, data(p, flags))
	return n, fromSockaddr(addr), err
}

// Send sends p, or one datagram, and returns how many bytes that were. A blocking socket waits until all of p is sent. One that is
// non-blocking or has a timeout, or with MSG_DONTWAIT among the flags, sends as many bytes as possible at once, which may be less.
// Send does not allocate. It mirrors socket.send.
//
// The error is ErrWouldBlock if nothing can be sent now and the socket is non-blocking or the flags have MSG_DONTWAIT, and
// unix.EPIPE if the peer is gone. If a part of p was sent before the error, n says how much. What two goroutines send at the same
// time may be mixed if it does not fit at once.
func (s *Socket) Send(p []byte, flags ...int) (n int, err error) {
	return s.send(sendOp, p, data(p, flags))
}

// send performs an operation that sends p, and once more if a blocking socket has sent a part of p.
func (s *Socket) send(o *operation, p []byte, a args) (sent int, err error) {
	for {
		n, _, err := s.do(o, a)
		if sent += n; err != nil || sent >= len(p) || a.flags&MSG_DONTWAIT != 0 || s.Gettimeout() != pyselect.Forever {
			return sent, err
		}
		a.p = part(p[sent:])
	}
}

// Sendall sends all of p, and waits as often as that needs; the timeout is for all of it. After an error, also of a
// non-blocking socket, it is unknown how much of p was sent. It mirrors socket.sendall.
//
// The error is that of Send.
func (s *Socket) Sendall(p []byte, flags ...int) error {
	deadline := s.deadline()
	for {
		a := data(p, flags)
		n, _, err := s.try(sendOp, a)
		if err != nil && err == sendOp.wouldBlock {
			n, _, err = s.wait(sendOp, a, deadline)
		}
		if p = p[n:]; err != nil || len(p) == 0 {
			return err
		}
		if deadline != sys.Now && deadline.Left() == 0 {
			return s.control("socket.send", func(int) error { return os.ErrDeadlineExceeded })
		}
	}
}

// Sendto is Send to an address, of a datagram. It mirrors socket.sendto.
//
// The error is os.ErrInvalid if addr is no valid address, or that of Send.
func (s *Socket) Sendto(p []byte, addr Addr, flags ...int) (n int, err error) {
	a := data(p, flags)
	if a.to, err = sockaddr(addr); err != nil {
		return 0, s.control("socket.sendto", func(int) error { return err })
	}
	return s.send(sendtoOp, p, a)
}

// Shutdown ends one direction of a connection, or both: SHUT_RD, SHUT_WR or SHUT_RDWR. An operation that waits tries again and finds
// that. It mirrors socket.shutdown.
func (s *Socket) Shutdown(how int) error {
	err := s.control("socket.shutdown", func(fd int) error { return unix.Shutdown(fd, how) })
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.poller; err == nil && p != nil {
		// The kernel does not make a Unix socket writable then.
		p.read.kick()
		p.write.kick()
	}
	return err
}

// Getsockname returns the socket's own address. It mirrors socket.getsockname.
//
// The error is unix.EAFNOSUPPORT if that is no Addr.
func (s *Socket) Getsockname() (Addr, error) { return s.name("socket.getsockname", unix.Getsockname) }

// Getpeername returns the address that the socket is connected to. It mirrors socket.getpeername.
//
// The error is unix.ENOTCONN if it is not connected, unix.EAFNOSUPPORT if the address is no Addr.
func (s *Socket) Getpeername() (Addr, error) { return s.name("socket.getpeername", unix.Getpeername) }

func (s *Socket) name(op string, get func(fd int) (unix.Sockaddr, error)) (addr Addr, err error) {
	err = s.control(op, func(fd int) error {
		sa, err := get(fd)
		if addr = fromSockaddr(sa); err == nil && addr == nil {
			err = unix.EAFNOSUPPORT
		}
		return err
	})
	return addr, err
}

// Getsockopt returns an option that is a number, like SO_ERROR of the level SOL_SOCKET. It mirrors socket.getsockopt.
// Package unix has functions for the others, like GetsockoptLinger, which take what Fileno returns.
func (s *Socket) Getsockopt(level, option int) (value int, err error) {
	err = s.control("socket.getsockopt", func(fd int) (err error) {
		value, err = unix.GetsockoptInt(fd, level, option)
		return err
	})
	return value, err
}

// Setsockopt sets an option that is a number, like SO_REUSEADDR of the level SOL_SOCKET. It mirrors socket.setsockopt.
func (s *Socket) Setsockopt(level, option, value int) error {
	return s.control("socket.setsockopt", func(fd int) error { return unix.SetsockoptInt(fd, level, option, value) })
}

// SetsockoptBytes sets an option that is a structure, like IP_ADD_MEMBERSHIP. SetLinger is for SO_LINGER. It mirrors socket.setsockopt with a bytes object.
func (s *Socket) SetsockoptBytes(level, option int, value []byte) error {
	return s.control("socket.setsockopt", func(fd int) error { return unix.SetsockoptString(fd, level, option, string(value)) })
}

// SetLinger sets how long Close waits until what was sent has arrived, if it waits at all. For zero seconds it does not wait, and
// resets the connection. It mirrors socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", on, seconds)).
//
// The error is os.ErrInvalid if the number of seconds is negative or more than 32,767, which is all that some systems take.
func (s *Socket) SetLinger(on bool, seconds int) error {
	l := unix.Linger{Linger: int32(seconds)}
	if on {
		l.Onoff = 1
	}
	return s.control("socket.setsockopt", func(fd int) error {
		if seconds < 0 || seconds > math.MaxInt16 {
			return fmt.Errorf("linger for %d seconds, want 0 to %d: %w", seconds, math.MaxInt16, os.ErrInvalid)
		}
		return unix.SetsockoptLinger(fd, SOL_SOCKET, sys.SoLinger, &l)
	})
}
