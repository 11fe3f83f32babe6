//go:build unix || windows

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestDemo(t *testing.T) {
	p := progtest.Start(t)
	status, stdout, stderr := p.End(t)
	if status != 0 || stderr != "" || !strings.HasSuffix(stdout, "\nall 5 connections are done\n") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

func TestListen(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		t.Run(sig.String(), func(t *testing.T) {
			server, addr := startServer(t)
			c := progtest.Dial(t, addr)
			roundTrip(t, c, []byte("hello"))
			roundTrip(t, c, progtest.Random(1<<20))
			server.Stop(t, sig)
			if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
				t.Errorf("after the server's end: Read = %d, %v", n, err)
			}
		})
	}
}

func TestInterruptClosesAll(t *testing.T) {
	testkit.NoLeaks(t)
	addr, interrupt := serveHere(t, func(*socket.Socket) {})
	roundTrip(t, progtest.Dial(t, addr), []byte("hello"))
	progtest.SendUntilStuck(t, progtest.Dial(t, addr))
	interrupt()
}

func TestHalfClose(t *testing.T) {
	server, addr := startServer(t)
	for _, size := range []int{0, 1, maxUnsent, 3 << 20} {
		c := progtest.Dial(t, addr)
		data := progtest.Random(size)
		sent := progtest.Send(c, data, c.CloseWrite)
		back, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(back, data) {
			t.Errorf("of %d bytes, %d came back: %v", size, len(back), err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	server.Stop(t, os.Interrupt)
}

// The end of what clients send comes when the server still has to write most of it back.
func TestHalfCloseBeforeReading(t *testing.T) {
	const size = 16 << 10
	addr, interrupt := serveHere(t, func(listener *socket.Socket) { // whose connections inherit this
		testkit.Check(t, listener.Setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size))
		testkit.Check(t, listener.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size))
	})
	defer interrupt()
	smallBuffers := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			s, err := socket.FromFd(int(fd))
			testkit.Check(t, err)
			testkit.Check(t, s.Setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size))
			testkit.Check(t, s.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size))
			testkit.Check(t, s.Close())
		})
	}
	data := progtest.Random(maxUnsent - 1) // the server never stops reading
	var conns [10]*net.TCPConn
	for i := range conns {
		c, err := (&net.Dialer{Control: smallBuffers}).Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(testkit.Patience))
		conns[i] = c.(*net.TCPConn)
		if _, err := c.Write(data); err != nil {
			t.Fatal(err)
		}
		conns[i].CloseWrite()
	}
	for _, c := range conns {
		if back, err := io.ReadAll(c); err != nil || !bytes.Equal(back, data) {
			t.Errorf("of %d bytes, %d came back: %v", len(data), len(back), err)
		}
	}
}

// More connections are reset than the server has descriptors, and another one lives through it all.
func TestReset(t *testing.T) {
	server, addr := startServerWith(t, fewFds)
	progtest.Resets(t, server, addr, func(c *net.TCPConn, data []byte) { roundTrip(t, c, data) })
}

func TestGreedyClients(t *testing.T) {
	server, addr := startServer(t)
	other := progtest.Dial(t, addr)
	var greedy [3]*net.TCPConn
	var sent [len(greedy)][]byte
	for i := range greedy {
		greedy[i] = progtest.Dial(t, addr)
		sent[i] = progtest.SendUntilStuck(t, greedy[i])
		roundTrip(t, other, progtest.Random(1<<20))
	}
	for i, c := range greedy {
		c.CloseWrite()
		if back, err := io.ReadAll(c); err != nil || !bytes.Equal(back, sent[i]) {
			t.Errorf("of %d bytes, %d came back: %v", len(sent[i]), len(back), err)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	const clients = 200
	testkit.NeedFds(t, clients+50)
	server, addr := startServer(t)
	var conns [clients]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
	}
	for i, c := range conns {
		fmt.Fprintf(c, "I am client %d\n", i)
	}
	for i, c := range conns {
		back, err := bufio.NewReader(c).ReadString('\n')
		if want := fmt.Sprintf("I am client %d\n", i); back != want || err != nil {
			t.Errorf("%q came back, want %q: %v", back, want, err)
		}
	}
	server.Stop(t, os.Interrupt)
}

// More clients than the server has descriptors wait until others are gone.
func TestOutOfDescriptors(t *testing.T) {
	testkit.NotOn(t, "windows", "limit of open descriptors")
	begin := time.Now()
	server, addr := startServerWith(t, fewFds)
	var conns [30]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
	}
	const complaint = "too many open files; next try in 1s\n"
	if line, err := server.Stderr.ReadString('\n'); !strings.HasSuffix(line, complaint) {
		t.Fatalf("the server complains %q, want %q: %v", line, complaint, err)
	}
	for _, c := range conns {
		roundTrip(t, c, []byte("hello"))
		c.Close()
	}
	server.Signal(t, os.Interrupt)
	status, _, stderr := server.End(t)
	complaints := 1 + strings.Count(stderr, complaint)
	if most := 1 + int(time.Since(begin)/program.AcceptDelay); status != 0 || complaints > most {
		t.Errorf("status %d, %d complaints, want at most %d, stderr %q", status, complaints, most, stderr)
	}
}

