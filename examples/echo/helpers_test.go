//go:build unix || windows

package main

import (
	"context"
	"net"
	"regexp"
	"testing"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

const (
	manyFds = 1000
	fewFds  = 20
)

// startServer starts a server and returns it and its address.
func startServer(t *testing.T, args ...string) (p *progtest.Program, addr string) {
	t.Helper()
	return startServerWith(t, manyFds, args...)
}

func startServerWith(t *testing.T, fds int, args ...string) (p *progtest.Program, addr string) {
	t.Helper()
	p = progtest.StartWith(t, fds, append(args, "-listen", "127.0.0.1:0")...)
	line := p.Line(t)
	match := regexp.MustCompile(`^listening on (127\.0\.0\.1:[1-9]\d*)$`).FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("the first line is %q", line)
	}
	return p, match[1]
}

// serveHere runs a server in this process, with a listener that is prepared, until the returned function is called.
func serveHere(t *testing.T, prepare func(listener *socket.Socket)) (addr string, stop func()) {
	listener, err := socket.CreateServer("127.0.0.1:0", nil)
	testkit.Check(t, err)
	prepare(listener)
	name, err := listener.Getsockname()
	testkit.Check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener) }()
	return name.String(), func() {
		t.Helper()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// roundTrip checks that data comes back.
func roundTrip(t *testing.T, c net.Conn, data []byte) {
	t.Helper()
	progtest.Exchange(t, c, data, data)
}
