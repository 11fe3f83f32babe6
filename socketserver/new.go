//go:build unix || windows

package socketserver

import (
	"context"
	"fmt"
	"net"

	"github.com/pyselect/pyselect/socket"
)

// NewTCPServer returns a server that listens at an address of the form host:port, as CreateServer has it. It mirrors TCPServer.
func NewTCPServer(address string, newHandler func() RequestHandler) (*Server, error) {
	return listenTCP(address, newHandler, Sequential)
}

// NewThreadingTCPServer is NewTCPServer with a goroutine for each connection. It mirrors ThreadingTCPServer.
func NewThreadingTCPServer(address string, newHandler func() RequestHandler) (*Server, error) {
	return listenTCP(address, newHandler, Threading)
}

// NewForkingTCPServer is NewTCPServer with a process for each connection. It mirrors ForkingTCPServer.
func NewForkingTCPServer(address string, newHandler func() RequestHandler) (*Server, error) {
	return listenTCP(address, newHandler, Forking)
}

// NewUDPServer returns a server that receives datagrams at an address of the form host:port. An empty host stands for all of the
// machine's IPv4 addresses, port 0 for any that is free. It mirrors UDPServer.
func NewUDPServer(address string, newHandler func() RequestHandler) (*Server, error) {
	return bindUDP(address, newHandler, Sequential)
}

// NewThreadingUDPServer is NewUDPServer with a goroutine for each datagram. It mirrors ThreadingUDPServer.
func NewThreadingUDPServer(address string, newHandler func() RequestHandler) (*Server, error) {
	return bindUDP(address, newHandler, Threading)
}

// NewForkingUDPServer is NewUDPServer with a process for each datagram. It mirrors ForkingUDPServer.
func NewForkingUDPServer(address string, newHandler func() RequestHandler) (*Server, error) {
	return bindUDP(address, newHandler, Forking)
}

func listenTCP(address string, newHandler func() RequestHandler, mode Mode) (*Server, error) {
	return serverOn(newHandler, mode, func() (*socket.Socket, error) {
		return socket.CreateServer(address, &socket.ServerConfig{Backlog: socket.SOMAXCONN}) // many clients may come at once
	})
}

func bindUDP(address string, newHandler func() RequestHandler, mode Mode) (*Server, error) {
	return serverOn(newHandler, mode, func() (*socket.Socket, error) {
		infos, err := socket.Getaddrinfo(context.Background(), address, socket.AF_UNSPEC, socket.SOCK_DGRAM, 0, socket.AI_PASSIVE)
		if err != nil {
			return nil, err
		}
		info := infos[0]
		for _, other := range infos {
			if info.Family != socket.AF_INET && other.Family == socket.AF_INET {
				info = other
			}
		}
		return bound(info.Family, info.Type, info.Addr)
	})
}

// serverOn returns a server on the socket that open returns.
func serverOn(newHandler func() RequestHandler, mode Mode, open func() (*socket.Socket, error)) (*Server, error) {
	s, err := newServer(newHandler, mode)
	if err != nil {
		return nil, opError(newOp, -1, err)
	}
	sock, err := open()
	if err != nil {
		return nil, err
	}
	if err := s.serveOn(sock); err != nil {
		sock.Close()
		return nil, opError(newOp, -1, err)
	}
	return s, nil
}

// bound returns a socket that is bound to an address.
func bound(family, typ int, addr net.Addr) (*socket.Socket, error) {
	sock, err := socket.New(family, typ, 0)
	if err != nil {
		return nil, err
	}
	if err := sock.Bind(addr); err != nil {
		sock.Close()
		return nil, fmt.Errorf("%v: %w", addr, err)
	}
	return sock, nil
}
