//go:build unix || windows

// Package webtest tests the web servers among the examples.
package webtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect/examples/internal/web"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// A Server is the program under test.
type Server struct {
	Name, Scheme string
	// Client makes a connection to the server one that is like the server's.
	Client func(c Conn) Conn
}

// A Conn is a connection to a server.
type Conn interface {
	net.Conn
	CloseWrite() error
}

var insecure = &tls.Config{InsecureSkipVerify: true} // the certificate is the server's own

// HTTP is for servers without TLS.
func HTTP(c Conn) Conn { return c }

// HTTPS is for servers with TLS, whoever they are.
func HTTPS(c Conn) Conn { return tls.Client(c, insecure) }

// dial connects to the server. The connection is closed at the end of the test.
func (s Server) dial(t *testing.T, addr string) Conn {
	t.Helper()
	return s.Client(progtest.Dial(t, addr))
}

// reset ends a connection so that the server sees it break off.
func reset(c Conn) {
	if c, ok := c.(*tls.Conn); ok {
		progtest.Reset(c.NetConn().(*net.TCPConn))
		return
	}
	progtest.Reset(c.(*net.TCPConn))
}

// Test runs all tests.
func Test(t *testing.T, s Server) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"Files", s.testFiles},
		{"Conditions", s.testConditions},
		{"Root", s.testRoot},
		{"Requests", s.testRequests},
		{"Head", s.testHead},
		{"Allow", s.testAllow},
		{"Flood", s.testFlood},
		{"Pipeline", s.testPipeline},
		{"SlowReader", s.testSlowReader},
		{"FastReaders", s.testFastReaders},
		{"Greedy", s.testGreedy},
		{"Truncated", s.testTruncated},
		{"Reset", s.testReset},
		{"ManyClients", s.testManyClients},
		{"MoreClientsThanDescriptors", s.testMoreClientsThanDescriptors},
		{"Idle", s.testIdle},
		{"NoTimeout", s.testNoTimeout},
		{"Interrupt", s.testInterrupt},
		{"Verbose", s.testVerbose},
		{"Curl", s.testCurl},
	} {
		t.Run(test.name, test.run)
	}
}

const secret = "not for the public"

// strange is the name of a file.
var strange = map[bool]string{true: "a name#%.txt", false: "a name?#%.txt"}[runtime.GOOS == "windows"]

