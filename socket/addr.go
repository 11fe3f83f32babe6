//go:build unix

package socket

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// An Addr is the address of a socket: a [netip.AddrPort] or a [UnixAddr].
//
// The zone of an IPv6 address that comes from the kernel is a number, like Python's scope_id; one that goes there may also
// be the name of an interface.
type Addr interface {
	IsValid() bool
	String() string
}

// A UnixAddr is the address of a Unix domain socket: a path, or "" for one that has no address. On Linux, one that begins
// with "@" or a zero byte is a name in the abstract namespace; the kernel's answers begin with "@".
type UnixAddr string

// IsValid returns true.
func (a UnixAddr) IsValid() bool { return true }

// String returns the path.
func (a UnixAddr) String() string { return string(a) }

// sockaddr returns what the kernel takes.
func sockaddr(addr Addr) (unix.Sockaddr, error) {
	switch addr := addr.(type) {
	case UnixAddr:
		return &unix.SockaddrUnix{Name: string(addr)}, nil
	case netip.AddrPort:
		switch ip := addr.Addr(); {
		case ip.Is4():
			return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}, nil
		case ip.Is6():
			zone, err := zoneID(ip.Zone())
			return &unix.SockaddrInet6{Port: int(addr.Port()), ZoneId: zone, Addr: ip.As16()}, err
		}
	}
	return nil, fmt.Errorf("address %v of type %T: %w", addr, addr, os.ErrInvalid)
}

// fromSockaddr returns the address that the kernel has given, or nil if it has none that is an Addr.
func fromSockaddr(sa unix.Sockaddr) Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrUnix:
		if sa.Name == "@" { // that is how package unix writes that there is none, on Linux
			return UnixAddr("")
		}
		return UnixAddr(sa.Name)
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return netip.AddrPortFrom(ip, uint16(sa.Port))
	}
	return nil
}

func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("zone %q: %w: %w", zone, os.ErrInvalid, err)
	}
	return uint32(i.Index), nil
}
