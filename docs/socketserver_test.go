//go:build unix || windows

package docs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/socketserver"
)

type Handler struct {
	socketserver.StreamRequestHandler
}

func (h *Handler) Handle() error {
	data, err := h.Rfile.ReadBytes('\n')
	if err != nil && err != io.EOF {
		return err
	}
	data = bytes.TrimSpace(data)
	fmt.Printf("%v wrote: %s\n", h.ClientAddress.(socket.InetAddr).Addr(), data)
	_, err = h.Wfile.Write(bytes.ToUpper(data))
	return err
}

type Server struct {
	*socketserver.Server
	banned map[netip.Addr]bool
}

func (s *Server) VerifyRequest(_ socketserver.Request, clientAddress net.Addr) bool {
	return !s.banned[clientAddress.(socket.InetAddr).Addr()]
}

var _ = func(banned map[netip.Addr]bool) error {
	server, err := socketserver.NewThreadingTCPServer("localhost:9999", func() socketserver.RequestHandler { return &Handler{} })
	if err != nil {
		return err
	}
	defer server.ServerClose()
	server.Hooks = &Server{server, banned}
	return server.ServeForever(500 * time.Millisecond)
}

func runForking() error {
	newHandler := func() socketserver.RequestHandler { return &Handler{} }
	socketserver.ServeForked(newHandler) // first of all
	server, err := socketserver.NewForkingTCPServer("localhost:9999", newHandler)
	if err != nil {
		return err
	}
	defer server.ServerClose()
	return server.ServeForever(500 * time.Millisecond)
}

var _ = runForking

func TestSocketserver(t *testing.T) {
	testkit.NoLeaks(t)
	server, err := socketserver.NewThreadingTCPServer("localhost:0", func() socketserver.RequestHandler { return &Handler{} })
	testkit.Check(t, err)
	defer server.ServerClose()
	banned := make(map[netip.Addr]bool)
	server.Hooks = &Server{server, banned}
	for _, want := range []string{"SPAM", ""} {
		c, err := socket.CreateConnection(server.ServerAddress().String(), &socket.ConnectionConfig{Timeout: testkit.Patience})
		testkit.Check(t, err)
		testkit.Check(t, c.Sendall([]byte("spam\n")))
		testkit.Check(t, server.HandleRequest())
		buf := make([]byte, 10)
		n, err := c.Recv(buf)
		if got := string(buf[:n]); got != want || err != nil && !errors.Is(err, socket.ErrConnectionReset) {
			t.Errorf("received %q, %v, want %q", got, err, want)
		}
		testkit.Check(t, c.Close())
		banned[server.ServerAddress().(socket.InetAddr).Addr()] = true
	}
}
