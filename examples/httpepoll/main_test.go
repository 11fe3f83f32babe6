//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

const (
	hello   = "Hello, world!"
	request = "GET / HTTP/1.0\r\nHost: test\r\n\r\n"
)

// receive checks that a client gets a response with this status, and then the end.
func receive(t *testing.T, c net.Conn, status int) {
	t.Helper()
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[int]string{200: hello, 431: ""}[status]; response.StatusCode != status || string(body) != want {
		t.Errorf("the response is %q with %q, want %d with %q", response.Status, body, status, want)
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("instead of the end came %.100q, %v", rest, err)
	}
}

func send(t *testing.T, c net.Conn, data string) {
	t.Helper()
	if _, err := io.WriteString(c, data); err != nil {
		t.Fatal(err)
	}
}

// talk sends a request, and checks the response.
func talk(t *testing.T, c *net.TCPConn) {
	t.Helper()
	send(t, c, request)
	receive(t, c, 200)
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

func TestHTTP(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		server, addr := progtest.Serve(t)
		idle := progtest.Dial(t, addr)
		client := http.Client{Timeout: testkit.Patience}
		for _, body := range []string{"", "a form", strings.Repeat("a file", 100000)} {
			response, err := client.Post("http://"+addr+"/path", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			back, err := io.ReadAll(response.Body)
			response.Body.Close()
			kind := response.Header.Get("Content-Type")
			if err != nil || response.StatusCode != 200 || kind != "text/plain" || string(back) != hello {
				t.Errorf("the response is %v %q of type %q, %v", response.Status, back, kind, err)
			}
		}
		server.Stop(t, sig)
		if n, err := idle.Read(make([]byte, 1)); n > 0 || err == nil {
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
	send(t, progtest.Dial(t, addr.String()), "GET")
	talk(t, progtest.Dial(t, addr.String()))
	interrupt()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Requests come in any pieces, with either end of lines.
func TestPieces(t *testing.T) {
	server, addr := progtest.Serve(t)
	for _, request := range []string{request, strings.ReplaceAll(request, "\r", "")} {
		c := progtest.Dial(t, addr)
		c.SetNoDelay(true)
		for _, b := range []byte(request) {
			send(t, c, string(b))
			talk(t, progtest.Dial(t, addr)) // until the server has had time to read that
		}
		receive(t, c, 200)
	}
	server.Stop(t, os.Interrupt)
}

// largeRequest returns a request of this many bytes.
func largeRequest(size int) string {
	const begin, end = "GET / HTTP/1.0\r\nCookie: ", "\r\n\r\n"
	return begin + strings.Repeat("x", size-len(begin)-len(end)) + end
}

func TestLargeRequest(t *testing.T) {
	server, addr := progtest.Serve(t)
	garbage := strings.ReplaceAll(string(progtest.Random(1<<20)), "\n", "")
	for _, test := range []struct {
		request string
		status  int
	}{
		{largeRequest(maxRequest), 200},
		{largeRequest(maxRequest) + garbage, 200},
		{largeRequest(maxRequest + 1), 431},
		{largeRequest(1 << 20), 431},
		{garbage, 431},
	} {
		c := progtest.Dial(t, addr)
		sent := progtest.Send(c, []byte(test.request), c.CloseWrite)
		receive(t, c, test.status)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestHalfClose(t *testing.T) {
	server, addr := progtest.Serve(t)
	for i := range request {
		c := progtest.Dial(t, addr)
		send(t, c, request[:i])
		c.CloseWrite()
		if back, err := io.ReadAll(c); len(back) > 0 || err != nil {
			t.Errorf("to %q, the response is %q, %v", request[:i], back, err)
		}
	}
	c := progtest.Dial(t, addr)
	send(t, c, request)
	c.CloseWrite()
	receive(t, c, 200)
	server.Stop(t, os.Interrupt)
}

// Those who do not close the connection keep it for a while only, also when they go on sending.
func TestClientsThatDoNotClose(t *testing.T) {
	server, addr := progtest.Serve(t)
	testkit.Duration(t, program.LingerTime, func() {
		c := progtest.Dial(t, addr)
		send(t, c, request)
		receive(t, c, 200)
		closed(t, c)
	})
	talk(t, progtest.Dial(t, addr))
	server.Stop(t, os.Interrupt)
}

// Who sends without end does not keep the server busy for long.
func TestFlood(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := progtest.Dial(t, addr)
	send(t, c, request)
	receive(t, c, 200)
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

// More connections are reset than the server has descriptors, and another one lives through it all.
func TestReset(t *testing.T) {
	const fds = 20
	server := progtest.StartWith(t, fds, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	other := progtest.Dial(t, addr)
	send(t, other, request[:10])
	for range 2 * fds {
		for _, sent := range []string{"", request[:10], request} {
			c := progtest.Dial(t, addr)
			send(t, c, sent)
			progtest.Reset(c)
		}
		talk(t, progtest.Dial(t, addr))
	}
	send(t, other, request[10:])
	receive(t, other, 200)
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	server, addr := progtest.Serve(t)
	clients := progtest.DialMany(t, addr, 1000, func(c *net.TCPConn) { talk(t, c) })
	for _, c := range clients {
		send(t, c, request)
	}
	for _, c := range clients {
		receive(t, c, 200)
	}
	server.Stop(t, os.Interrupt)
}

func TestOutOfDescriptors(t *testing.T) {
	progtest.OutOfDescriptors(t, program.AcceptDelay, func(c *net.TCPConn) { talk(t, c) })
}

func TestHead(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := progtest.Dial(t, addr)
	send(t, c, "HEAD / HTTP/1.0\r\n\r\n")
	if response, err := io.ReadAll(c); string(response) != head || err != nil {
		t.Errorf("the response is %q, %v, want %q", response, err, head)
	}
	server.Stop(t, os.Interrupt)
}

// A connection that cannot be watched any more ends.
func TestModifyFails(t *testing.T) {
	server, err := socket.CreateServer("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	addr, err := server.Getsockname()
	if err != nil {
		t.Fatal(err)
	}
	c := progtest.Dial(t, addr.String())
	send(t, c, request)
	var logged strings.Builder
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, c)
		interrupt()
		ended <- err
	}()
	testkit.Fault{Call: unix.SYS_EPOLL_CTL, Args: testkit.Args{1: unix.EPOLL_CTL_MOD}, Errno: unix.ENOMEM}.Run(t, func() {
		if err := serve(ctx, server); err != nil {
			t.Error(err)
		}
	})
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if want := fmt.Sprintf("%v: cannot allocate memory\n", c.LocalAddr()); !strings.HasSuffix(logged.String(), want) {
		t.Errorf("logged is %q, want %q", logged.String(), want)
	}
}

// With -v, the server tells who comes, what is asked for and answered, and who goes, and why.
func TestVerbose(t *testing.T) {
	server, addr := progtest.Serve(t, "-v")
	var c *net.TCPConn
	expect := func(line string) {
		t.Helper()
		want := fmt.Sprintf("httpepoll: %v: %s\n", c.LocalAddr(), line)
		if got, err := server.Stderr.ReadString('\n'); got != want || err != nil {
			t.Fatalf("the server says %q, want %q: %v", got, want, err)
		}
	}
	for request, line := range map[string]string{
		request:                         `"GET / HTTP/1.0": HTTP/1.0 200 OK`,
		"\x1b[2J\n\n":                   `"\x1b[2J": HTTP/1.0 200 OK`,
		strings.Repeat("x", maxRequest): `"` + strings.Repeat("x", 200) + `": HTTP/1.0 431 Request Header Fields Too Large`,
	} {
		c = progtest.Dial(t, addr)
		expect("connected")
		send(t, c, request)
		expect(line)
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Error(err)
		}
		c.Close()
		expect("closed")
	}

	c = progtest.Dial(t, addr)
	expect("connected")
	progtest.Reset(c)
	expect("connection reset by peer")
	expect("closed")
	server.Stop(t, os.Interrupt)
}

func TestUsage(t *testing.T) { progtest.Usage(t, "httpepoll") }

func TestCurl(t *testing.T) {
	server, addr := progtest.Serve(t)
	curl := progtest.Run(t, "curl", "-sS", "-w", " %{http_code}", "http://"+addr)
	if status, stdout, stderr := curl.End(t); status != 0 || stdout != hello+" 200" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	server.Stop(t, os.Interrupt)
}
