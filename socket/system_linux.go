package socket

import (
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

const (
	atomically = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

	// wideLevel is the level whose options are numbers of 8 bytes.
	wideLevel = unix.AF_VSOCK

	msgFastopen = unix.MSG_FASTOPEN
	msgErrqueue = unix.MSG_ERRQUEUE
)

// A sockaddr is an address as the kernel has it. Package unix has no type for every family, cuts names in the abstract namespace at a
// zero byte, and allocates what it returns.
type sockaddr struct {
	buf [unix.SizeofSockaddrAny]byte
	len uint32 // 0 if there is no address
}

const (
	maxPath = len(unix.RawSockaddrUnix{}.Path)
	maxRaw  = unix.SizeofSockaddrAny - 2
)

func inetSockaddr(addr netip.AddrPort, zone uint32) (a sockaddr) {
	binary.BigEndian.PutUint16(a.buf[2:], addr.Port())
	if addr.Addr().Is4() {
		a.setFamily(unix.AF_INET, unix.SizeofSockaddrInet4)
		ip := addr.Addr().As4()
		copy(a.buf[4:], ip[:])
	} else {
		a.setFamily(unix.AF_INET6, unix.SizeofSockaddrInet6)
		ip := addr.Addr().As16()
		copy(a.buf[8:], ip[:])
		binary.NativeEndian.PutUint32(a.buf[24:], zone)
	}
	return a
}

// unixSockaddr returns the address of a path, or of a name in the abstract namespace, which begins with a zero byte.
func unixSockaddr(path string) (a sockaddr, err error) {
	if strings.HasPrefix(path, "\x00") {
		if len(path) > maxPath {
			return a, invalid("name of %d bytes in the abstract namespace, want up to %d", len(path), maxPath)
		}
	} else if err := checkPath(path); err != nil {
		return a, err
	}
	a.setFamily(unix.AF_UNIX, 2+copy(a.buf[2:], path))
	if path != "" && path[0] != 0 {
		a.len++ // the zero byte at the end
	}
	return a, nil
}

// abstract returns a path of package net, which writes "@" for the zero byte of a name in the abstract namespace.
func abstract(path string) string {
	if name, ok := strings.CutPrefix(path, "@"); ok {
		return "\x00" + name
	}
	return path
}

func rawSockaddr(addr RawAddr) (a sockaddr, err error) {
	if addr.Family < 0 || addr.Family > math.MaxUint16 || len(addr.Data) > maxRaw {
		return a, invalid("address of family %d with %d bytes, want up to %d", addr.Family, len(addr.Data), maxRaw)
	}
	a.setFamily(addr.Family, 2+copy(a.buf[2:], addr.Data))
	return a, nil
}

func (a *sockaddr) setFamily(family, size int) {
	binary.NativeEndian.PutUint16(a.buf[:], uint16(family))
	a.len = uint32(size)
}

func (a *sockaddr) family() int {
	if a.len < 2 {
		return unix.AF_UNSPEC
	}
	return int(binary.NativeEndian.Uint16(a.buf[:]))
}

func (a *sockaddr) isEmpty() bool { return a.len == 0 }

func (a *sockaddr) isUnix() bool { return a.family() == unix.AF_UNIX }

// addr returns the address, or nil if there is none.
func (a *sockaddr) addr() net.Addr {
	if a.isEmpty() {
		return nil
	}
	data := a.buf[2:max(2, min(a.len, uint32(len(a.buf))))]
	switch family := a.family(); family {
	case unix.AF_INET:
		return InetAddr{netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[2:])), binary.BigEndian.Uint16(data))}
	case unix.AF_INET6:
		ip := withZone(netip.AddrFrom16([16]byte(data[6:])), binary.NativeEndian.Uint32(data[22:]))
		return InetAddr{netip.AddrPortFrom(ip, binary.BigEndian.Uint16(data))}
	case unix.AF_UNIX:
		path := string(data)
		if path != "" && path[0] != 0 {
			path, _, _ = strings.Cut(path, "\x00")
		}
		return UnixAddr(path)
	default:
		return RawAddr{family, string(data)}
	}
}

// senders returns the addresses of those that have sent datagrams. It keeps the last one, so that the next from the same sender does not
// allocate.
type senders struct{ last atomic.Pointer[sender] }

type sender struct {
	sockaddr sockaddr
	addr     net.Addr
}

func (s *senders) addr(from *sockaddr) net.Addr {
	if last := s.last.Load(); last != nil && last.sockaddr == *from {
		return last.addr
	}
	addr := from.addr()
	if addr != nil {
		s.last.Store(&sender{*from, addr})
	}
	return addr
}

