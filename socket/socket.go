//go:build unix

package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
)

// A Socket is one end of a network connection, or what will be one. It mirrors Python's socket object.
//
// All methods are safe for concurrent use. Operations that wait for the same direction queue for it, each until its own
// timeout is over. After Close or Detach, every method that has an error returns one that is os.ErrClosed, except Close.
// A Socket that becomes unreachable is closed. The zero Socket is a closed one.
type Socket struct {
	mu      sync.RWMutex // held for reading by system calls, none of which waits, so that the descriptor stays what it is
	fd      int          // valid while the socket is open
	open    bool
	poller  *poller // nil until an operation had to wait
	cleanup runtime.Cleanup
	timeout atomic.Int64 // of operations, a time.Duration
}

// New returns a socket of a family, a type and a protocol, which may be 0. Python's default is AF_INET, SOCK_STREAM, 0. It
// mirrors socket.socket.
func New(family, typ, proto int) (*Socket, error) {
	// Start Go's poller now. A server may need it for the first time just when it has run out of descriptors, and the runtime would
	// abort.
	if err := sys.StartGoPoller(); err != nil {
		return nil, opError("socket.socket", -1, err)
	}
	fd, err := newSocket(family, typ, proto)
	if err != nil {
		return nil, opError("socket.socket", -1, err)
	}
	return newOwner(fd), nil
}

// Socketpair returns two sockets that are connected to each other. Python's default is AF_UNIX, SOCK_STREAM, 0. It mirrors
// socket.socketpair.
func Socketpair(family, typ, proto int) (a, b *Socket, err error) {
	pair, err := newPair(family, typ, proto)
	if err != nil {
		return nil, nil, opError("socket.socketpair", -1, err)
	}
	return newOwner(pair[0]), newOwner(pair[1]), nil
}

// FromFd returns a socket for a duplicate of a descriptor, which stays the caller's but becomes non-blocking, as all
// duplicates do together. It mirrors socket.fromfd.
//
// The error is unix.ENOTSOCK if the descriptor is no socket, unix.EBADF if it is not open.
func FromFd(fd int) (*Socket, error) {
	n, err := dup(fd)
	if err != nil {
		return nil, opError("socket.fromfd", fd, err)
	}
	s, err := Adopt(n)
	if err != nil {
		unix.Close(n)
		return nil, opError("socket.fromfd", fd, errors.Unwrap(err))
	}
	return s, nil
}

// Adopt returns a socket for a descriptor, for instance one from Detach, and owns it from now on: Close closes it. When
// there is an error, it stays the caller's. It mirrors socket.socket(fileno=fd).
//
// The error is unix.ENOTSOCK if the descriptor is no socket, unix.EBADF if it is not open.
func Adopt(fd int) (*Socket, error) {
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return nil, opError("socket.socket", fd, err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, opError("socket.socket", fd, err)
	}
	return newOwner(fd), nil
}

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

func newOwner(fd int) *Socket {
	s := &Socket{fd: fd, open: true}
	s.timeout.Store(int64(pyselect.Forever))
	s.cleanup = runtime.AddCleanup(s, func(fd int) { unix.Close(fd) }, fd)
	return s
}

// NetConn returns a net.Conn for a duplicate of the descriptor, which is a *net.TCPConn, *net.UDPConn or *net.UnixConn. The
// Socket stays open and usable.
func (s *Socket) NetConn() (net.Conn, error) { return toNet(s, "socket.netconn", net.FileConn) }

// NetListener returns a net.Listener for a duplicate of the descriptor of a listening socket. The Socket stays open and
// usable.
func (s *Socket) NetListener() (net.Listener, error) {
	return toNet(s, "socket.netlistener", net.FileListener)
}

func toNet[T any](s *Socket, op string, convert func(*os.File) (T, error)) (c T, err error) {
	var fd int
	err = s.control(op, func(own int) (err error) {
		if err = sys.StartGoPoller(); err == nil { // which convert makes use of
			fd, err = dup(own)
		}
		return err
	})
	if err != nil {
		return c, err
	}
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	if c, err = convert(f); err != nil { // it makes a duplicate of its own
		return c, opError(op, -1, err)
	}
	return c, nil
}

// Close closes the descriptor and ends all waits with an error that is os.ErrClosed. Closing again does nothing. With
// SO_LINGER, Close may wait, and occupies a thread meanwhile, also if the socket is non-blocking. It mirrors socket.close.
func (s *Socket) Close() error {
	fd, err := s.release("socket.close")
	if err != nil {
		return nil
	}
	// EINTR and ECONNRESET are no failure to close: the descriptor is closed.
	if err := unix.Close(fd); err != nil && err != unix.EINTR && err != unix.ECONNRESET {
		return opError("socket.close", fd, err)
	}
	return nil
}

// Detach gives the descriptor, with its number, to the caller, who has to close it. It is non-blocking. The Socket ends as
// with Close. It mirrors socket.detach.
func (s *Socket) Detach() (int, error) { return s.release("socket.detach") }

// release ends all waits and the ownership of the descriptor.
func (s *Socket) release(op string) (int, error) {
	s.mu.Lock()
	fd, p, wasOpen := s.fd, s.poller, s.open
	s.open, s.poller = false, nil
	s.cleanup.Stop()
	s.mu.Unlock()
	if !wasOpen {
		return -1, opError(op, -1, os.ErrClosed)
	}
	if p != nil {
		p.close()
	}
	return fd, nil
}

// Fileno returns the descriptor. It mirrors socket.fileno.
func (s *Socket) Fileno() (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.open {
		return -1, opError("socket.fileno", -1, os.ErrClosed)
	}
	return s.fd, nil
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
			return fmt.Errorf("timeout %v: %w", timeout, os.ErrInvalid)
		}
		s.timeout.Store(int64(timeout))
		return nil
	})
}

// Gettimeout returns the timeout: zero for a non-blocking socket, [pyselect.Forever] for a blocking one. It mirrors
// socket.gettimeout.
func (s *Socket) Gettimeout() time.Duration { return time.Duration(s.timeout.Load()) }
