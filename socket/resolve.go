//go:build unix || windows

package socket

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// An AddrInfo is what Getaddrinfo returns: Python's tuple (family, type, proto, canonname, sockaddr).
type AddrInfo struct {
	Family, Type, Proto int // for New
	Canonname           string
	Addr                InetAddr
}

// Flags of Getaddrinfo.
const (
	AI_PASSIVE     = 1 << iota // an empty host is any address, to bind to
	AI_CANONNAME               // return the canonical name of the host with the first address
	AI_NUMERICHOST             // the host is no name
	AI_V4MAPPED                // with AF_INET6, return IPv4 addresses as IPv6 addresses if there are no other
	AI_ALL                     // with AI_V4MAPPED, return them besides others
	AI_ADDRCONFIG              // return only addresses of families of which the machine has an address other than loopback
	AI_NUMERICSERV             // the port is no name
)

// Getaddrinfo returns the addresses of the form host:port, where both may be names, in the order in which to try them. The family is
// AF_INET, AF_INET6, or AF_UNSPEC for both. The type, SOCK_STREAM, SOCK_DGRAM or SOCK_RAW, and the protocol may be 0 for all, so that an
// address is returned up to three times. The flags are AI_PASSIVE and the like, or 0. An empty host is the local one: Python's None. It
// mirrors socket.getaddrinfo.
//
// The error is that of package net, for instance a *net.DNSError, os.ErrInvalid for a family, a type or a protocol that has no addresses
// of this form, or that of ctx.
func Getaddrinfo(ctx context.Context, address string, family, typ, proto, flags int) ([]AddrInfo, error) {
	const op = "socket.getaddrinfo"
	kinds := matching(kind{family, typ, proto})
	if len(kinds) == 0 {
		return nil, opError(op, -1, invalid("type %d with protocol %d", typ, proto))
	}
	addrs, canonname, err := getaddrinfo(ctx, address, kind{family, kinds[0].typ, 0}, flags)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	var infos []AddrInfo
	for i, addr := range addrs {
		for j, k := range kinds {
			info := AddrInfo{InetAddr{addr}.family(), k.typ, k.proto, "", InetAddr{addr}}
			if i+j == 0 {
				info.Canonname = canonname
			}
			infos = append(infos, info)
		}
	}
	return infos, nil
}

// matching returns the types with their protocols that a program has asked for.
func matching(want kind) (kinds []kind) {
	for _, k := range []kind{{0, SOCK_STREAM, IPPROTO_TCP}, {0, SOCK_DGRAM, IPPROTO_UDP}, {0, SOCK_RAW, want.proto}} {
		if (want.typ == 0 || want.typ == k.typ) && (want.proto == 0 || want.proto == k.proto) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// What an empty host is.
const (
	anyHost   = AI_PASSIVE
	localHost = 0
)

func getaddrinfo(ctx context.Context, address string, k kind, flags int) (addrs []netip.AddrPort, canonname string, err error) {
	mapped := k.family == AF_INET6 && flags&AI_V4MAPPED != 0
	if mapped {
		k.family = AF_UNSPEC
	}
	if addrs, err = resolve(ctx, k, address, flags); err != nil {
		return nil, "", err
	}
	if mapped {
		addrs = mapAddrs(addrs, flags&AI_ALL != 0)
	}
	if flags&AI_ADDRCONFIG != 0 {
		if addrs = configured(addrs); len(addrs) == 0 {
			return nil, "", &net.DNSError{Err: "no address of a family that the machine has", Name: address, IsNotFound: true}
		}
	}
	if flags&AI_CANONNAME != 0 {
		host, _, _ := net.SplitHostPort(address)
		canonname = host
		if _, err := netip.ParseAddr(host); err != nil && host != "" {
			if name, err := net.DefaultResolver.LookupCNAME(ctx, host); err == nil {
				canonname = strings.TrimSuffix(name, ".")
			}
		}
	}
	return addrs, canonname, nil
}

// resolve returns the addresses of the form host:port for a kind of socket, of which there is one at least.
func resolve(ctx context.Context, k kind, address string, flags int) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, invalid("%w", err)
	}
	n, err := lookupPort(ctx, k.typ, port, flags)
	if err != nil {
		return nil, err
	}
	ips, err := lookupHost(ctx, k.family, host, flags)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip, uint16(n))
	}
	return addrs, nil
}

func lookupPort(ctx context.Context, typ int, port string, flags int) (int, error) {
	network := "tcp"
	if typ == SOCK_DGRAM {
		network = "udp"
	}
	_, err := strconv.Atoi(port)
	if err != nil && flags&AI_NUMERICSERV != 0 {
		return 0, invalid("port %q, want a number", port)
	}
	n, lookupErr := net.DefaultResolver.LookupPort(ctx, network, port)
	if err == nil && lookupErr != nil {
		return 0, invalid("port %s, want 0 to 65535", port)
	}
	return n, lookupErr
}

func lookupHost(ctx context.Context, family int, host string, flags int) ([]netip.Addr, error) {
	network, ok := map[int]string{AF_UNSPEC: "ip", AF_INET: "ip4", AF_INET6: "ip6"}[family]
	if !ok {
		return nil, invalid("host %q for family %d", host, family)
	}
	switch {
	case host == "" && flags&AI_PASSIVE != 0:
		return unspecified(family), nil
	case host == "":
		return ofFamily(family, netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})), nil
	case host == "<broadcast>" && family != AF_INET6:
		return []netip.Addr{netip.AddrFrom4([4]byte{255, 255, 255, 255})}, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if family == AF_INET {
			ip = ip.Unmap()
		}
		if len(ofFamily(family, ip)) == 0 {
			return nil, &net.AddrError{Err: "address of another family", Addr: host}
		}
		return []netip.Addr{ip}, nil
	}
	if flags&AI_NUMERICHOST != 0 {
		return nil, &net.DNSError{Err: "no numeric address", Name: host, IsNotFound: true}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	for i, ip := range ips {
		ips[i] = ip.Unmap()
	}
	return ips, err
}

// ofFamily returns those of all that are of a family, which may be AF_UNSPEC.
func ofFamily(family int, all ...netip.Addr) []netip.Addr {
	return slices.DeleteFunc(all, func(ip netip.Addr) bool {
		return family == AF_INET && !ip.Is4() || family == AF_INET6 && ip.Is4()
	})
}

// mapAddrs returns IPv6 addresses. An IPv4 address is written as one, but only if there are no others or all are wanted.
func mapAddrs(addrs []netip.AddrPort, all bool) (mapped []netip.AddrPort) {
	hasIPv6 := slices.ContainsFunc(addrs, func(a netip.AddrPort) bool { return a.Addr().Is6() })
	for _, a := range addrs {
		if a.Addr().Is6() || all || !hasIPv6 {
			mapped = append(mapped, netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()).WithZone(a.Addr().Zone()), a.Port()))
		}
	}
	return mapped
}

// configured returns the addresses of the families of which the machine has an address that others can reach.
func configured(addrs []netip.AddrPort) []netip.AddrPort {
	var has4, has6 bool
	own, err := net.InterfaceAddrs()
	if err != nil {
		return addrs
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			has4 = has4 || n.IP.To4() != nil
			has6 = has6 || n.IP.To4() == nil
		}
	}
	return slices.DeleteFunc(addrs, func(a netip.AddrPort) bool { return a.Addr().Is4() && !has4 || a.Addr().Is6() && !has6 })
}
