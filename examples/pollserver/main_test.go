//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

const hello = "hello world"

// greeted checks that a client gets its answer, and then the end.
func greeted(t *testing.T, c net.Conn) {
	t.Helper()
	if back, err := io.ReadAll(c); string(back) != hello || err != nil {
		t.Errorf("the answer is %q, %v", back, err)
	}
}

// say says something.
func say(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if _, err := io.WriteString(c, "hi\n"); err != nil {
		t.Fatal(err)
	}
}

// talk says something, and checks the answer.
func talk(t *testing.T, c *net.TCPConn) {
	t.Helper()
	say(t, c)
	greeted(t, c)
	c.Close()
}

// greetedLate checks that a client gets its answer, also when the connection has been reset before it reads.
func greetedLate(t *testing.T, c *net.TCPConn) {
	t.Helper()
	back := make([]byte, len(hello))
	if _, err := io.ReadFull(c, back); string(back) != hello || err != nil {
		t.Errorf("the answer is %q, %v", back, err)
	}
	c.Close()
}

// closed waits until the server does not take anything from a client any more.
func closed(t *testing.T, c *net.TCPConn) {
	t.Helper()
	for {
		if _, err := io.WriteString(c, "and"); errors.Is(err, socket.ErrBrokenPipe) || errors.Is(err, socket.ErrConnectionReset) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestHelloWorld(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		server, addr := progtest.Serve(t)
		c := progtest.Dial(t, addr)
		talk(t, progtest.Dial(t, addr))
		talk(t, c)
		server.Stop(t, sig)
	}
}

// Who says nothing gets no answer, and may say something later.
func TestSilent(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := progtest.Dial(t, addr)
	talk(t, progtest.Dial(t, addr))
	s, err := socket.FromConn(c)
	testkit.Check(t, err)
	defer s.Close()
	if n, err := s.Recv(make([]byte, 1), socket.MSG_DONTWAIT); !errors.Is(err, socket.ErrWouldBlock) {
		t.Errorf("somebody who has said nothing: Recv = %d, %v", n, err)
	}
	talk(t, c)
	server.Stop(t, os.Interrupt)
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
	progtest.Dial(t, addr.String()) // and says nothing
	c := progtest.Dial(t, addr.String())
	say(t, c)
	greeted(t, c) // and does not close the connection
	talk(t, progtest.Dial(t, addr.String()))
	interrupt()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// The answer comes to a client that sends, or has already sent, much more than the server needs.
func TestGarbage(t *testing.T) {
	server, addr := progtest.Serve(t)
	for range 3 {
		c := progtest.Dial(t, addr)
		sent := progtest.Send(c, progtest.Random(1<<20), c.CloseWrite)
		greeted(t, c)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestHalfClose(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := progtest.Dial(t, addr)
	io.WriteString(c, "hi")
	c.CloseWrite()
	greeted(t, c)

	silent := progtest.Dial(t, addr)
	silent.CloseWrite()
	if back, err := io.ReadAll(silent); len(back) > 0 || err != nil {
		t.Errorf("the answer to nothing is %q, %v", back, err)
	}
	server.Stop(t, os.Interrupt)
}

func TestUrgentData(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := progtest.Dial(t, addr)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	sent := raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil) })
	if err := errors.Join(sent, err); err != nil {
		t.Fatal(err)
	}
	talk(t, c)
	server.Stop(t, os.Interrupt)
}

// Those who do not close the connection keep it for a while only, also when they go on sending.
func TestClientsThatDoNotClose(t *testing.T) {
	server, addr := progtest.Serve(t)
	testkit.Duration(t, program.LingerTime, func() {
		silent, c := progtest.Dial(t, addr), progtest.Dial(t, addr)
		say(t, silent)
		say(t, c)
		greeted(t, c)
		closed(t, c)
		greetedLate(t, silent)
	})
	talk(t, progtest.Dial(t, addr))
	server.Stop(t, os.Interrupt)
}

// Who sends without end does not keep the server busy for long.
func TestFlood(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := progtest.Dial(t, addr)
	say(t, c)
	greeted(t, c)
	const tooMuch = maxDrain + 64<<20 // more than the buffers of the sockets
	data := make([]byte, 1<<20)
	for sent := 0; ; {
		n, err := c.Write(data)
		if errors.Is(err, socket.ErrBrokenPipe) || errors.Is(err, socket.ErrConnectionReset) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if sent += n; sent > tooMuch {
			t.Fatalf("the server has taken %d bytes after its answer", sent)
		}
	}
	talk(t, progtest.Dial(t, addr))
	server.Stop(t, os.Interrupt)
}

// More connections are reset than the server has descriptors.
func TestReset(t *testing.T) {
	const fds = 20
	server := progtest.StartWith(t, fds, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	for range 2 * fds {
		asked, silent := progtest.Dial(t, addr), progtest.Dial(t, addr)
		io.WriteString(asked, "hi")
		progtest.Reset(asked)
		progtest.Reset(silent)
		talk(t, progtest.Dial(t, addr))
	}
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	server, addr := progtest.Serve(t)
	clients := progtest.DialMany(t, addr, 1000, func(c *net.TCPConn) { talk(t, c) })
	for _, c := range clients {
		talk(t, c)
	}
	server.Stop(t, os.Interrupt)
}

func TestOutOfDescriptors(t *testing.T) {
	progtest.OutOfDescriptors(t, program.AcceptDelay, func(c *net.TCPConn) { talk(t, c) })
}

func TestUsage(t *testing.T) { progtest.Usage(t, "pollserver") }

func TestVerbose(t *testing.T) {
	server, addr := progtest.Serve(t, "-v")
	progtest.Verbose(t, server, addr, "pollserver", func(c *net.TCPConn) {
		say(t, c)
		greeted(t, c)
	}, "connected", "received 3 bytes", "sent 11 bytes", "closed")
}

func TestNetcat(t *testing.T) {
	server, addr := progtest.Serve(t)
	host, port, _ := net.SplitHostPort(addr)
	nc := progtest.Run(t, "nc", host, port)
	io.WriteString(nc.Stdin, "hello\n")
	if status, stdout, stderr := nc.End(t); status != 0 || stdout != hello {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	server.Stop(t, os.Interrupt)
}
