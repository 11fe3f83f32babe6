//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

const secret = "not for the public"

// site returns a root with some files, and a secret beside it.
func site(t *testing.T) (root string) {
	t.Helper()
	outside := t.TempDir()
	root = filepath.Join(outside, "root")
	for name, content := range map[string]string{
		"secret":              secret,
		"root/index.html":     "<p>the index",
		"root/hello.txt":      "hello\n",
		"root/empty":          "",
		"root/style.css":      "p {}",
		"root/picture.png":    "\x89PNG",
		"root/a name?#%.txt":  "strange",
		"root/sub/index.html": "<p>the index of sub",
		"root/bare/file.bin":  "\x00\x01",
	} {
		path := filepath.Join(outside, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(content), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// start starts the server for a root.
func start(t *testing.T, root string, args ...string) (server *progtest.Program, addr string) {
	t.Helper()
	return progtest.Serve(t, append(args, "-root", root)...)
}

// big puts a file of random bytes into a root.
func big(t *testing.T, root string, size int) []byte {
	t.Helper()
	data := progtest.Random(size)
	if err := os.WriteFile(filepath.Join(root, "big"), data, 0o666); err != nil {
		t.Fatal(err)
	}
	return data
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n" }

func send(t *testing.T, c net.Conn, request string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
}

// receive reads the response to a request with this method.
func receive(t *testing.T, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	response, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// served checks that the server has time for a client.
func served(t *testing.T, c net.Conn) {
	t.Helper()
	send(t, c, get("/hello.txt"))
	if _, body := receive(t, bufio.NewReader(c), "GET"); body != "hello\n" {
		t.Fatalf("the body is %q", body)
	}
}

// closed checks that nothing more comes from the server.
func closed(t *testing.T, r io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("instead of the end came %.100q, %v", rest, err)
	}
}

func TestFiles(t *testing.T) {
	server, addr := start(t, site(t))
	client := &http.Client{
		Transport:     &http.Transport{MaxConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       testkit.Patience,
	}
	defer client.CloseIdleConnections()
	const html, page = "text/html; charset=utf-8", "page of the status"
	for _, test := range []struct {
		path, kind, body string
		status           int
	}{
		{"/", html, "<p>the index", 200},
		{"/index.html?query", html, "<p>the index", 200},
		{"/hello.txt", "text/plain; charset=utf-8", "hello\n", 200},
		{"/empty", "application/octet-stream", "", 200},
		{"/style.css", "text/css; charset=utf-8", "p {}", 200},
		{"/picture.png", "image/png", "\x89PNG", 200},
		{"/a%20name%3f%23%25.txt", "text/plain; charset=utf-8", "strange", 200},
		{"/sub/", html, "<p>the index of sub", 200},
		{"/sub%2Findex.html", html, "<p>the index of sub", 200},
		{"/sub?query", html, page, 301},
		{"/bare/", html, page, 404},
		{"/missing", html, page, 404},
		{"/missing/", html, page, 404},
		{"/hello.txt/", html, page, 404},
		{"/hello.txt/more", html, page, 404},
		{"/" + strings.Repeat("x", 1000), html, page, 404},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			request, err := http.NewRequest(method, "http://"+addr+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatalf("%s %s: %v", method, test.path, err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != test.status || response.Header.Get("Content-Type") != test.kind {
				t.Errorf("%s %s: %s, %v, %v", method, test.path, response.Status, response.Header, err)
			}
			want := test.body
			if want == page {
				want = fmt.Sprintf("<!DOCTYPE html>\n<title>%[1]s</title>\n<h1>%[1]s</h1>\n", response.Status)
			}
			if response.ContentLength != int64(len(want)) {
				t.Errorf("%s %s: the length is %d, want %d", method, test.path, response.ContentLength, len(want))
			}
			if method == "HEAD" {
				want = ""
			}
			if string(body) != want {
				t.Errorf("%s %s: the body is %q, want %q", method, test.path, body, want)
			}
			if test.status == 301 && response.Header.Get("Location") != "/sub/?query" {
				t.Errorf("redirected to %q", response.Header.Get("Location"))
			}
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestIfModifiedSince(t *testing.T) {
	server, addr := start(t, site(t))
	c := progtest.Dial(t, addr)
	r := bufio.NewReader(c)
	send(t, c, get("/hello.txt"))
	response, _ := receive(t, r, "GET")
	modified, err := http.ParseTime(response.Header.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	for since, status := range map[time.Time]int{modified: 304, modified.Add(time.Hour): 304, modified.Add(-time.Second): 200} {
		send(t, c, fmt.Sprintf("GET /hello.txt HTTP/1.1\r\nHost: test\r\nIf-Modified-Since: %s\r\n\r\n", since.Format(http.TimeFormat)))
		if response, _ := receive(t, r, "GET"); response.StatusCode != status {
			t.Errorf("if modified since %v, where it is %v: %s", since, modified, response.Status)
		}
	}
	server.Stop(t, os.Interrupt)
}

// There is no way out of the root, and nothing that is no file makes the server wait.
func TestRoot(t *testing.T) {
	root := site(t)
	outside := filepath.Dir(root)
	err := errors.Join(
		os.Symlink("hello.txt", filepath.Join(root, "inside")),
		os.Symlink("../secret", filepath.Join(root, "out")),
		os.Symlink("..", filepath.Join(root, "up")),
		os.Symlink(outside, filepath.Join(root, "absolute")),
		os.Symlink("loop", filepath.Join(root, "loop")),
		unix.Mkfifo(filepath.Join(root, "fifo"), 0o666),
	)
	if err != nil {
		t.Fatal(err)
	}
	server, addr := start(t, root)
	c := progtest.Dial(t, addr)
	r := bufio.NewReader(c)
	for _, path := range []string{
		"/../secret", "/../../../../../../../../etc/passwd", "/sub/../../secret", "/sub/../hello.txt", "/./hello.txt",
		"/%2e%2e/secret", "/.%2E/secret", "/%2e%2e%2fsecret", "/..%2fsecret", "/%2fetc/passwd", "//etc/passwd", "/etc/passwd",
		"/" + outside + "/secret", "/..%00/secret", "/hello.txt%00", "/%00", "/..", "/.", "/..\\secret", "//hello.txt", "/hello.txt//",
		"/out", "/up/secret", "/up/root/hello.txt", "/absolute/secret", "/loop", "/fifo", "*", "http://test/../secret",
	} {
		send(t, c, get(path))
		response, body := receive(t, r, "GET")
		if response.StatusCode != 404 || strings.Contains(body, secret) {
			t.Errorf("%s: %s, %q", path, response.Status, body)
		}
	}
	for _, path := range []string{"/inside", "http://test/hello.txt"} {
		send(t, c, get(path))
		if _, body := receive(t, r, "GET"); body != "hello\n" {
			t.Errorf("%s: %q", path, body)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestRequests(t *testing.T) {
	server, addr := start(t, site(t))
	const end = "\r\nHost: test\r\n\r\n"
	for _, test := range []struct {
		request string
		status  int
		stays   bool // the connection stays open
	}{
		{"GET / HTTP/1.1" + end, 200, true},
		{"GET / HTTP/1.1\nHost: test\n\n", 200, true},
		{"\r\n\r\nGET / HTTP/1.1" + end, 200, true},
		{"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n12345", 200, true},
		{"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n12345\r\n", 200, true},
		{"GET / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\r\n", 200, true},
		{"GET / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", maxHead-100) + "\r\n\r\n", 200, true},
		{"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 405, true},
		{"OPTIONS * HTTP/1.1" + end, 405, true},
		{"DELETE /hello.txt HTTP/1.1" + end, 405, true},
		{"BREW / HTTP/1.1" + end, 501, true},
		{"get / HTTP/1.1" + end, 501, true},

		{"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", 200, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Close\r\n\r\n", 200, false},
		{"GET / HTTP/1.0\r\n\r\n", 200, false},
		{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, false},
		{"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n", 200, false},

		{"GET / HTTP/1.1\r\n\r\n", 400, false},
		{"GET /\r\n\r\n", 400, false},
		{"GET / HTTP/1\r\n\r\n", 400, false},
		{"GET  / HTTP/1.1" + end, 400, false},
		{"GET hello.txt HTTP/1.1" + end, 400, false},
		{"GET /%zz HTTP/1.1" + end, 400, false},
		{"GET /hello\x00.txt HTTP/1.1" + end, 400, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n", 400, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n", 400, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\n", 400, false},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 400, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 1048577\r\n\r\n", 413, false},
		{"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", 417, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n", 431, false},
		{strings.Repeat("x", maxDrain), 431, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 501, false},
		{"GET / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 501, false},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, false},
	} {
		t.Run(fmt.Sprintf("%.60q", test.request), func(t *testing.T) {
			c := progtest.Dial(t, addr)
			r := bufio.NewReader(c)
			sent := progtest.Send(c, []byte(test.request), func() error { return nil })
			response, _ := receive(t, r, "GET")
			if response.StatusCode != test.status || response.Close == test.stays {
				t.Errorf("%s, %v", response.Status, response.Header)
			}
			if allow := response.Header.Get("Allow"); test.status == 405 && allow != "GET, HEAD" {
				t.Errorf("allowed are %q", allow)
			}
			if test.stays {
				served(t, c)
			} else {
				closed(t, r)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
	server.Stop(t, os.Interrupt)
}

// Whatever is wrong with a HEAD, no body answers it.
func TestHead(t *testing.T) {
	server, addr := start(t, site(t))
	for request, status := range map[string]int{
		"HEAD / HTTP/1.0\r\n\r\n":        200,
		"HEAD /missing HTTP/1.0\r\n\r\n": 404,
		"HEAD / HTTP/1.1\r\n\r\n":        400,
		"\r\nHEAD /%zz HTTP/1.1\r\n\r\n": 400,
		"HEAD / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n": 200,
		"HEAD / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n": 417,
		"HEAD / HTTP/1.1\r\nHost: test\r\nContent-Length: 1048577\r\n\r\n":                   413,
		"HEAD / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n":                501,
		"HEAD / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n":   431,
		"HEAD / HTTP/2.0\r\n\r\n": 505,
	} {
		c := progtest.Dial(t, addr)
		r := bufio.NewReader(c)
		send(t, c, request)
		if response, _ := receive(t, r, "HEAD"); response.StatusCode != status {
			t.Errorf("%.60q: %s, want %d", request, response.Status, status)
		}
		closed(t, r)
	}
	server.Stop(t, os.Interrupt)
}

// A client that never ceases to send is not listened to for long after the last response.
func TestFlood(t *testing.T) {
	server, addr := start(t, site(t), "-timeout", "0")
	c := progtest.Dial(t, addr)
	send(t, c, "BAD\n\n")
	data := make([]byte, 1<<20)
	for sent := 0; ; {
		n, err := c.Write(data)
		sent += n
		if errors.Is(err, socket.ErrConnectionReset) || errors.Is(err, socket.ErrBrokenPipe) {
			break
		}
		if err != nil || sent > 64<<20 { // more than the buffers of the sockets
			t.Fatalf("the server has taken %d bytes: %v", sent, err)
		}
	}
	server.Stop(t, os.Interrupt)
}

// Requests come all at once or in pieces, and the responses in the same order.
func TestPipeline(t *testing.T) {
	root := site(t)
	data := big(t, root, 1<<20)
	server, addr := start(t, root)
	requests := get("/hello.txt") + get("/big") + get("/missing") +
		"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody" + get("/hello.txt")
	bodies := []string{"hello\n", string(data), "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>404 Not Found</h1>\n",
		"<p>the index", "hello\n"}
	for _, size := range []int{1, 7, len(requests)} {
		c := progtest.Dial(t, addr)
		r := bufio.NewReader(c)
		for rest := requests; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			send(t, c, rest[:min(size, len(rest))])
		}
		c.CloseWrite() // the end of the requests comes before their answers
		for i, want := range bodies {
			if _, body := receive(t, r, "GET"); body != want {
				t.Errorf("in pieces of %d: the body of response %d is %.100q", size, i, body)
			}
		}
		closed(t, r)
	}

	c := progtest.Dial(t, addr)
	send(t, c, "GET / HTT")
	c.CloseWrite()
	closed(t, c)
	server.Stop(t, os.Interrupt)
}

func TestSlowReader(t *testing.T) {
	root := site(t)
	data := big(t, root, 64<<20)
	server, addr := start(t, root)
	slow := progtest.Dial(t, addr)
	send(t, slow, get("/big"))
	r := bufio.NewReader(slow)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}

	fast := progtest.Dial(t, addr)
	send(t, fast, get("/big"))
	if _, body := receive(t, bufio.NewReader(fast), "GET"); body != string(data) {
		t.Error("the other client got something else")
	}
	served(t, fast)
	if body, err := io.ReadAll(response.Body); !bytes.Equal(body, data) {
		t.Errorf("%d bytes came, want %d: %v", len(body), len(data), err)
	}
	served(t, slow)
	server.Stop(t, os.Interrupt)
}

// Clients that are always ready do not keep others waiting.
func TestFastReaders(t *testing.T) {
	root := site(t)
	big(t, root, 8<<20)
	server, addr := start(t, root)
	for range 3 {
		c := progtest.Dial(t, addr)
		go func() {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, get("/big"))
			}
		}()
		go io.Copy(io.Discard, c)
	}
	other := progtest.Dial(t, addr)
	for range 100 {
		served(t, other)
	}
	server.Stop(t, os.Interrupt)
}

// A turn ends although there is more to do.
func TestTurn(t *testing.T) {
	root, err := os.OpenRoot(site(t))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	client, sock, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	defer sock.Close()
	sock.Setblocking(false)
	c := &connection{Socket: sock}
	if c.fileno, err = sock.Fileno(); err != nil {
		t.Fatal(err)
	}
	s := &server{root: root, buf: make([]byte, maxRecv), connections: map[int]*connection{c.fileno: c}}
	if err := client.Sendall([]byte(strings.Repeat(get("/missing"), 100))); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	for turn := range 10 {
		s.turn(c)
		if len(s.ready) != turn+1 || s.ready[turn] != c {
			t.Fatalf("after turn %d, the connection is not at the end of the ready list", turn)
		}
		n, err := client.Recv(buf)
		if err != nil {
			t.Fatal(err)
		}
		if responses := bytes.Count(buf[:n], []byte("HTTP/1.1 404")); responses == 0 || responses > stepsPerTurn {
			t.Fatalf("turn %d has sent %d responses", turn, responses)
		}
	}
}

// The server does not read the requests of a client that does not read the responses.
func TestGreedy(t *testing.T) {
	server, addr := start(t, site(t))
	c, other := progtest.Dial(t, addr), progtest.Dial(t, addr)
	request := "GET /hello.txt HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", 2000) + "\r\n\r\n"
	requests := strings.Repeat(request, 100)
	sent := 0
	for {
		c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := io.WriteString(c, requests)
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || sent > 64<<20 {
			t.Fatalf("the server has taken %d bytes: %v", sent, err)
		}
		served(t, other)
	}
	served(t, other)
	c.CloseWrite()
	responses, err := io.ReadAll(c)
	n, want := bytes.Count(responses, []byte("\r\n\r\nhello\n")), sent/len(request)
	if n != want || err != nil {
		t.Errorf("%d responses came, want %d: %v", n, want, err)
	}
	server.Stop(t, os.Interrupt)
}

func TestTruncated(t *testing.T) {
	root := site(t)
	size := len(big(t, root, 64<<20))
	server, addr := start(t, root)
	c := progtest.Dial(t, addr)
	send(t, c, get("/big"))
	r := bufio.NewReader(c)
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(root, "big"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); n >= int64(size) || err != nil {
		t.Errorf("%d of %d bytes came: %v", n, size, err)
	}
	server.Stop(t, os.Interrupt)
}

// More connections are reset than the server can have, at every stage, and another one lives through it all.
func TestReset(t *testing.T) {
	root := site(t)
	big(t, root, 8<<20)
	server := progtest.StartWith(t, fewFds, "-root", root, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	other := progtest.Dial(t, addr)
	for i := range 60 {
		c := progtest.Dial(t, addr)
		switch i % 4 {
		case 1:
			send(t, c, "GET /he")
		case 2:
			send(t, c, get("/big"))
			io.CopyN(io.Discard, c, 1)
		case 3:
			served(t, c)
		}
		progtest.Reset(c)
		served(t, other)
	}
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	const clients, fds = 1000, 2100
	testkit.NeedFds(t, fds)
	root := site(t)
	data := big(t, root, 64<<10)
	server := progtest.StartWith(t, fds, "-root", root, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	var conns [clients]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
	}
	for range 2 {
		for i, c := range conns {
			send(t, c, get([]string{"/hello.txt", "/big"}[i%2]))
		}
		for i, c := range conns {
			want := []string{"hello\n", string(data)}[i%2]
			if _, body := receive(t, bufio.NewReader(c), "GET"); body != want {
				t.Errorf("client %d got %d bytes, want %d", i, len(body), len(want))
			}
		}
	}
	server.Stop(t, os.Interrupt)
}

const fewFds = ownDescriptors + 2*5

// More clients than the server can have wait until others are gone. All of those that it has can get files.
func TestMoreClientsThanDescriptors(t *testing.T) {
	root := site(t)
	big(t, root, 8<<20)
	server := progtest.StartWith(t, fewFds, "-root", root, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	var conns [15]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
		send(t, conns[i], get("/big"))
	}
	for _, c := range conns {
		if response, _ := receive(t, bufio.NewReader(c), "GET"); response.StatusCode != 200 {
			t.Error(response.Status)
		}
		c.Close()
	}
	server.Stop(t, os.Interrupt)
}

// A server that may open no more descriptors says so once in a while, and goes on.
func TestOutOfDescriptors(t *testing.T) {
	begin := time.Now()
	server, addr := start(t, site(t))
	c := progtest.Dial(t, addr)
	served(t, c)
	server.Limit(t, 5)
	send(t, c, get("/hello.txt"))
	if response, _ := receive(t, bufio.NewReader(c), "GET"); response.StatusCode != 503 {
		t.Error(response.Status)
	}
	waits := progtest.Dial(t, addr)
	const openFails, acceptFails = "openat hello.txt: too many open files\n", "too many open files; next try in 1s\n"
	for _, want := range []string{openFails, acceptFails, acceptFails} {
		if line, err := server.Stderr.ReadString('\n'); !strings.HasSuffix(line, want) {
			t.Fatalf("the server complains %q, want %q: %v", line, want, err)
		}
	}
	server.Limit(t, 1000)
	served(t, waits)
	served(t, c)
	server.Signal(t, os.Interrupt)
	status, _, stderr := server.End(t)
	complaints := 2 + strings.Count(stderr, acceptFails)
	if most := 1 + int(time.Since(begin)/tick); status != 0 || complaints > most {
		t.Errorf("status %d, %d complaints, want at most %d, stderr %q", status, complaints, most, stderr)
	}
}

func TestIdle(t *testing.T) {
	root := site(t)
	big(t, root, 64<<20)
	const timeout = 500 * time.Millisecond
	server, addr := start(t, root, "-timeout", timeout.String())
	begin := time.Now()
	conns := make(map[string]*net.TCPConn)
	for _, request := range []string{"", get("/hello.txt"), "GET / HTT", "BAD\n\n", get("/big")} {
		conns[request] = progtest.Dial(t, addr)
		send(t, conns[request], request)
	}
	for request, c := range conns {
		if request == get("/big") { // is not read, so that this does not show when the server has closed it
			continue
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("%q: %v", request, err)
		}
		if d := time.Since(begin); d < timeout && request != "BAD\n\n" {
			t.Errorf("%q: the end came after %v", request, d)
		}
	}
	for _, request := range []string{"BAD\n\n", get("/big")} {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(conns[request], "more")
		}
		if d := time.Since(begin); d < timeout {
			t.Errorf("%q: the end came after %v", request, d)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestNoTimeout(t *testing.T) {
	server, addr := start(t, site(t), "-timeout", "0")
	c := progtest.Dial(t, addr)
	served(t, c)
	time.Sleep(tick) // until the server looks for connections that are idle, at the latest after the next request
	served(t, c)
	served(t, c)
	server.Stop(t, os.Interrupt)
}

func TestInterrupt(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		root := site(t)
		big(t, root, 64<<20)
		server, addr := start(t, root)
		idle, busy := progtest.Dial(t, addr), progtest.Dial(t, addr)
		served(t, idle)
		send(t, busy, get("/big"))
		io.CopyN(io.Discard, busy, 1)
		if out := server.Stop(t, sig); out != "" {
			t.Errorf("the output goes on with %q", out)
		}
		closed(t, idle)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args, stderr string
		status       int
	}{
		{"more", "static: unexpected argument \"more\"\nusage: ", 2},
		{"-bind 127.0.0.1:0", "flag provided but not defined: -bind\nusage: ", 2},
		{"-listen nowhere", "static: socket.create_server: ", 1},
		{"-listen 127.0.0.1:0 -root /nowhere", "static: open /nowhere: no such file or directory\n", 1},
	} {
		p := progtest.Start(t, strings.Fields(test.args)...)
		status, stdout, stderr := p.End(t)
		if status != test.status || stdout != "" || !strings.HasPrefix(stderr, test.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.args, status, stdout, stderr)
		}
	}
}

func TestCurl(t *testing.T) {
	root := site(t)
	data := big(t, root, 3<<20)
	server, addr := start(t, root)
	base := "http://" + addr
	curl := progtest.Run(t, "curl", "--silent", "--show-error", "--location", "--path-as-is",
		base+"/hello.txt", base+"/sub", base+"/../secret", base+"/big")
	want := "hello\n<p>the index of sub" +
		"<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>404 Not Found</h1>\n" + string(data)
	if status, stdout, stderr := curl.End(t); status != 0 || stderr != "" || stdout != want {
		t.Errorf("status %d, stdout %.200q, stderr %q", status, stdout, stderr)
	}
	server.Stop(t, os.Interrupt)
}
