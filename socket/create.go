//go:build unix || windows

package socket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
)

// A ServerConfig has the options of CreateServer. The zero value has Python's defaults.
type ServerConfig struct {
	Family        int  // AF_INET or AF_INET6; 0 for that of the address, and for a name that has both, or for an empty host, AF_INET
	Backlog       int  // as in Listen; 0 for 128, or SOMAXCONN if that is less
	ReusePort     bool // set SO_REUSEPORT: several sockets share the address
	DualstackIPv6 bool // an IPv6 socket takes IPv4 clients too; an empty host is any IPv6 address then
}

// CreateServer returns a socket that listens at an address of the form host:port. An empty host stands for all of the
// machine's IPv4 addresses, port 0 for any that is free. Looking up a name cannot be cancelled. The address can be bound again as soon
// as the socket is closed, on Unix by SO_REUSEADDR; with an IPv6 address, the socket takes no IPv4 clients. A nil config is the zero one. It
// mirrors socket.create_server.
//
// The error is ErrAddressInUse if another socket has the address, os.ErrInvalid for a DualstackIPv6 of another Family than AF_INET6,
// errors.ErrUnsupported if the system has no SO_REUSEPORT, or that of the resolver.
func CreateServer(address string, config *ServerConfig) (*Socket, error) {
	const op = "socket.create_server"
	if config == nil {
		config = &ServerConfig{}
	}
	s, err := createServer(address, *config)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	return s, nil
}

func createServer(address string, config ServerConfig) (*Socket, error) {
	if config.DualstackIPv6 {
		if config.Family != AF_UNSPEC && config.Family != AF_INET6 {
			return nil, invalid("DualstackIPv6 of family %d, want AF_INET6", config.Family)
		}
		config.Family = AF_INET6
	}
	addrs, err := resolve(context.Background(), kind{config.Family, SOCK_STREAM, 0}, address, anyHost)
	if err != nil {
		return nil, err
	}
	addr := InetAddr{addrs[0]}
	for _, a := range addrs {
		if a.Addr().Is4() {
			addr = InetAddr{a}
			break
		}
	}
	s, err := New(addr.family(), SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := config.listen(s, addr); err != nil {
		s.Close()
		return nil, fmt.Errorf("%v: %w", addr, err)
	}
	return s, nil
}

func (c *ServerConfig) listen(s *Socket, addr InetAddr) error {
	if setsReuseaddr {
		if err := s.Setsockopt(SOL_SOCKET, SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	if c.ReusePort {
		if sys.SoReuseport == 0 {
			return fmt.Errorf("SO_REUSEPORT: %w", errors.ErrUnsupported)
		}
		if err := s.Setsockopt(SOL_SOCKET, sys.SoReuseport, 1); err != nil {
			return err
		}
	}
	if addr.Addr().Is6() {
		only := 1
		if c.DualstackIPv6 {
			only = 0
		}
		if err := s.Setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, only); err != nil {
			return err
		}
	}
	if err := s.Bind(addr); err != nil {
		return err
	}
	backlog := c.Backlog
	if backlog == 0 {
		backlog = min(128, SOMAXCONN)
	}
	return s.Listen(backlog)
}

// HasDualstackIPv6 reports whether CreateServer can make sockets with DualstackIPv6. It mirrors socket.has_dualstack_ipv6.
func HasDualstackIPv6() bool {
	s, err := New(AF_INET6, SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer s.Close()
	return s.Setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0) == nil
}

// A ConnectionConfig has the options of CreateConnection. The zero value has Python's defaults.
type ConnectionConfig struct {
	Timeout       time.Duration // of each attempt, and then of the socket; 0 for none
	SourceAddress string        // to bind to, of the form host:port; "" for any
	AllErrors     bool          // return the errors of all attempts, not of the last one only
}

// CreateConnection returns a socket that is connected to an address of the form host:port; an empty host is the local one. It
// tries all addresses that a name has. The timeout does not cover looking up a name. To be able to cancel that, use
// [net.Dialer.DialContext] and [FromConn]. A nil config is the zero one. It mirrors socket.create_connection.
//
// The error is that of Connect, os.ErrInvalid if the timeout is negative, or that of the resolver.
func CreateConnection(address string, config *ConnectionConfig) (*Socket, error) {
	const op = "socket.create_connection"
	if config == nil {
		config = &ConnectionConfig{}
	}
	addrs, err := resolve(context.Background(), kind{AF_UNSPEC, SOCK_STREAM, 0}, address, localHost)
	if err != nil {
		return nil, opError(op, -1, err)
	}
	var failed []error
	for _, a := range addrs {
		addr := InetAddr{a}
		s, err := New(addr.family(), SOCK_STREAM, 0)
		if err == nil {
			if err = config.connect(s, addr); err == nil {
				return s, nil
			}
			s.Close()
		}
		if !config.AllErrors {
			failed = nil
		}
		failed = append(failed, fmt.Errorf("%v: %w", addr, err))
	}
	return nil, opError(op, -1, errors.Join(failed...))
}

func (c *ConnectionConfig) connect(s *Socket, addr InetAddr) error {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = pyselect.Forever
	}
	if err := s.Settimeout(timeout); err != nil {
		return err
	}
	if c.SourceAddress != "" {
		if err := s.Bind(HostPort(c.SourceAddress)); err != nil {
			return err
		}
	}
	return s.Connect(addr)
}
