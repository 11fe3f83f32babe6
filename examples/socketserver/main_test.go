//go:build unix || windows

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

const (
	greeting = "Welcome. Send 0 for an operator, exit to leave.\n"
	operator = "This call may be recorded.\n"
	again    = "Please try again.\n"
)

// bothModes runs a test of a server in both modes.
func bothModes(t *testing.T, test func(t *testing.T, server *progtest.Program, addr string), args ...string) {
	for _, mode := range []string{"threading", "forking"} {
		t.Run(mode, func(t *testing.T) {
			server, addr := progtest.Serve(t, append(args, "-mode", mode)...)
			test(t, server, addr)
		})
	}
}

// dial returns a client that has been greeted.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c := progtest.Dial(t, addr)
	progtest.Exchange(t, c, nil, []byte(greeting))
	return c
}

func ask(t *testing.T, c net.Conn, request, answer string) {
	t.Helper()
	progtest.Exchange(t, c, []byte(request), []byte(answer))
}

// leave ends a connection with exit.
func leave(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("exit\n")); err != nil {
		t.Error(err)
	}
	wantRest(t, c, "")
}

func wantRest(t *testing.T, c net.Conn, want string) {
	t.Helper()
	if rest, err := io.ReadAll(c); err != nil || string(rest) != want {
		t.Errorf("until the end came %.100q, want %.100q: %v", rest, want, err)
	}
}

// cutOff checks that a connection has ended. Windows resets those of a process that is killed.
func cutOff(t *testing.T, c net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(c)
	if len(rest) > 0 || err != nil && !(runtime.GOOS == "windows" && errors.Is(err, socket.ErrConnectionReset)) {
		t.Errorf("instead of the end came %.100q, %v", rest, err)
	}
}

func TestService(t *testing.T) {
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		a, b := dial(t, addr), dial(t, addr)
		ask(t, a, "0\n", operator)
		ask(t, b, "hello\n", again)
		ask(t, a, "\n10\n0\r\n", again+operator)
		ask(t, b, "0", operator)
		leave(t, a)
		ask(t, b, "0\n", operator)
		leave(t, b)
		server.Stop(t, os.Interrupt)
	})
}

// The client of the tutorials sends no newline.
func TestPython(t *testing.T) {
	const script = `
import socket, sys
sk = socket.socket()
sk.connect((sys.argv[1], int(sys.argv[2])))
for inp in [b"0", b"hello", b"exit"]:
    print(sk.recv(1024).decode(), end="")
    sk.sendall(inp)
print(sk.recv(1024))
sk.close()
`
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		host, port, _ := net.SplitHostPort(addr)
		python := progtest.Run(t, "python3", "-c", script, host, port)
		if status, stdout, stderr := python.End(t); status != 0 || stdout != greeting+operator+again+"b''\n" {
			t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
		server.Stop(t, os.Interrupt)
	})
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	l.Close()
	for _, mode := range []string{"threading", "forking"} {
		server := progtest.Start(t, "-listen", "[::1]:0", "-mode", mode)
		leave(t, dial(t, server.Line(t)))
		server.Stop(t, os.Interrupt)
	}
}

func TestInterrupt(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		t.Run(sig.String(), func(t *testing.T) {
			bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
				c, other := dial(t, addr), dial(t, addr)
				ask(t, c, "0\n", operator)
				server.Stop(t, sig)
				cutOff(t, c)
				cutOff(t, other)
			})
		})
	}
}

// interrupt interrupts a server and waits until it has closed its listener, which no child has inherited.
func interrupt(t *testing.T, server *progtest.Program, addr string) {
	t.Helper()
	server.Signal(t, os.Interrupt)
	testkit.Eventually(t, "the end of the listener", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return errors.Is(err, socket.ErrConnectionRefused)
		}
		progtest.Reset(c.(*net.TCPConn))
		return false
	})
}

// Without its listener the server serves the clients that it has, and then ends.
func TestBlockOnClose(t *testing.T) {
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		a, b := dial(t, addr), dial(t, addr)
		interrupt(t, server, addr)
		ask(t, a, "0\n", operator)
		leave(t, a)
		ask(t, b, "0\n", operator)
		leave(t, b)
		if status, _, stderr := server.End(t); status != 0 || stderr != "" {
			t.Errorf("status %d, stderr %q", status, stderr)
		}
	}, "-block-on-close")
}

func TestSecondInterrupt(t *testing.T) {
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		a, b := dial(t, addr), dial(t, addr)
		interrupt(t, server, addr)
		ask(t, a, "0\n", operator)
		server.Stop(t, os.Interrupt)
		cutOff(t, a)
		cutOff(t, b)
	}, "-block-on-close")
}

