//go:build unix || windows

package socket

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
)

// A Socket is one end of a network connection, or what will be one. It mirrors Python's socket object.
//
// All methods are safe for concurrent use. Operations that wait for the same direction queue for it, each until its own
// timeout is over. After Close or Detach, every method that has an error returns one that is os.ErrClosed, except Close.
// A Socket that becomes unreachable is closed. The zero Socket is a closed one.
type Socket struct {
	kind    kind
	fd      int
	state   atomic.Int64 // whether the Socket is open, and how many system calls use the descriptor
	cleanup runtime.Cleanup
	timeout atomic.Int64 // of operations, a time.Duration
	lowat   atomic.Int64 // SO_RCVLOWAT
	senders senders
	mu      sync.Mutex // of poller
	poller  *poller    // nil until an operation had to wait
}

// A kind is what a socket is one of.
type kind struct{ family, typ, proto int }

// The state of a Socket is the sum of these. The zero Socket is neither open nor detached, and nobody may use its descriptor.
const (
	open     = 1 << iota
	detached // the descriptor is somebody else's
	user     // for each system call
)

// New returns a socket of a family, a type and a protocol, which may be 0. Python's default is AF_INET, SOCK_STREAM, 0. With
// SOCK_NONBLOCK in the type, where the system has it, the socket is non-blocking. It mirrors socket.socket.
func New(family, typ, proto int) (*Socket, error) {
	const op = "socket.socket"
	// Start Go's poller now. A server may need it for the first time just when it has run out of descriptors, and the runtime would
	// abort.
	if err := sys.StartGoPoller(); err != nil {
		return nil, opError(op, -1, err)
	}
	fd, err := newSocket(family, typ, proto)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	return created(fd, family, typ, proto), nil
}

// Socketpair returns two sockets that are connected to each other. Python's default is AF_UNSPEC, SOCK_STREAM, 0, where AF_UNSPEC stands
// for AF_UNIX and on Windows, which has TCP connections instead, for AF_INET. With SOCK_NONBLOCK in the type, where the system has it, the
// sockets are non-blocking. It mirrors socket.socketpair.
func Socketpair(family, typ, proto int) (a, b *Socket, err error) {
	if family == AF_UNSPEC {
		family = defaultPairFamily
	}
	pair, err := newPair(family, typ, proto)
	if err != nil {
		return nil, nil, opError("socket.socketpair", -1, err)
	}
	return created(pair[0], family, typ, proto), created(pair[1], family, typ, proto), nil
}

func created(fd, family, typ, proto int) *Socket {
	s := newOwner(fd, kind{family, typ &^ (sys.SockNonblock | sys.SockCloexec), proto})
	if typ&sys.SockNonblock != 0 {
		s.Setblocking(false)
	}
	return s
}

// FromFd returns a socket for a duplicate of a descriptor, which stays the caller's but becomes non-blocking, as all
// duplicates do together. It mirrors socket.fromfd.
//
// The error is ENOTSOCK if the descriptor is no socket, EBADF if it is not open. On Windows both are windows.WSAENOTSOCK.
func FromFd(fd int) (*Socket, error) {
	const op = "socket.fromfd"
	n, err := dup(fd)
	if err != nil {
		return nil, opError(op, fd, err)
	}
	s, err := adopt(n)
	if err != nil {
		closeFd(n)
		return nil, opError(op, fd, err)
	}
	return s, nil
}

// Adopt returns a socket for a descriptor, for instance one from Detach, and owns it from now on: Close closes it. When
// there is an error, it stays the caller's. Like that of FromFd, the socket has no timeout, and waits even if the descriptor was
// non-blocking, where Python's fails. It mirrors socket.socket(fileno=fd).
//
// The error is ENOTSOCK if the descriptor is no socket, EBADF if it is not open. On Windows both are windows.WSAENOTSOCK.
func Adopt(fd int) (*Socket, error) {
	s, err := adopt(fd)
	if err != nil {
		return nil, opError("socket.socket", fd, err)
	}
	return s, nil
}

func adopt(fd int) (*Socket, error) {
	k, err := kindOf(fd)
	if err != nil {
		return nil, err
	}
	if err := makePrivate(fd); err != nil {
		return nil, err
	}
	s := newOwner(fd, k)
	s.noteLowWater(fd)
	return s, nil
}

func newOwner(fd int, k kind) *Socket {
	s := &Socket{kind: k, fd: fd}
	s.state.Store(open)
	s.timeout.Store(int64(pyselect.Forever))
	s.cleanup = runtime.AddCleanup(s, func(fd int) { closeFd(fd) }, fd)
	return s
}

// Dup returns a socket for a duplicate of the descriptor, with the same timeout. It mirrors socket.dup.
func (s *Socket) Dup() (d *Socket, err error) {
	err = s.control("socket.dup", func(fd int) error {
		n, err := dup(fd)
		if err != nil {
			return err
		}
		d = s.sibling(n)
		d.timeout.Store(s.timeout.Load())
		return nil
	})
	return d, err
}

// sibling returns a Socket for a descriptor of the same kind, whose options are those of s.
func (s *Socket) sibling(fd int) *Socket {
	r := newOwner(fd, s.kind)
	r.lowat.Store(s.lowat.Load())
	return r
}

