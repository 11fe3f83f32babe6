//go:build linux || windows

package socket

import (
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
)

// A sockaddr is an address as the kernel has it. Packages unix and windows have no type for every family, cut names in the abstract
// namespace at a zero byte, and allocate what they return.
type sockaddr struct {
	buf [2 + maxRaw]byte
	len uint32 // 0 if there is no address
}

const (
	maxPath   = 108
	maxRaw    = 110
	sizeInet4 = 16
	sizeInet6 = 28
)

func inetSockaddr(addr netip.AddrPort, zone uint32) (a sockaddr) {
	binary.BigEndian.PutUint16(a.buf[2:], addr.Port())
	if addr.Addr().Is4() {
		a.setFamily(AF_INET, sizeInet4)
		ip := addr.Addr().As4()
		copy(a.buf[4:], ip[:])
	} else {
		a.setFamily(AF_INET6, sizeInet6)
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
	a.setFamily(AF_UNIX, 2+copy(a.buf[2:], path))
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
		return AF_UNSPEC
	}
	return int(binary.NativeEndian.Uint16(a.buf[:]))
}

func (a *sockaddr) isEmpty() bool { return a.len == 0 }

// addr returns the address, or nil if there is none.
func (a *sockaddr) addr() net.Addr {
	if a.family() == AF_UNSPEC {
		return nil
	}
	data := a.buf[2:max(2, min(a.len, uint32(len(a.buf))))]
	switch family := a.family(); family {
	case AF_INET:
		return InetAddr{netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[2:])), binary.BigEndian.Uint16(data))}
	case AF_INET6:
		ip := withZone(netip.AddrFrom16([16]byte(data[6:])), binary.NativeEndian.Uint32(data[22:]))
		return InetAddr{netip.AddrPortFrom(ip, binary.BigEndian.Uint16(data))}
	case AF_UNIX:
		path := string(data)
		if !onLinux && strings.Trim(path, "\x00") == "" {
			return UnixAddr("")
		}
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

// result is that of a call which returns an address, unless it has failed.
func (a *sockaddr) result(n uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		a.len = 0
	}
	return result(n, 0, errno)
}