func TestHalfClose(t *testing.T) {
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		for request, answer := range map[string]string{"": "", "0\nhello\n": operator + again, "hello\n0": again + operator} {
			c := dial(t, addr)
			progtest.Send(c, []byte(request), c.CloseWrite)
			wantRest(t, c, answer)
		}
		server.Stop(t, os.Interrupt)
	})
}

// How many requests the garbage is depends on how it arrives.
func TestGarbage(t *testing.T) {
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		for _, garbage := range [][]byte{progtest.Random(1 << 20), make([]byte, 1<<20)} {
			c := dial(t, addr)
			progtest.Send(c, garbage, c.CloseWrite)
			answers, err := io.ReadAll(c)
			rest := strings.NewReplacer(operator, "", again, "").Replace(string(answers))
			if err != nil || len(answers) == 0 || rest != "" {
				t.Errorf("%d bytes are the answers, with %.100q among them: %v", len(answers), rest, err)
			}
		}
		leave(t, dial(t, addr))
		server.Stop(t, os.Interrupt)
	})
}

// The answers to so many requests are more than the buffers of the sockets hold.
const tooMany = 300_000

// sendTooMany returns a client that sends requests without reading the answers.
func sendTooMany(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c := dial(t, addr)
	c.SetReadBuffer(16 << 10)
	progtest.Send(c, bytes.Repeat([]byte("1\n"), tooMany), c.CloseWrite)
	return c
}

func TestNeverReads(t *testing.T) {
	testkit.NotOnWine(t, "so many answers take too long")
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		other := dial(t, addr)
		c := sendTooMany(t, addr)
		for range 10 {
			ask(t, other, "0\n", operator)
		}
		leave(t, dial(t, addr))
		c.SetReadBuffer(1 << 20)
		wantRest(t, c, strings.Repeat(again, tooMany))
		sendTooMany(t, addr)
		ask(t, other, "0\n", operator)
		server.Stop(t, os.Interrupt)
	})
}

func TestReset(t *testing.T) {
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		other := dial(t, addr)
		for i := range 10 {
			progtest.Reset(progtest.Dial(t, addr))
			c := dial(t, addr)
			ask(t, c, "0\n", operator)
			progtest.Reset(c)
			if i == 0 {
				progtest.Reset(sendTooMany(t, addr))
			}
			ask(t, other, "0\n", operator)
		}
		server.Stop(t, os.Interrupt)
	})
}

func TestManyClients(t *testing.T) {
	const clients, fds = 1000, 3000 // a goroutine that waits for its client needs two
	testkit.NeedFds(t, fds)
	server := progtest.StartWith(t, fds, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	var conns [clients]*net.TCPConn
	for i := range conns {
		conns[i] = dial(t, addr)
	}
	for i, c := range conns {
		ask(t, c, "0\n", operator)
		if i%2 == 0 {
			leave(t, c)
		}
	}
	server.Stop(t, os.Interrupt)
}

// The clients that are too many wait until others leave.
func TestMaxChildren(t *testing.T) {
	const maxChildren = 40 // Python's default
	const clients = maxChildren + 10
	server, addr := progtest.Serve(t, "-mode", "forking")
	var conns [clients]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
	}
	for i, c := range conns {
		if i >= maxChildren {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("client %d is served while %d others are: %d, %v", i, maxChildren, n, err)
			}
			c.SetReadDeadline(time.Now().Add(testkit.Patience))
			leave(t, conns[i-maxChildren])
		}
		ask(t, c, "", greeting)
	}
	server.Stop(t, os.Interrupt) // also when it waits for the end of a child
	for _, c := range conns[clients-maxChildren:] {
		cutOff(t, c)
	}
}

// Who is greeted is served: that there is no descriptor left to wait for a client is no reason to drop it.
func TestOutOfDescriptors(t *testing.T) {
	progtest.OutOfDescriptors(t, time.Second, func(c *net.TCPConn) {
		progtest.Exchange(t, c, nil, []byte(greeting))
		ask(t, c, "0\n", operator)
		leave(t, c)
	})
}

func TestVerbose(t *testing.T) {
	bothModes(t, func(t *testing.T, server *progtest.Program, addr string) {
		c := dial(t, addr)
		leave(t, c)
		want := fmt.Sprintf("socketserver: %[1]v: connected\nsocketserver: %[1]v: closed\n", c.LocalAddr())
		server.Signal(t, os.Interrupt)
		if status, _, stderr := server.End(t); status != 0 || stderr != want {
			t.Errorf("status %d, stderr %q, want %q", status, stderr, want)
		}
	}, "-v", "-block-on-close")
}

func TestUsage(t *testing.T) {
	progtest.Usage(t, "socketserver")
	status, stdout, stderr := progtest.Start(t, "-mode", "both").End(t)
	if status != 2 || stdout != "" || !strings.HasPrefix(stderr, "socketserver: unknown mode \"both\"\nusage: ") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}