// acquire returns the descriptor, which keeps its meaning until release is called, even if the Socket is closed. A lock would do too, but
// Close would wait for it, and the system call may wait if somebody else has made the descriptor blocking.
func (s *Socket) acquire() (fd int, ok bool) {
	for {
		state := s.state.Load()
		if state&open == 0 {
			return -1, false
		}
		if s.state.CompareAndSwap(state, state+user) {
			return s.fd, true
		}
	}
}

func (s *Socket) release() {
	if s.state.Add(-user) == 0 { // closed in the meantime
		closeFd(s.fd)
	}
}

// Close closes the descriptor and ends all waits with an error that is os.ErrClosed. Closing again does nothing. With
// SO_LINGER, Close may wait, and occupies a thread meanwhile, also if the socket is non-blocking. If another goroutine is in a system
// call of the Socket, the descriptor is closed at the end of that. It mirrors socket.close.
func (s *Socket) Close() error {
	idle, err := s.end("socket.close", 0)
	if err != nil || !idle {
		return nil
	}
	if err := closeFd(s.fd); err != nil {
		return opError("socket.close", s.fd, err)
	}
	return nil
}

// Detach gives the descriptor, with its number, to the caller, who has to close it. It is non-blocking. The Socket ends as
// with Close. If another goroutine is in a system call of the Socket, the descriptor should not be closed before that has returned. It
// mirrors socket.detach.
func (s *Socket) Detach() (int, error) {
	if _, err := s.end("socket.detach", detached); err != nil {
		return -1, err
	}
	return s.fd, nil
}

// end ends all waits and the ownership of the descriptor, and reports whether no system call uses the descriptor.
func (s *Socket) end(op string, as int64) (idle bool, err error) {
	for {
		state := s.state.Load()
		if state&open == 0 {
			return false, opError(op, -1, os.ErrClosed)
		}
		if !s.state.CompareAndSwap(state, state-open+as) {
			continue
		}
		s.cleanup.Stop()
		s.mu.Lock()
		p := s.poller
		s.poller = nil
		s.mu.Unlock()
		if p != nil {
			p.close()
		}
		return state == open, nil
	}
}

// Fileno returns the descriptor. Another file may have its number as soon as the Socket is closed; SyscallConn is for system calls that
// must not meet that. It mirrors socket.fileno.
func (s *Socket) Fileno() (int, error) {
	fd, ok := s.acquire()
	if !ok {
		return -1, opError("socket.fileno", -1, os.ErrClosed)
	}
	s.release()
	return fd, nil
}

// Family returns the family of the socket's addresses, like AF_INET. It mirrors socket.family.
func (s *Socket) Family() int { return s.kind.family }

// Type returns the type, like SOCK_STREAM, without the flags that New takes. It mirrors socket.type.
func (s *Socket) Type() int { return s.kind.typ }

// Proto returns the protocol: what New was given or, if the socket was made from a descriptor, what the kernel says, if it does. It
// mirrors socket.proto.
func (s *Socket) Proto() int { return s.kind.proto }

// String returns what Python's repr of a socket does, like "<socket.Socket fd=5, family=2, type=1, proto=0, laddr=127.0.0.1:40000,
// raddr=127.0.0.1:80>".
func (s *Socket) String() string {
	fd, ok := s.acquire()
	if !ok {
		return fmt.Sprintf("<socket.Socket [closed] fd=-1, family=%d, type=%d, proto=%d>", s.kind.family, s.kind.typ, s.kind.proto)
	}
	defer s.release()
	var b strings.Builder
	fmt.Fprintf(&b, "<socket.Socket fd=%d, family=%d, type=%d, proto=%d", fd, s.kind.family, s.kind.typ, s.kind.proto)
	var name sockaddr
	for _, side := range []struct {
		name string
		get  func(int, *sockaddr) error
	}{{"laddr", getsockname}, {"raddr", getpeername}} {
		if err := side.get(fd, &name); err == nil {
			if addr := name.addr(); addr != nil && addr != UnixAddr("") {
				fmt.Fprintf(&b, ", %s=%v", side.name, addr)
			}
		}
	}
	return b.String() + ">"
}

// Setblocking sets whether operations that are not possible at once wait. Operations that wait already are not affected. It
// mirrors socket.setblocking.
func (s *Socket) Setblocking(blocking bool) {
	if blocking {
		s.timeout.Store(int64(pyselect.Forever))
	} else {
		s.timeout.Store(0)
	}
}

// Getblocking reports whether operations wait, for ever or until a timeout. It mirrors socket.getblocking.
func (s *Socket) Getblocking() bool { return s.Gettimeout() != 0 }

// Settimeout sets how long an operation that is not possible at once waits. Zero makes the socket non-blocking, and
// [pyselect.Forever] blocking. Operations that wait already are not affected. It mirrors socket.settimeout.
//
// The error is os.ErrInvalid if the timeout is negative.
func (s *Socket) Settimeout(timeout time.Duration) error {
	return s.control("socket.settimeout", func(int) error {
		if timeout < 0 {
			return invalid("timeout %v", timeout)
		}
		s.timeout.Store(int64(timeout))
		return nil
	})
}

// Gettimeout returns the timeout: zero for a non-blocking socket, [pyselect.Forever] for a blocking one. It mirrors
// socket.gettimeout.
func (s *Socket) Gettimeout() time.Duration { return time.Duration(s.timeout.Load()) }

// isBlocking reports whether operations wait for ever, as with a descriptor that is blocking.
func (s *Socket) isBlocking() bool { return s.Gettimeout() == pyselect.Forever }
