//go:build unix && !linux

package socket

import (
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

const (
	wideLevel = -1 // there is none

	msgFastopen = 0
	msgErrqueue = 0
)

// A sockaddr is an address as the kernel has it.
type sockaddr struct{ sa unix.Sockaddr } // nil if there is no address

const maxPath = len(unix.RawSockaddrUnix{}.Path)

func inetSockaddr(addr netip.AddrPort, zone uint32) sockaddr {
	if addr.Addr().Is4() {
		return sockaddr{&unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}}
	}
	return sockaddr{&unix.SockaddrInet6{Port: int(addr.Port()), ZoneId: zone, Addr: addr.Addr().As16()}}
}

func unixSockaddr(path string) (sockaddr, error) {
	return sockaddr{&unix.SockaddrUnix{Name: path}}, checkPath(path)
}

func abstract(path string) string { return path }

func rawSockaddr(addr RawAddr) (sockaddr, error) {
	return sockaddr{}, invalid("address of family %d, which this system's sockets cannot be given", addr.Family)
}

func (a *sockaddr) isEmpty() bool { return a.sa == nil }

func (a *sockaddr) isUnix() bool {
	_, ok := a.sa.(*unix.SockaddrUnix)
	return ok
}

// addr returns the address, or nil if there is none.
func (a *sockaddr) addr() net.Addr {
	switch sa := a.sa.(type) {
	case *unix.SockaddrUnix:
		return UnixAddr(sa.Name)
	case *unix.SockaddrInet4:
		return InetAddr{netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))}
	case *unix.SockaddrInet6:
		return InetAddr{netip.AddrPortFrom(withZone(netip.AddrFrom16(sa.Addr), sa.ZoneId), uint16(sa.Port))}
	}
	return nil
}

// senders returns the addresses of those that have sent datagrams.
type senders struct{}

func (senders) addr(from *sockaddr) net.Addr { return from.addr() }

func accept(fd int, from *sockaddr) (n int, err error) {
	n, from.sa, err = acceptFd(fd)
	return n, err
}

func bind(fd int, addr *sockaddr) error { return unix.Bind(fd, addr.sa) }

func connect(fd int, addr *sockaddr) error { return unix.Connect(fd, addr.sa) }

func getsockname(fd int, addr *sockaddr) (err error) {
	addr.sa, err = unix.Getsockname(fd)
	return err
}

func getpeername(fd int, addr *sockaddr) (err error) {
	addr.sa, err = unix.Getpeername(fd)
	return err
}

// With MSG_WAITALL, BSD's kernels wait for all even if the descriptor is non-blocking. receiveEnough waits.
func recvfrom(fd int, p []byte, flags int, from *sockaddr) (n int, err error) {
	n, from.sa, err = unix.Recvfrom(fd, p, flags&^MSG_WAITALL)
	return received(n, err)
}

// sendto wraps sendmsg(2): what package unix has of sendto(2) does not say how much was sent.
func sendto(fd int, p []byte, flags int, to *sockaddr) (int, error) {
	return unix.SendmsgN(fd, p, nil, to.sa, flags)
}

func recvmsg(fd int, buffers [][]byte, oob []byte, flags int, from *sockaddr) (n, oobn, msgFlags int, err error) {
	flags = flags&^MSG_WAITALL | sys.MsgCmsgCloexec // as recvfrom
	n, oobn, msgFlags, from.sa, err = unix.RecvmsgBuffers(fd, buffers, oob, flags)
	n, err = received(n, err)
	return n, oobn, msgFlags &^ sys.MsgCmsgCloexec, err
}

// received forgives that package unix has no type for the address of the sender.
func received(n int, err error) (int, error) {
	if n >= 0 && err == unix.EAFNOSUPPORT {
		err = nil
	}
	return n, err
}

func sendmsg(fd int, buffers [][]byte, oob []byte, flags int, to *sockaddr) (int, error) {
	return unix.SendmsgBuffers(fd, buffers, oob, to.sa, flags)
}

// getsockopt returns how many bytes of value an option has. It reads the option as the largest structure that package unix can read,
// since package unix has no function for any size.
func getsockopt(fd, level, option int, value []byte) (int, error) {
	info, err := unix.GetsockoptIPv6MTUInfo(fd, level, option)
	if err != nil {
		return 0, err
	}
	return copy(value, (*[unix.SizeofIPv6MTUInfo]byte)(unsafe.Pointer(info))[:]), nil
}

// leaveGoPoller returns the error of Go's poller.
func (w *waiter) leaveGoPoller(_ *poller, err error) error { return err }

// kindOf returns what a descriptor is a socket of. Not all systems tell the protocol.
func kindOf(fd int) (k kind, err error) {
	if k.typ, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return k, err
	}
	var name sockaddr
	if err := getsockname(fd, &name); err == nil {
		switch name.sa.(type) {
		case *unix.SockaddrUnix:
			k.family = AF_UNIX
		case *unix.SockaddrInet4:
			k.family = AF_INET
		case *unix.SockaddrInet6:
			k.family = AF_INET6
		}
	}
	return k, nil
}

// isShut reports whether nothing more can come, or there is as much as SO_RCVLOWAT demands.
func isShut(fd int) bool {
	n, err := sys.Poll([]sys.PollFd{sys.Entry(fd, sys.In)}, sys.Now)
	return n > 0 && err == nil
}

// available returns how many bytes of a stream there are, up to size or a bit less.
func available(fd, size int) (int, error) {
	return recvfrom(fd, make([]byte, min(size, 1<<16)), MSG_PEEK, new(sockaddr))
}
