//go:build unix || windows

package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Addresses are net.Addr. A Socket takes and returns an [InetAddr], a [UnixAddr] or a [RawAddr]. It also takes a [HostPort], and the
// addresses of package net: *net.TCPAddr, *net.UDPAddr, *net.IPAddr and *net.UnixAddr.

// An InetAddr is an IPv4 or IPv6 address with a port: Python's ("127.0.0.1", 80) is
// InetAddr{AddrPort: netip.MustParseAddrPort("127.0.0.1:80")}. It is comparable with ==.
//
// The zone of an IPv6 address that comes from the kernel is a number, like Python's scope_id. The zone of one that goes there may also
// be the name of an interface.
type InetAddr struct{ netip.AddrPort }

// Network returns "ip".
func (InetAddr) Network() string { return "ip" }

func (a InetAddr) family() int {
	if a.Addr().Is4() {
		return AF_INET
	}
	return AF_INET6
}

// A UnixAddr is the address of a Unix domain socket: a path, or "" for a socket that has no address. On Linux, a UnixAddr that begins
// with a zero byte is a name in the abstract namespace, with any bytes in it.
type UnixAddr string

// Network returns "unix".
func (UnixAddr) Network() string { return "unix" }

// String returns the path, or the name with "@" for its first zero byte.
func (a UnixAddr) String() string {
	if name, ok := strings.CutPrefix(string(a), "\x00"); ok {
		return "@" + name
	}
	return string(a)
}

// A RawAddr is an address of another family, such as AF_NETLINK, AF_PACKET, AF_CAN or AF_VSOCK, in the form that the kernel has it.
// It is comparable with ==. Only Linux and Windows take and return one.
type RawAddr struct {
	Family int
	Data   string // the bytes that follow the family in the C structure: 10 for AF_NETLINK
}

// Network returns "raw".
func (RawAddr) Network() string { return "raw" }

// String returns the family and the bytes in hexadecimal, like "family 16: 0000d204000000000000".
func (a RawAddr) String() string { return fmt.Sprintf("family %d: %x", a.Family, a.Data) }

// A HostPort is an address of the form host:port whose host and port may be names, which are resolved when it is used, as in Python.
// Resolving cannot be cancelled; to be able to, use [Getaddrinfo]. The address is of the family of the socket. An empty host is any
// address, as with Python's "", and <broadcast> is 255.255.255.255.
type HostPort string

// Network returns "ip".
func (HostPort) Network() string { return "ip" }

// String returns the address as it is.
func (a HostPort) String() string { return string(a) }

// sockaddr returns an address as the kernel takes it.
func (s *Socket) sockaddr(addr net.Addr) (sockaddr, error) {
	switch addr := addr.(type) {
	case InetAddr:
		return inet(addr.AddrPort)
	case UnixAddr:
		return unixSockaddr(string(addr))
	case RawAddr:
		return rawSockaddr(addr)
	case HostPort:
		found, err := resolve(context.Background(), s.kind, string(addr), anyHost)
		if err != nil {
			return sockaddr{}, err
		}
		return inet(found[0])
	case *net.TCPAddr:
		if addr != nil {
			return s.netAddr(addr.IP, addr.Zone, addr.Port)
		}
	case *net.UDPAddr:
		if addr != nil {
			return s.netAddr(addr.IP, addr.Zone, addr.Port)
		}
	case *net.IPAddr:
		if addr != nil {
			return s.netAddr(addr.IP, addr.Zone, 0)
		}
	case *net.UnixAddr:
		if addr != nil {
			return unixSockaddr(abstract(addr.Name))
		}
	}
	return sockaddr{}, invalid("address %v of type %T", addr, addr)
}

func inet(addr netip.AddrPort) (sockaddr, error) {
	if !addr.IsValid() {
		return sockaddr{}, invalid("address %v", addr)
	}
	zone, err := zoneID(addr.Addr().Zone())
	return inetSockaddr(addr, zone), err
}

// netAddr returns the address of an IP of package net, which may be nil for any address, and which has several forms for one address.
func (s *Socket) netAddr(ip net.IP, zone string, port int) (sockaddr, error) {
	addr, ok := netip.AddrFromSlice(ip)
	switch {
	case !ok && len(ip) != 0, port < 0, port > 1<<16-1:
		return sockaddr{}, invalid("IP %v, port %d", ip, port)
	case !ok:
		addr = unspecified(s.kind.family)[0]
	case s.kind.family == AF_INET:
		addr = addr.Unmap()
	case s.kind.family == AF_INET6:
		addr = netip.AddrFrom16(addr.As16())
	}
	return inet(netip.AddrPortFrom(addr.WithZone(zone), uint16(port)))
}

// unspecified returns the addresses of a family that stand for any.
func unspecified(family int) []netip.Addr {
	return ofFamily(family, netip.IPv4Unspecified(), netip.IPv6Unspecified())
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
		return 0, invalid("zone %q: %w", zone, err)
	}
	return uint32(i.Index), nil
}

func withZone(ip netip.Addr, zone uint32) netip.Addr {
	if zone == 0 {
		return ip
	}
	return ip.WithZone(strconv.FormatUint(uint64(zone), 10))
}

// checkPath checks a path that is no name in the abstract namespace.
func checkPath(path string) error {
	switch {
	case len(path) >= maxPath:
		return invalid("path of %d bytes, want up to %d", len(path), maxPath-1)
	case strings.Contains(path, "\x00"):
		return invalid("path %q has a zero byte", path)
	}
	return nil
}