func TestConnect(t *testing.T) {
	server, addr := startServer(t)
	for _, n := range []string{"1", "5", "30"} {
		client := progtest.Start(t, "-connect", addr, "-connections", n)
		status, stdout, stderr := client.End(t)
		if status != 0 || stderr != "" || !strings.HasSuffix(stdout, "\nall "+n+" connections are done\n") {
			t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
	}
	server.Stop(t, os.Interrupt)
}

// Many a server in a tutorial ends with its first client.
func TestConnectOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Check(t, err)
	client := progtest.Start(t, "-connect", listener.Addr().String(), "-connections", "1")
	c, err := listener.Accept()
	testkit.Check(t, err)
	testkit.Check(t, listener.Close())
	if _, err := io.Copy(c, c); err != nil {
		t.Error(err)
	}
	c.Close()
	if status, stdout, stderr := client.End(t); status != 0 || !strings.HasSuffix(stdout, "\nall 1 connections are done\n") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

func TestConnectFails(t *testing.T) {
	const conn = `connection \d: 127\.0\.0\.1:\d+: `
	gone := fmt.Sprintf("(%v|%v|%v)", socket.ErrConnectionReset, socket.ErrConnectionAborted, socket.ErrBrokenPipe)
	for _, test := range []struct {
		name, stderr string
		serve        func(client *progtest.Program, c net.Conn)
	}{
		{"closed", conn + `closed by the server when 5 bytes had come back: unexpected EOF`, func(_ *progtest.Program, c net.Conn) {
			io.CopyN(c, c, 5)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		}},
		{"reset", conn + gone, func(_ *progtest.Program, c net.Conn) {
			io.CopyN(io.Discard, c, 1)
			c.(*net.TCPConn).SetLinger(0)
		}},
		{"changed", conn + `what comes back after 0 bytes is not what was sent`, func(_ *progtest.Program, c net.Conn) {
			io.WriteString(c, "something else")
			io.Copy(io.Discard, c)
		}},
		{"silent", `the server has been silent for 300ms: i/o timeout`, func(_ *progtest.Program, c net.Conn) {
			io.Copy(io.Discard, c)
		}},
		{"interrupted", `interrupt signal received`, func(client *progtest.Program, c net.Conn) {
			io.CopyN(io.Discard, c, 1)
			client.Signal(t, os.Interrupt)
			io.Copy(io.Discard, c)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "reset" {
				testkit.NotOnWine(t, "a reset looks like the end")
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			timeout := map[bool]string{true: "300ms", false: "30s"}[test.name == "silent"]
			client := progtest.Start(t, "-connect", listener.Addr().String(), "-timeout", timeout)
			c, err := listener.Accept() // the others wait in vain
			if err != nil {
				t.Fatal(err)
			}
			test.serve(client, c)
			c.Close()
			status, _, stderr := client.End(t)
			if want := regexp.MustCompile("^echo: " + test.stderr + "\n$"); status != 1 || !want.MatchString(stderr) {
				t.Errorf("status %d, stderr %q, want 1 and %v", status, stderr, want)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args, stderr string
		status       int
	}{
		{"-h", "usage: ", 0},
		{"-listen 127.0.0.1:0 -connect 127.0.0.1:1", "echo: -listen and -connect exclude each other\nusage: ", 2},
		{"-listen 127.0.0.1:0 more", "echo: unexpected argument \"more\"\nusage: ", 2},
		{"more", "echo: unexpected argument \"more\"\nusage: ", 2},
		{"-connections 0", "echo: -connections is 0, want 1 or more\nusage: ", 2},
		{"-timeout 0s", "echo: -timeout is 0s, want more than 0\nusage: ", 2},
		{"-connect", "flag needs an argument: -connect\nusage: ", 2},
		{"-bind 127.0.0.1:0", "flag provided but not defined: -bind\nusage: ", 2},
	} {
		p := progtest.Start(t, strings.Fields(test.args)...)
		status, stdout, stderr := p.End(t)
		if status != test.status || stdout != "" || !strings.HasPrefix(stderr, test.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.args, status, stdout, stderr)
		}
	}
}

func TestPython(t *testing.T) {
	const script = `
import socket, sys, threading
data = bytes(range(256)) * 4096
with socket.create_connection((sys.argv[1], sys.argv[2])) as s:
    def send():
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    threading.Thread(target=send).start()
    back = b"".join(iter(lambda: s.recv(65536), b""))
print(back == data)
`
	server, addr := startServer(t)
	host, port, _ := net.SplitHostPort(addr)
	python := progtest.Run(t, "python3", "-c", script, host, port)
	if status, stdout, stderr := python.End(t); status != 0 || stdout != "True\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	server.Stop(t, os.Interrupt)
}

func TestVerbose(t *testing.T) {
	server, addr := startServer(t, "-v")
	progtest.Verbose(t, server, addr, "echo", func(c *net.TCPConn) { roundTrip(t, c, []byte("hello")) },
		"connected", "received 5 bytes", "sent 5 bytes", "closed")
}

func TestNetcat(t *testing.T) {
	server, addr := startServer(t)
	host, port, _ := net.SplitHostPort(addr)
	nc := progtest.Run(t, "nc", host, port)
	for _, line := range []string{"hello\n", "world\n"} {
		io.WriteString(nc.Stdin, line)
		if back, err := nc.Stdout.ReadString('\n'); back != line || err != nil {
			t.Errorf("%q came back, want %q: %v", back, line, err)
		}
	}
	server.Stop(t, os.Interrupt)
}