// site returns a root with some files, and a secret beside it.
func site(t *testing.T) (root string) {
	t.Helper()
	outside := testkit.TempDir(t)
	root = filepath.Join(outside, "root")
	for name, content := range map[string]string{
		"secret":              secret,
		"root/index.html":     "<p>the index",
		"root/hello.txt":      "hello\n",
		"root/empty":          "",
		"root/style.css":      "p {}",
		"root/picture.png":    "\x89PNG",
		"root/" + strange:     "strange",
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
	if option := response.Header.Get("X-Content-Type-Options"); option != "nosniff" {
		t.Errorf("%s, and the option of its type is %q", response.Status, option)
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

func (s Server) testFiles(t *testing.T) {
	server, addr := start(t, site(t))
	client := &http.Client{
		Transport:     &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: insecure},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       testkit.Patience,
	}
	defer client.CloseIdleConnections()
	const html, text, status = "text/html; charset=utf-8", "text/plain; charset=utf-8", "the status"
	for _, test := range []struct {
		path, kind, body string
		status           int
	}{
		{"/", html, "<p>the index", 200},
		{"/index.html?query", html, "<p>the index", 200},
		{"/hello.txt", text, "hello\n", 200},
		{"/empty", text, "", 200},
		{"/style.css", "text/css; charset=utf-8", "p {}", 200},
		{"/picture.png", "image/png", "\x89PNG", 200},
		{"/" + url.PathEscape(strange), text, "strange", 200},
		{"/sub/", html, "<p>the index of sub", 200},
		{"/sub%2Findex.html", html, "<p>the index of sub", 200},
		{"/sub?query", text, status, 301},
		{"/bare/", text, status, 404},
		{"/missing", text, status, 404},
		{"/missing/", text, status, 404},
		{"/hello.txt/", text, status, 404},
		{"/hello.txt/more", text, status, 404},
		{"/" + strings.Repeat("x", 1000), text, status, 404},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			request, err := http.NewRequest(method, s.Scheme+"://"+addr+test.path, nil)
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
			if want == status {
				want = response.Status + "\n"
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

// netHTTP starts a server of net/http for the same files.
func netHTTP(t *testing.T, dir string) (addr string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	files := http.FileServerFS(root.FS())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" && r.Method != "HEAD" {
			http.Error(w, "", http.StatusMethodNotAllowed)
			return
		}
		files.ServeHTTP(w, r)
	}))
	server.Config.MaxHeaderBytes = web.MaxHead
	server.Config.DisableGeneralOptionsHandler = true // OPTIONS * is for the handler too
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Parts of files, and conditions, are those of net/http.
func (s Server) testConditions(t *testing.T) {
	root := site(t)
	big(t, root, 1<<20)
	server, addr := start(t, root)
	other := netHTTP(t, root)
	info, err := os.Stat(filepath.Join(root, "big"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(later time.Duration) string { return info.ModTime().Add(later).UTC().Format(http.TimeFormat) }
	ask := func(c Conn, method, path, fields string) (*http.Response, string) {
		send(t, c, method+" "+path+" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"+fields+"\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	for _, test := range []struct {
		fields string
		status int
	}{
		{"Range: bytes=0-0", 206},
		{"Range: bytes=1000-500000", 206},
		{"Range: bytes=1048575-", 206},
		{"Range: bytes=1-99999999999", 206},
		{"Range: bytes=-1000", 206},
		{"Range: bytes=1048576-", 416},
		{"Range: bytes=5-1", 416},
		{"Range: pages=1-2", 416},
		{"Range: bytes=0-0\r\nIf-Range: " + at(0), 206},
		{"Range: bytes=0-0\r\nIf-Range: " + at(-time.Second), 200},
		{"If-Modified-Since: " + at(0), 304},
		{"If-Modified-Since: " + at(time.Hour), 304},
		{"If-Modified-Since: " + at(-time.Second), 200},
		{"If-Modified-Since: yesterday", 200},
		{"If-Unmodified-Since: " + at(0), 200},
		{"If-Unmodified-Since: " + at(-time.Second), 412},
		{"If-None-Match: *", 304},
		{`If-None-Match: "tag"`, 200},
		{"If-Match: *", 200},
		{`If-Match: "tag"`, 412},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			response, body := ask(s.dial(t, addr), method, "/big", test.fields)
			want, wantBody := ask(progtest.Dial(t, other), method, "/big", test.fields)
			for _, header := range []http.Header{response.Header, want.Header} {
				header.Del("Date")
				header.Del("X-Content-Type-Options")
				if method == "HEAD" && test.status >= 400 { // net/http does not say then how long no body is
					header.Del("Content-Length")
				}
			}
			same := maps.EqualFunc(response.Header, want.Header, slices.Equal)
			if response.StatusCode != test.status || want.StatusCode != test.status || !same {
				t.Errorf("%s with %s: %s %v, want %s %v", method, test.fields, response.Status, response.Header, want.Status, want.Header)
			}
			if body != wantBody {
				t.Errorf("%s with %s: %d bytes, want %d", method, test.fields, len(body), len(wantBody))
			}
		}
	}
	// Two parts are more than is served.
	if response, body := ask(s.dial(t, addr), "GET", "/hello.txt", "Range: bytes=0-1,3-4"); response.StatusCode != 200 || body != "hello\n" {
		t.Errorf("two parts: %s, %q", response.Status, body)
	}
	server.Stop(t, os.Interrupt)
}

// There is no way out of the root, and nothing that is no file makes the server wait.
func (s Server) testRoot(t *testing.T) {
	root := site(t)
	outside := filepath.Dir(root)
	err := errors.Join(
		os.MkdirAll(filepath.Join(root, ".git", "sub"), 0o777),
		os.MkdirAll(filepath.Join(root, "sub", "evil.com"), 0o777),
		os.WriteFile(filepath.Join(root, ".git", "config"), []byte(secret), 0o666),
		os.WriteFile(filepath.Join(root, "sub", ".htpasswd"), []byte(secret), 0o666),
		specialFiles(root),
	)
	if err != nil {
		t.Fatal(err)
	}
	server, addr := start(t, root)
	c := s.dial(t, addr)
	r := bufio.NewReader(c)
	for _, path := range []string{
		"/../secret", "/../../../../../../../../etc/passwd", "/sub/../../secret", "/sub/../hello.txt", "/./hello.txt",
		"/%2e%2e/secret", "/.%2E/secret", "/%2e%2e%2fsecret", "/..%2fsecret", "/%2fetc/passwd", "//etc/passwd", "/etc/passwd",
		"/" + outside + "/secret", "/..%00/secret", "/hello.txt%00", "/%00", "/..", "/.", "/..\\secret", "//hello.txt", "/hello.txt//",
		"/out", "/up/secret", "/up/root/hello.txt", "/absolute/secret", "/loop", "/fifo", "http://test/../secret",
		"/.git", "/.git/", "/.git/config", "/%2egit/config", "/.git/sub", "/.git%2fconfig", "/sub/.htpasswd", "/...",
		"http://test/.git/config",
		"//evil.com", "//evil.com/..", "//sub/evil.com", "/%2fevil.com", "/\\evil.com", "/sub//evil.com", "/sub/../sub",
	} {
		send(t, c, get(path))
		response, body := receive(t, r, "GET")
		if response.StatusCode != 404 || strings.Contains(body, secret) {
			t.Errorf("%s: %s, %q", path, response.Status, body)
		}
	}
	for _, target := range []string{"*", "mailto:x", "file:x", "http:hello.txt"} { // there are no paths in these
		send(t, c, get(target))
		if response, body := receive(t, r, "GET"); response.StatusCode != 400 || strings.Contains(body, secret) {
			t.Errorf("%s: %s, %q", target, response.Status, body)
		}
	}
	for path, location := range map[string]string{
		"/sub": "/sub/", "/sub/evil.com?//evil.com": "/sub/evil.com/?//evil.com", "http://evil.com/sub": "/sub/",
	} {
		send(t, c, get(path))
		if response, _ := receive(t, r, "GET"); response.StatusCode != 301 || response.Header.Get("Location") != location {
			t.Errorf("%s: %s to %q, want %q", path, response.Status, response.Header.Get("Location"), location)
		}
	}
	for _, path := range []string{"/inside", "http://test/hello.txt"} {
		if _, err := os.Lstat(filepath.Join(root, "inside")); err != nil && path == "/inside" {
			continue // no links on this system
		}
		send(t, c, get(path))
		if _, body := receive(t, r, "GET"); body != "hello\n" {
			t.Errorf("%s: %q", path, body)
		}
	}
	server.Stop(t, os.Interrupt)
}

// statuses sends a request, and another one that is good, and returns the statuses of the responses, with an "end" after one that
// says that it is the last.
func statuses(t *testing.T, c Conn, request string) (list string, err error) {
	t.Helper()
	sent := progtest.Send(c, []byte(request+get("/hello.txt")), c.CloseWrite)
	r := bufio.NewReader(c)
	for method, _, _ := strings.Cut(request, " "); err == nil; method = "GET" {
		var response *http.Response
		if response, err = http.ReadResponse(r, &http.Request{Method: method}); err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			list += fmt.Sprint(" ", response.StatusCode)
			if response.Close {
				list += " end"
			}
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // the end
	}
	return strings.TrimSpace(list), errors.Join(err, <-sent)
}

// What a server of net/http answers, and how it goes on after that, is what these servers do. Where they do not, there is a
// reason.
func (s Server) testRequests(t *testing.T) {
	root := site(t)
	server, addr := start(t, root)
	other := netHTTP(t, root)
	const next = "GET /secret HTTP/1.1\r\nHost: test\r\n\r\n" // a request, if it is not taken for the body
	lines := func(lines ...string) string { return strings.Join(append(lines, "", ""), "\r\n") }
	with := func(fields ...string) string {
		return lines(append([]string{"GET / HTTP/1.1", "Host: test"}, fields...)...)
	}
	post := func(fields ...string) string {
		return lines(append([]string{"POST / HTTP/1.1", "Host: test"}, fields...)...)
	}
	target := func(target string) string { return lines("GET "+target+" HTTP/1.1", "Host: test") }
	const (
		chunks  = "nothing after a chunked body is taken for a request"
		empty   = "RFC 9112, 2.2: empty lines before a request are to be skipped"
		noPath  = "there is no path"
		noHost  = "RFC 9112, 3.2: each request needs a Host"
		preface = "net/http lets a handler speak HTTP/2 then"
		early   = "the response does not wait for the body"
		faulty  = "RFC 9112, 6.1: Transfer-Encoding with HTTP/1.0 is faulty, and ends the connection"
	)
	for _, test := range []struct {
		request         string
		differs, reason string
	}{
		// The request line.
		{request: with()},
		{request: "GET / HTTP/1.1\nHost: test\n\n"},
		{request: "GET / HTTP/1.1\r\nHost: test\n\r\n"},
		{request: "GET / HTTP/1.1\rHost: test\r\r"},
		{request: "GET / HTTP/1.1\r\r\nHost: test\r\n\r\n"},
		{request: "\r\n\r\n" + with(), differs: "200 200", reason: empty},
		{request: "\n" + with(), differs: "200 200", reason: empty},
		{request: " " + with()},
		{request: " \r\n" + with()},
		{request: "\x00" + with()},
		{request: "\xef\xbb\xbf" + with()},
		{request: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n"},
		{request: lines("HEAD / HTTP/1.1", "Host: test")},
		{request: lines("OPTIONS * HTTP/1.1", "Host: test")},
		{request: lines("DELETE /hello.txt HTTP/1.1", "Host: test")},
		{request: lines("TRACE / HTTP/1.1", "Host: test")},
		{request: lines("BREW / HTTP/1.1", "Host: test")},
		{request: lines("get / HTTP/1.1", "Host: test")},
		{request: lines("G@T / HTTP/1.1", "Host: test")},
		{request: lines("GET\x00 / HTTP/1.1", "Host: test")},
		{request: lines("G\xc3\x8bT / HTTP/1.1", "Host: test")},
		{request: lines(" / HTTP/1.1", "Host: test")},
		{request: lines("GET  / HTTP/1.1", "Host: test")},
		{request: lines("GET\t/\tHTTP/1.1", "Host: test")},
		{request: lines("GET / HTTP/1.1 ", "Host: test")},
		{request: lines("GET / x HTTP/1.1", "Host: test")},
		{request: lines("GET /")},
		{request: lines("GET / ", "Host: test")},
		{request: lines("GET / http/1.1", "Host: test")},
		{request: lines("GET / HTTP/1", "Host: test")},
		{request: lines("GET / HTTP/1.10", "Host: test")},
		{request: lines("GET / HTTP/01.1", "Host: test")},
		{request: lines("GET / HTTP/+1.1", "Host: test")},
		{request: lines("GET / HTTP/0.9", "Host: test")},
		{request: lines("GET / HTTP/1.2", "Host: test")},
		{request: lines("GET / HTTP/2.0", "Host: test")},
		{request: lines("GET / HTTP/3.0", "Host: test")},
		{request: lines("GET / HTTPS/1.1", "Host: test")},
		{request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", differs: "505 end", reason: preface},

		// What is requested.
		{request: target("/hello.txt?query")},
		{request: target("/?")},
		{request: target("?")},
		{request: target("hello.txt")},
		{request: target("*"), differs: "400 200", reason: noPath},
		{request: target("**")},
		{request: target("mailto:x"), differs: "400 200", reason: noPath},
		{request: target("http:hello.txt"), differs: "400 200", reason: noPath},
		{request: target("test:80"), differs: "400 200", reason: noPath},
		{request: target("http://test")},
		{request: target("http://test/hello.txt")},
		{request: target("http://a b/hello.txt")},
		{request: target("http://test:port/hello.txt")},
		{request: target("http://[::1/hello.txt")},
		{request: target("ftp://test/hello.txt")},
		{request: target("://test/hello.txt")},
		{request: target("/hello.txt#fragment")},
		{request: target("/h%65llo.txt")},
		{request: target("/%zz")},
		{request: target("/%")},
		{request: target("/%e")},
		{request: target("/%00")},
		{request: target("/%ff")},
		{request: target("/\xff")},
		{request: target("/\x00")},
		{request: target("/\x7f")},
		{request: target("/hello\r.txt")},
		{request: target("/a:b")},
		{request: target("/missing")},
		{request: target("/%2fmissing")},
		{request: target("/sub%2findex.htm")},
		{request: target("/" + strings.Repeat("x", 3000))},
		{request: lines("CONNECT test:443 HTTP/1.1", "Host: test:443")},
		{request: lines("CONNECT / HTTP/1.1", "Host: test")},
		{request: lines("CONNECT test:443 HTTP/1.1"), differs: "400 end", reason: noHost},

		// Fields.
		{request: with("X: y")},
		{request: with("X:")},
		{request: with("X:y")},
		{request: with("X: \t y \t ")},
		{request: with("X: \xff")},
		{request: with("X : y")},
		{request: with("X\t: y")},
		{request: with(" X: y")},
		{request: with("X Y: z")},
		{request: with("X(Y): z")},
		{request: with("X\x00: y")},
		{request: with("\xff: y")},
		{request: with(": y")},
		{request: with("no colon")},
		{request: with("X: y\x00")},
		{request: with("X: y\x7f")},
		{request: with("X: y\rZ: z")},
		{request: with("X: y\r")},
		{request: with("X: y\nZ: z")},
		{request: with("X: y", " z")},
		{request: with("X: y", "\tz")},
		{request: with("X: y", " ")},
		{request: lines("GET / HTTP/1.1", " Host: test")},
		{request: lines("GET / HTTP/1.1", " ", "Host: test")},
		{request: with("X: " + strings.Repeat("x", web.MaxHead-100))},
		{request: with("X: " + strings.Repeat("x", 2*web.MaxHead))},
		{request: strings.Repeat("x", 2*web.MaxHead)},
		{request: with(strings.Repeat("X: y\r\n", web.MaxHead))},

		// The host.
		{request: lines("GET / HTTP/1.1")},
		{request: lines("GET / HTTP/1.1", "Host:")},
		{request: lines("GET / HTTP/1.1", "host: test")},
		{request: lines("GET / HTTP/1.1", "Host: test:80")},
		{request: lines("GET / HTTP/1.1", "Host: [::1%25lo]:80")},
		{request: lines("GET / HTTP/1.1", "Host: a_b.~!$&'()*+,;=-%41")},
		{request: lines("GET / HTTP/1.1", "Host : test")},
		{request: lines("GET / HTTP/1.1", "Host: a b")},
		{request: lines("GET / HTTP/1.1", "Host: test/")},
		{request: lines("GET / HTTP/1.1", "Host: user@test")},
		{request: lines("GET / HTTP/1.1", "Host: te\tst")},
		{request: lines("GET / HTTP/1.1", `Host: te"st`)},
		{request: lines("GET / HTTP/1.1", "Host: t\xc3\xa9st")},
		{request: lines("GET / HTTP/1.1", "Host: a", " b")},
		{request: with("Host: test")},
		{request: with("Host: other")},
		{request: with("Host:")},
		{request: lines("GET http://test/ HTTP/1.1")},
		{request: lines("GET http://test/ HTTP/1.1", "Host: a b")},
		{request: lines("GET http://test/ HTTP/1.1", "Host: other")},
		{request: lines("GET / HTTP/1.0", "Host: a b")},

		// The end of the connection.
		{request: with("Connection: close")},
		{request: with("Connection: keep-alive, Close")},
		{request: with("Connection: keep-alive", "Connection: close")},
		{request: with("Connection: closed")},
		{request: lines("GET / HTTP/1.0")},
		{request: lines("GET / HTTP/1.0", "Connection: keep-alive")},
		{request: lines("GET /missing HTTP/1.0", "Connection: keep-alive")},
		{request: lines("HEAD / HTTP/1.0", "Connection: Keep-Alive")},
		{request: lines("GET / HTTP/1.0", "Connection: keep-alive, close"), differs: "200 end", reason: "close is what the client says"},
		{request: lines("POST / HTTP/1.0", "Connection: keep-alive", "Content-Length: 5") + "12345"},
		{request: lines("POST / HTTP/1.0", "Content-Length: 5") + "12345"},

		// Bodies with a length.
		{request: with("Content-Length: 0")},
		{request: with("Content-Length: 5") + "12345"},
		{request: post("Content-Length: 5") + "12345"},
		{request: post("Content-Length: 5") + "12345\r\n"},
		{request: post("Content-Length: 100000") + strings.Repeat("x", 100000)},
		{request: post("Content-Length: 262143") + strings.Repeat("x", 262143)},
		{request: post("Content-Length: 262144") + strings.Repeat("x", 262144)},
		{request: post("Content-Length: 9223372036854775807")},
		{request: post("Content-Length: 9223372036854775808")},
		{request: post("Content-Length: 99999999999999999999")},
		{request: post("Content-Length: 9000"), differs: "405", reason: early},
		{request: post("Content-Length:")},
		{request: post(fmt.Sprint("content-length:\t", len(next), "  ")) + next},
		{request: post(fmt.Sprint("Content-Length : ", len(next))) + next},
		{request: post(fmt.Sprint(" Content-Length: ", len(next))) + next},
		{request: post("Content-Length:", fmt.Sprint(" ", len(next))) + next},
		{request: post(fmt.Sprint("Content-Length: +", len(next))) + next},
		{request: post(fmt.Sprint("Content-Length: -", len(next))) + next},
		{request: post(fmt.Sprintf("Content-Length: %#x", len(next))) + next},
		{request: post(fmt.Sprintf("Content-Length: %x", len(next))) + next},
		{request: post(fmt.Sprintf("Content-Length: 000%d", len(next))) + next},
		{request: post(fmt.Sprintf("Content-Length: %d.0", len(next))) + next},
		{request: post(fmt.Sprintf("Content-Length: %d, %[1]d", len(next))) + next},
		{request: post("Content-Length: 5 5") + "12345"},
		{request: post("Content-Length: 5", "Content-Length: 5") + "12345"},
		{request: post("Content-Length: 0", fmt.Sprint("Content-Length: ", len(next))) + next},
		{request: post(fmt.Sprint("Content-Length: ", len(next)), "Content-Length: 0") + next},
		{request: post("Content-Length: 5", "Content-Length: 05") + "12345"},
		{request: post(fmt.Sprint("Content_Length: ", len(next))) + next},

		// Chunked bodies.
		{request: with("Transfer-Encoding: chunked") + "1\r\nx\r\n0\r\n\r\n", differs: "200 end", reason: chunks},
		{request: post("Transfer-Encoding: chunked") + "0\r\n\r\n", differs: "405 end", reason: chunks},
		{request: post("Transfer-Encoding: Chunked") + "5;e=1\r\n12345\r\n0\r\nX: y\r\n\r\n", differs: "405 end", reason: chunks},
		{request: post("Transfer-Encoding: chunked", "Content-Length: 5") + "0\r\n\r\n", differs: "405 end", reason: chunks},
		{
			request: post("Transfer-Encoding: chunked", fmt.Sprint("Content-Length: ", len(next))) + "0\r\n\r\n" + next,
			differs: "405 end", reason: chunks,
		},
		{request: post("Transfer-Encoding: chunked", "Content-Length: x") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: chunked", "Trailer: Content-Length") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: chunked") + "x\r\n"},
		{request: post("Transfer-Encoding: chunked") + "-1\r\n"},
		{request: post("Transfer-Encoding: chunked") + "1\r\nxx0\r\n\r\n"},
		{request: post("Transfer-Encoding: chunked") + "fffffffffffffffff\r\n"},
		{request: post("Transfer-Encoding : chunked") + "0\r\n\r\n"},
		{request: post(" Transfer-Encoding: chunked") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding:", " chunked") + "0\r\n\r\n", differs: "405 end", reason: chunks},
		{request: post("Transfer-Encoding: \x0bchunked") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding:")},
		{request: post("Transfer-Encoding: gzip")},
		{request: post("Transfer-Encoding: identity")},
		{request: post("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: chunked, chunked") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: 'chunked'") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: chunked;q=1") + "0\r\n\r\n"},
		{request: post("Transfer-Encoding: gzip", "no colon")},
		{request: lines("garbage", "Transfer-Encoding: gzip")},
		{request: post("Transfer-Encoding: gzip", "Content-Length: x")},
		{request: lines("POST / HTTP/1.0", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
		{
			request: lines("GET / HTTP/1.0", "Transfer-Encoding: chunked", "Connection: keep-alive"),
			differs: "200 end", reason: faulty,
		},

		// Expectations.
		{request: with("Expect: 100-continue")},
		{request: with("Expect: 100-Continue", "Content-Length: 0")},
		{request: post("Expect: 100-continue", "Content-Length: 5") + "12345"},
		{request: post("Expect: 100-continue", "Content-Length: 2000000")},
		{request: post("Expect: 100-continue", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
		{request: with("Expect: a miracle")},
		{request: with("Expect:")},
		{request: with("Expect: 200-ok", "Content-Length: 5") + "12345"},
		{request: lines("GET / HTTP/1.0", "Expect: 100-continue")},
		{request: lines("GET / HTTP/1.0", "Expect: a miracle")},
	} {
		t.Run(fmt.Sprintf("%.90q", test.request), func(t *testing.T) {
			got, err := statuses(t, s.dial(t, addr), test.request)
			if err != nil {
				t.Error(err)
			}
			want, _ := statuses(t, progtest.Dial(t, other), test.request) // this server may reset the connection
			// That there can be no such file, which differs from system to system, is no error of the server.
			want = strings.Replace(want, "500", "404", 1)
			switch {
			case test.reason == "" && got != want:
				t.Errorf("the responses are %s, want %s", got, want)
			case test.reason != "" && (got != test.differs || want == got):
				t.Errorf("the responses are %s, want %s, since %s; those of net/http are %s", got, test.differs, test.reason, want)
			}
		})
	}
	server.Stop(t, os.Interrupt)
}

// Whatever is wrong with a HEAD, no body answers it.
func (s Server) testHead(t *testing.T) {
	server, addr := start(t, site(t))
	for request, status := range map[string]int{
		"HEAD / HTTP/1.0\r\n\r\n":        200,
		"HEAD /missing HTTP/1.0\r\n\r\n": 404,
		"HEAD / HTTP/1.1\r\n\r\n":        400,
		"\r\nHEAD /%zz HTTP/1.1\r\n\r\n": 400,
		"HEAD / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n":   200,
		"HEAD / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n":   200,
		"HEAD / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nExpect: more\r\n\r\n":           417,
		"HEAD / HTTP/1.1\r\nHost: test\r\nContent-Length: 1048577\r\n\r\n":                     200,
		"HEAD / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n":                  200,
		"HEAD / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\n":                     501,
		"HEAD / HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", web.MaxHead) + "\r\n\r\n": 431,
		"HEAD / HTTP/2.0\r\n\r\n": 505,
	} {
		c := s.dial(t, addr)
		r := bufio.NewReader(c)
		send(t, c, request)
		if response, _ := receive(t, r, "HEAD"); response.StatusCode != status {
			t.Errorf("%.60q: %s, want %d", request, response.Status, status)
		}
		closed(t, r)
	}
	server.Stop(t, os.Interrupt)
}

func (s Server) testAllow(t *testing.T) {
	server, addr := start(t, site(t))
	c := s.dial(t, addr)
	r := bufio.NewReader(c)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "BREW", "get"} {
		send(t, c, method+" / HTTP/1.1\r\nHost: test\r\n\r\n")
		if response, _ := receive(t, r, method); response.StatusCode != 405 || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s, allowed are %q", method, response.Status, response.Header.Get("Allow"))
		}
	}
	server.Stop(t, os.Interrupt)
}

// A client that never ceases to send is not listened to for long after the last response.
func (s Server) testFlood(t *testing.T) {
	server, addr := start(t, site(t), "-timeout", "0")
	c := s.dial(t, addr)
	send(t, c, "BAD\n\n")
	data := make([]byte, 1<<20)
	for sent := 0; ; {
		n, err := c.Write(data)
		sent += n
		reset := errors.Is(err, socket.ErrConnectionReset) || errors.Is(err, socket.ErrConnectionAborted)
		if reset || errors.Is(err, socket.ErrBrokenPipe) {
			break
		}
		if err != nil || sent > 64<<20 { // more than the buffers of the sockets
			t.Fatalf("the server has taken %d bytes: %v", sent, err)
		}
	}
	server.Stop(t, os.Interrupt)
}

// Requests come all at once or in pieces, and the responses in the same order.
func (s Server) testPipeline(t *testing.T) {
	root := site(t)
	data := big(t, root, 1<<20)
	server, addr := start(t, root)
	requests := get("/hello.txt") + get("/big") + get("/missing") +
		"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody" + get("/hello.txt")
	bodies := []string{"hello\n", string(data), "404 Not Found\n", "<p>the index", "hello\n"}
	for _, size := range []int{1, 7, len(requests)} {
		c := s.dial(t, addr)
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

	c := s.dial(t, addr)
	send(t, c, "GET / HTT")
	c.CloseWrite()
	r := bufio.NewReader(c)
	if response, _ := receive(t, r, "GET"); response.StatusCode != 400 {
		t.Errorf("a half request: %s", response.Status)
	}
	closed(t, r)
	server.Stop(t, os.Interrupt)
}

func (s Server) testSlowReader(t *testing.T) {
	root := site(t)
	data := big(t, root, 64<<20)
	server, addr := start(t, root)
	slow := s.dial(t, addr)
	send(t, slow, get("/big"))
	r := bufio.NewReader(slow)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}

	fast := s.dial(t, addr)
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
func (s Server) testFastReaders(t *testing.T) {
	root := site(t)
	big(t, root, 8<<20)
	server, addr := start(t, root)
	for range 3 {
		c := s.dial(t, addr)
		go func() {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, get("/big"))
			}
		}()
		go io.Copy(io.Discard, c)
	}
	other := s.dial(t, addr)
	for range 100 {
		served(t, other)
	}
	server.Stop(t, os.Interrupt)
}

// The server does not read the requests of a client that does not read the responses.
func (s Server) testGreedy(t *testing.T) {
	server, addr := start(t, site(t))
	c, other := s.dial(t, addr), s.dial(t, addr)
	request := "GET /hello.txt HTTP/1.1\r\nHost: test\r\nX: " + strings.Repeat("x", 2000) + "\r\n\r\n"
	requests := strings.Repeat(request, 100)
	const most = 64 << 20
	var sent atomic.Int64
	var enough atomic.Bool
	written := make(chan error, 1)
	go func() {
		var err error
		for err == nil && !enough.Load() && sent.Load() < most {
			var n int
			n, err = io.WriteString(c, requests)
			sent.Add(int64(n))
		}
		written <- errors.Join(err, c.CloseWrite())
	}()
	for before := int64(-1); before != sent.Load(); time.Sleep(200 * time.Millisecond) { // until the server takes no more
		before = sent.Load()
		served(t, other)
	}
	if sent.Load() >= most {
		t.Fatalf("the server has taken %d bytes", sent.Load())
	}
	enough.Store(true)
	responses, err := io.ReadAll(c)
	err = errors.Join(err, <-written)
	n, want := bytes.Count(responses, []byte("\r\n\r\nhello\n")), int(sent.Load())/len(request)
	if n != want || err != nil {
		t.Errorf("%d responses came, want %d: %v", n, want, err)
	}
	server.Stop(t, os.Interrupt)
}

func (s Server) testTruncated(t *testing.T) {
	root := site(t)
	size := len(big(t, root, 64<<20))
	server, addr := start(t, root)
	c := s.dial(t, addr)
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
func (s Server) testReset(t *testing.T) {
	root := site(t)
	big(t, root, 8<<20)
	server := progtest.StartWith(t, fewFds, "-root", root, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	other := s.dial(t, addr)
	for i := range 60 {
		c := s.dial(t, addr)
		switch i % 4 {
		case 1:
			send(t, c, "GET /he")
		case 2:
			send(t, c, get("/big"))
			io.CopyN(io.Discard, c, 1)
		case 3:
			served(t, c)
		}
		reset(c)
		served(t, other)
	}
	server.Stop(t, os.Interrupt)
}

func (s Server) testManyClients(t *testing.T) {
	const clients, fds = 1000, 2100
	testkit.NeedFds(t, fds)
	root := site(t)
	data := big(t, root, 64<<10)
	server := progtest.StartWith(t, fds, "-root", root, "-listen", "127.0.0.1:0", "-timeout", "5m")
	addr := server.Line(t)
	var conns [clients]Conn
	for i := range conns {
		conns[i] = s.dial(t, addr)
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

const fewFds = web.OwnDescriptors + 2*5

// More clients than the server can have wait until others are gone. All of those that it has can get files.
func (s Server) testMoreClientsThanDescriptors(t *testing.T) {
	root := site(t)
	big(t, root, 8<<20)
	server := progtest.StartWith(t, fewFds, "-root", root, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	var conns [15]Conn
	var sent [len(conns)]<-chan error
	for i := range conns {
		conns[i] = s.dial(t, addr)
		sent[i] = progtest.Send(conns[i], []byte(get("/big")), func() error { return nil }) // a handshake waits too
	}
	for i, c := range conns {
		if response, _ := receive(t, bufio.NewReader(c), "GET"); response.StatusCode != 200 {
			t.Error(response.Status)
		}
		testkit.Check(t, <-sent[i])
		c.Close()
	}
	server.Stop(t, os.Interrupt)
}

func (s Server) testIdle(t *testing.T) {
	root := site(t)
	big(t, root, 64<<20)
	const timeout = 500 * time.Millisecond
	server, addr := start(t, root, "-timeout", timeout.String())
	begin := time.Now()
	conns := make(map[string]Conn)
	for _, request := range []string{"", get("/hello.txt"), "GET / HTT", "BAD\n\n", get("/big")} {
		conns[request] = s.dial(t, addr)
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

func (s Server) testNoTimeout(t *testing.T) {
	server, addr := start(t, site(t), "-timeout", "0")
	c := s.dial(t, addr)
	served(t, c)
	time.Sleep(time.Second) // until the server looks for connections that are idle, at the latest after the next request
	served(t, c)
	served(t, c)
	server.Stop(t, os.Interrupt)
}

func (s Server) testInterrupt(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		root := site(t)
		big(t, root, 64<<20)
		server, addr := start(t, root)
		idle, busy := s.dial(t, addr), s.dial(t, addr)
		served(t, idle)
		send(t, busy, get("/big"))
		io.CopyN(io.Discard, busy, 1)
		if out := server.Stop(t, sig); out != "" {
			t.Errorf("the output goes on with %q", out)
		}
		closed(t, idle)
	}
}

// With -v, the server tells who comes, what is asked for and answered, and who goes, and why.
func (s Server) testVerbose(t *testing.T) {
	server, addr := start(t, site(t), "-v", "-timeout", "1s")
	var c Conn
	expect := func(line string) {
		t.Helper()
		want := fmt.Sprintf("%s: %v: %s\n", s.Name, c.LocalAddr(), line)
		if got, err := server.Stderr.ReadString('\n'); got != want || err != nil {
			t.Fatalf("the server says %q, want %q: %v", got, want, err)
		}
	}
	come := func() {
		c = s.dial(t, addr)
		expect("connected")
	}
	come()
	r := bufio.NewReader(c)
	for _, test := range []struct{ request, line string }{
		{get("/hello.txt"), `"GET /hello.txt HTTP/1.1": HTTP/1.1 200 OK`},
		{get("/missing"), `"GET /missing HTTP/1.1": HTTP/1.1 404 Not Found`},
		{"\x1b[2J\n\n", `"\x1b[2J": HTTP/1.1 400 Bad Request`},
	} {
		send(t, c, test.request)
		receive(t, r, "GET")
		expect(test.line)
	}
	c.Close()
	expect("closed")

	come()
	reset(c)
	if !testkit.OnWine() { // where a reset looks like the end
		expect(fmt.Sprint(socket.ErrConnectionReset))
	}
	expect("closed")

	come()
	expect("idle for 1s")
	expect("closed")
	server.Stop(t, os.Interrupt)
}

func (s Server) testCurl(t *testing.T) {
	root := site(t)
	data := big(t, root, 3<<20)
	server, addr := start(t, root)
	names := strings.NewReplacer("SERVER", s.Scheme+"://"+addr, "FILE", filepath.Join(root, "big"))
	const refused = "405 Method Not Allowed\n405"
	for _, test := range []struct{ args, stdout string }{
		{"--location SERVER/hello.txt SERVER/sub SERVER/big", "hello\n<p>the index of sub" + string(data)},
		{"--path-as-is SERVER/../secret", "404 Not Found\n"},
		{"--range 1000000-2000000 SERVER/big", string(data[1000000:2000001])},
		{"--time-cond FILE SERVER/big", ""},
		{"--head --output /dev/null --write-out %{http_code} SERVER/big", "200"},
		{"--http1.0 --header Connection:keep-alive --write-out %{num_connects} SERVER/hello.txt SERVER/hello.txt", "hello\n1hello\n0"},
		{"--upload-file FILE --write-out %{http_code} SERVER/new", refused},
		{"--data abc --header Transfer-Encoding:chunked --write-out %{http_code} SERVER/new", refused},
	} {
		curl := progtest.Run(t, "curl", strings.Fields("--silent --show-error --insecure "+names.Replace(test.args))...)
		if status, stdout, stderr := curl.End(t); status != 0 || stderr != "" || stdout != test.stdout {
			t.Errorf("%s: status %d, stdout %.200q, stderr %q", test.args, status, stdout, stderr)
		}
	}
	server.Stop(t, os.Interrupt)
}
