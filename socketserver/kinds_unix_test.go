//go:build unix

package socketserver_test

import (
	"path/filepath"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/socketserver"
)

func onPath(
	name string, typ int, open func(path socket.UnixAddr, newHandler func() socketserver.RequestHandler) (*socketserver.Server, error),
) kind {
	return kind{name, func(t *testing.T, newHandler func() socketserver.RequestHandler) (*socketserver.Server, error) {
		return open(path(t), newHandler)
	}, typ}
}

var unixKinds = []kind{
	onPath("Unix stream", socket.SOCK_STREAM, socketserver.NewUnixStreamServer),
	onPath("threading Unix stream", socket.SOCK_STREAM, socketserver.NewThreadingUnixStreamServer),
	onPath("forking Unix stream", socket.SOCK_STREAM, socketserver.NewForkingUnixStreamServer),
	onPath("Unix datagram", socket.SOCK_DGRAM, socketserver.NewUnixDatagramServer),
	onPath("threading Unix datagram", socket.SOCK_DGRAM, socketserver.NewThreadingUnixDatagramServer),
	onPath("forking Unix datagram", socket.SOCK_DGRAM, socketserver.NewForkingUnixDatagramServer),
}

func path(t *testing.T) socket.UnixAddr {
	return socket.UnixAddr(filepath.Join(testkit.TempDir(t), "s"))
}

// bindClient gives the socket of a client an address, without which it gets no answers.
func bindClient(t *testing.T, sock *socket.Socket) {
	t.Helper()
	if sock.Family() == socket.AF_UNIX {
		check(t, sock.Bind(path(t)))
	}
}
