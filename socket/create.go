//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// CreateServer returns a socket that listens at an address of the form host:port. An empty host stands for all of the
// machine's IPv4 addresses, port 0 for any that is free. A name is that of an IPv4 address, if it has one; looking it up
// cannot be cancelled. The address can be bound again as soon as the socket is closed, by SO_REUSEADDR; with an IPv6 address,
// the socket takes no IPv4 clients. The backlog is that of [Socket.Listen]. It mirrors socket.create_server. For
// its other options, call New, Setsockopt, Bind and Listen.
func CreateServer(address string, backlog ...int) (s *Socket, err error) {
	const op = "socket.create_server"
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	addrs, err := lookup(context.Background(), AF_UNSPEC, host, port)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	addr := addrs[0]
	for _, a := range addrs {
		if a.Addr().Is4() {
			addr = a
			break
		}
	}
	if s, err = New(family(addr), SOCK_STREAM, 0); err != nil {
		return nil, err
	}
	err = s.Setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
	if err == nil && addr.Addr().Is6() {
		err = s.Setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = s.Bind(addr)
	}
	if err == nil {
		err = s.Listen(backlog...)
	}
	if err != nil {
		s.Close()
		return nil, opError(op, -1, attemptError(addr, err))
	}
	return s, nil
}

// CreateConnection returns a socket that is connected to an address of the form host:port; an empty host is localhost. It
// tries all addresses that a name has. The timeout, Python's default for which is Forever, is for each attempt, and stays
// that of the socket. The timeout does not cover looking up a name. To be able to cancel that, use [net.Dialer.DialContext]
// and [FromConn]. It mirrors socket.create_connection.
//
// The error is that of every attempt.
func CreateConnection(address string, timeout ...time.Duration) (*Socket, error) {
	const op = "socket.create_connection"
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	if host == "" {
		host = "localhost"
	}
	addrs, err := lookup(context.Background(), AF_UNSPEC, host, port)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	var failed []error
	for _, addr := range addrs {
		s, err := connected(addr, timeout)
		if err == nil {
			return s, nil
		}
		failed = append(failed, attemptError(addr, err))
	}
	return nil, opError(op, -1, errors.Join(failed...))
}

func attemptError(addr netip.AddrPort, err error) error { return fmt.Errorf("%v: %w", addr, err) }

func connected(addr netip.AddrPort, timeout []time.Duration) (*Socket, error) {
	s, err := New(family(addr), SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if len(timeout) > 0 {
		err = s.Settimeout(timeout[0])
	}
	if err == nil {
		err = s.Connect(addr)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Getaddrinfo returns the addresses of the form host:port, where both may be names, in the order in which to try them. The
// family is AF_INET, AF_INET6, or AF_UNSPEC for both. An empty host is an error, as in Python. It mirrors socket.getaddrinfo.
//
// The error is that of package net, for instance a *net.DNSError.
func Getaddrinfo(ctx context.Context, family int, address string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, opError("socket.getaddrinfo", -1, err)
	}
	addrs, err := lookup(ctx, family, host, port)
	if err != nil {
		return nil, opError("socket.getaddrinfo", -1, err)
	}
	return addrs, nil
}

func lookup(ctx context.Context, family int, host, port string) ([]netip.AddrPort, error) {
	network, ok := map[int]string{AF_UNSPEC: "ip", AF_INET: "ip4", AF_INET6: "ip6"}[family]
	if !ok {
		return nil, fmt.Errorf("family %d: %w", family, os.ErrInvalid)
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), uint16(n))
	}
	return addrs, nil
}

func family(addr netip.AddrPort) int {
	if addr.Addr().Is4() {
		return AF_INET
	}
	return AF_INET6
}