func newSocket(family, typ, proto int) (int, error) {
	return unix.Socket(family, typ|atomically, proto)
}

func newPair(family, typ, proto int) ([2]int, error) {
	return unix.Socketpair(family, typ|atomically, proto)
}

func dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

func accept(fd int, from *sockaddr) (int, error) {
	from.len = uint32(len(from.buf))
	n, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&from.buf)), uintptr(unsafe.Pointer(&from.len)),
		atomically, 0, 0)
	return from.result(n, errno)
}

func bind(fd int, addr *sockaddr) error {
	_, err := result(unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(addr.len)))
	return err
}

func connect(fd int, addr *sockaddr) error {
	_, err := result(unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(addr.len)))
	return err
}

func getsockname(fd int, addr *sockaddr) error {
	addr.len = uint32(len(addr.buf))
	_, err := result(unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(unsafe.Pointer(&addr.len))))
	return err
}

func getpeername(fd int, addr *sockaddr) error {
	addr.len = uint32(len(addr.buf))
	_, err := result(unix.Syscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(unsafe.Pointer(&addr.len))))
	return err
}

func recvfrom(fd int, p []byte, flags int, from *sockaddr) (int, error) {
	from.len = uint32(len(from.buf))
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		uintptr(flags), uintptr(unsafe.Pointer(&from.buf)), uintptr(unsafe.Pointer(&from.len)))
	return from.result(n, errno)
}

// sendto sends to an address, or to where the socket is connected to if to is empty.
func sendto(fd int, p []byte, flags int, to *sockaddr) (int, error) {
	if to.isEmpty() {
		n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
			uintptr(flags), 0, 0)
		return result(n, 0, errno)
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		uintptr(flags), uintptr(unsafe.Pointer(&to.buf)), uintptr(to.len))
	return result(n, 0, errno)
}

func recvmsg(fd int, buffers [][]byte, oob []byte, flags int, from *sockaddr) (n, oobn, msgFlags int, err error) {
	var msg unix.Msghdr
	vectors(&msg, buffers, oob)
	msg.Name, msg.Namelen = &from.buf[0], uint32(len(from.buf))
	r, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), uintptr(flags))
	from.len = msg.Namelen
	n, err = from.result(r, errno)
	return n, int(msg.Controllen), int(msg.Flags), err
}

func sendmsg(fd int, buffers [][]byte, oob []byte, flags int, to *sockaddr) (int, error) {
	var msg unix.Msghdr
	vectors(&msg, buffers, oob)
	if !to.isEmpty() {
		msg.Name, msg.Namelen = &to.buf[0], to.len
	}
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), uintptr(flags))
	return result(n, 0, errno)
}

func vectors(msg *unix.Msghdr, buffers [][]byte, oob []byte) {
	iov := make([]unix.Iovec, len(buffers))
	for i, p := range buffers {
		iov[i].Base = unsafe.SliceData(p)
		iov[i].SetLen(len(p))
	}
	msg.Iov = unsafe.SliceData(iov)
	msg.SetIovlen(len(iov))
	msg.Control = unsafe.SliceData(oob)
	msg.SetControllen(len(oob))
}

// getsockopt returns how many bytes of value an option has.
func getsockopt(fd, level, option int, value []byte) (int, error) {
	size := uint32(len(value))
	_, err := result(unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(value))), uintptr(unsafe.Pointer(&size)), 0))
	return int(size), err
}

// kindOf returns what a descriptor is a socket of.
func kindOf(fd int) (k kind, err error) {
	for option, value := range map[int]*int{unix.SO_DOMAIN: &k.family, unix.SO_TYPE: &k.typ, unix.SO_PROTOCOL: &k.proto} {
		if *value, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil {
			return k, err
		}
	}
	return k, nil
}

// isShut reports whether nothing more can come.
func isShut(fd int) bool {
	fds := []sys.PollFd{sys.Entry(fd, unix.POLLRDHUP)}
	_, err := sys.Poll(fds, sys.Now)
	return err == nil && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0 // which POLLERR alone does not say
}

// available returns how many bytes of a stream there are.
func available(fd, _ int) (int, error) {
	n, err := unix.IoctlGetUint32(fd, unix.TIOCINQ)
	return int(n), err
}

// result is that of a call which returns an address, unless it has failed.
func (a *sockaddr) result(n uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		a.len = 0
	}
	return result(n, 0, errno)
}

func result(n, _ uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
