//go:build unix || windows

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

// answerTo is what Python's bytes.upper makes of the request.
func answerTo(request []byte) []byte {
	answer := bytes.Clone(request)
	for c := 'a'; c <= 'z'; c++ {
		answer = bytes.ReplaceAll(answer, []byte{byte(c)}, bytes.ToUpper([]byte{byte(c)}))
	}
	return answer
}

// exchange checks that a client is served.
func exchange(t *testing.T, c net.Conn, request []byte) {
	t.Helper()
	progtest.Exchange(t, c, request, answerTo(request))
}

// rest checks that the rest of the answers to what a client has sent comes, and then the end.
func rest(t *testing.T, c net.Conn, sent []byte) {
	t.Helper()
	if back, err := io.ReadAll(c); err != nil || !bytes.Equal(back, answerTo(sent)) {
		t.Errorf("the answer to %d bytes is %d, or other ones: %v", len(sent), len(back), err)
	}
}

func TestUpperCase(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		server, addr := progtest.Serve(t)
		c := progtest.Dial(t, addr)
		progtest.Exchange(t, c, []byte("This is the message.\n"), []byte("THIS IS THE MESSAGE.\n"))
		progtest.Exchange(t, c, []byte("It goes on, größer.\n"), []byte("IT GOES ON, GRößER.\n"))
		exchange(t, c, progtest.Random(1<<20))
		server.Stop(t, sig)
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("after the server's end: Read = %d, %v", n, err)
		}
	}
}

func TestInterruptClosesAll(t *testing.T) {
	testkit.NoLeaks(t)
	server, err := socket.CreateServer("127.0.0.1:0", &socket.ServerConfig{Backlog: socket.SOMAXCONN})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	addr, err := server.Getsockname()
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- serve(ctx, server) }()
	exchange(t, progtest.Dial(t, addr.String()), []byte("hello"))
	progtest.SendUntilStuck(t, progtest.Dial(t, addr.String()))
	interrupt()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestHalfClose(t *testing.T) {
	server, addr := progtest.Serve(t)
	for _, size := range []int{0, 1, messageSize * queueSize, 3 << 20} {
		c := progtest.Dial(t, addr)
		data := progtest.Random(size)
		sent := progtest.Send(c, data, c.CloseWrite)
		rest(t, c, data)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	server.Stop(t, os.Interrupt)
}

// More connections are reset than the server has descriptors, and another one lives through it all.
func TestReset(t *testing.T) {
	server := progtest.StartWith(t, 20, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	progtest.Resets(t, server, addr, func(c *net.TCPConn, data []byte) { exchange(t, c, data) })
}

func TestClientsThatDoNotRead(t *testing.T) {
	server, addr := progtest.Serve(t)
	other := progtest.Dial(t, addr)
	var greedy [3]*net.TCPConn
	var sent [len(greedy)][]byte
	for i := range greedy {
		greedy[i] = progtest.Dial(t, addr)
		sent[i] = progtest.SendUntilStuck(t, greedy[i])
		exchange(t, other, progtest.Random(1<<17))
	}
	for i, c := range greedy {
		c.CloseWrite()
		rest(t, c, sent[i])
	}
	server.Stop(t, os.Interrupt)
}

func TestUrgentData(t *testing.T) {
	server, addr := progtest.Serve(t)
	other := progtest.Dial(t, addr)
	c := progtest.Dial(t, addr)
	exchange(t, c, []byte("hello"))
	s, err := socket.FromConn(c)
	testkit.Check(t, err)
	_, err = s.Send([]byte("!"), socket.MSG_OOB)
	testkit.Check(t, errors.Join(err, s.Close()))
	if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) && !errors.Is(err, socket.ErrConnectionReset) {
		t.Errorf("after urgent data: Read = %d, %v", n, err)
	}
	exchange(t, other, []byte("hello"))
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	server, addr := progtest.Serve(t)
	clients := progtest.DialMany(t, addr, 1000, func(c *net.TCPConn) { exchange(t, c, []byte("hello")) })
	for i, c := range clients {
		fmt.Fprintf(c, "I am client %d\n", i)
		c.CloseWrite()
	}
	for i, c := range clients {
		rest(t, c, fmt.Appendf(nil, "I am client %d\n", i))
	}
	server.Stop(t, os.Interrupt)
}

func TestOutOfDescriptors(t *testing.T) {
	progtest.OutOfDescriptors(t, program.AcceptDelay, func(c *net.TCPConn) {
		exchange(t, c, []byte("hello"))
		c.Close()
	})
}

func TestUsage(t *testing.T) { progtest.Usage(t, "queueserver") }

func TestVerbose(t *testing.T) {
	server, addr := progtest.Serve(t, "-v")
	progtest.Verbose(t, server, addr, "queueserver", func(c *net.TCPConn) { exchange(t, c, []byte("hello")) },
		"connected", "received 5 bytes", "sent 5 bytes", "closed")
}

// The client of the tutorials.
func TestPython(t *testing.T) {
	const script = `
import socket, sys
messages = [b"This is the message. ", b"It will be sent ", b"in parts."]
socks = [socket.create_connection((sys.argv[1], sys.argv[2])) for _ in range(2)]
for message in messages:
    for s in socks:
        s.send(message)
    for s in socks:
        data = b""
        while len(data) < len(message):
            data += s.recv(1024)
        assert data == message.upper(), data
for s in socks:
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1024) == b""
    s.close()
print("done")
`
	server, addr := progtest.Serve(t)
	host, port, _ := net.SplitHostPort(addr)
	python := progtest.Run(t, "python3", "-c", script, host, port)
	if status, stdout, stderr := python.End(t); status != 0 || stdout != "done\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	server.Stop(t, os.Interrupt)
}
