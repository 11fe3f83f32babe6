//go:build unix

package socketserver

import "github.com/pyselect/pyselect/socket"

// NewUnixStreamServer returns a server that listens at a path, where it makes a socket file that stays. It mirrors
// UnixStreamServer.
func NewUnixStreamServer(path socket.UnixAddr, newHandler func() RequestHandler) (*Server, error) {
	return listenUnix(path, newHandler, Sequential)
}

// NewThreadingUnixStreamServer is NewUnixStreamServer with a goroutine for each connection. It mirrors ThreadingUnixStreamServer.
func NewThreadingUnixStreamServer(path socket.UnixAddr, newHandler func() RequestHandler) (*Server, error) {
	return listenUnix(path, newHandler, Threading)
}

// NewForkingUnixStreamServer is NewUnixStreamServer with a process for each connection. It mirrors ForkingUnixStreamServer.
func NewForkingUnixStreamServer(path socket.UnixAddr, newHandler func() RequestHandler) (*Server, error) {
	return listenUnix(path, newHandler, Forking)
}

// NewUnixDatagramServer returns a server that receives datagrams at a path, where it makes a socket file that stays. Only a
// client that has bound its socket can be answered. It mirrors UnixDatagramServer.
func NewUnixDatagramServer(path socket.UnixAddr, newHandler func() RequestHandler) (*Server, error) {
	return bindUnix(path, newHandler, Sequential)
}

// NewThreadingUnixDatagramServer is NewUnixDatagramServer with a goroutine for each datagram. It mirrors
// ThreadingUnixDatagramServer.
func NewThreadingUnixDatagramServer(path socket.UnixAddr, newHandler func() RequestHandler) (*Server, error) {
	return bindUnix(path, newHandler, Threading)
}

// NewForkingUnixDatagramServer is NewUnixDatagramServer with a process for each datagram. It mirrors ForkingUnixDatagramServer.
func NewForkingUnixDatagramServer(path socket.UnixAddr, newHandler func() RequestHandler) (*Server, error) {
	return bindUnix(path, newHandler, Forking)
}

func listenUnix(path socket.UnixAddr, newHandler func() RequestHandler, mode Mode) (*Server, error) {
	return serverOn(newHandler, mode, func() (*socket.Socket, error) {
		sock, err := bound(socket.AF_UNIX, socket.SOCK_STREAM, path)
		if err != nil {
			return nil, err
		}
		if err := sock.Listen(socket.SOMAXCONN); err != nil {
			sock.Close()
			return nil, err
		}
		return sock, nil
	})
}

func bindUnix(path socket.UnixAddr, newHandler func() RequestHandler, mode Mode) (*Server, error) {
	return serverOn(newHandler, mode, func() (*socket.Socket, error) { return bound(socket.AF_UNIX, socket.SOCK_DGRAM, path) })
}
