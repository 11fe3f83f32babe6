//go:build unix || windows

package socketserver_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/socketserver"
)

var check, wantError = testkit.Check, testkit.WantError

// forkableEnv is set in a process that says whether it can have a server that forks, to what ServeForked was given.
const forkableEnv = "PYSELECT_SOCKETSERVER_TEST_FORKABLE"

func TestMain(m *testing.M) {
	switch os.Getenv(forkableEnv) {
	case "":
		socketserver.ServeForked(newUpper, newUpperDatagram, newBad, newNosy)
		os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // of processes that handle requests
		os.Exit(m.Run())
	case "others":
		socketserver.ServeForked(newBad, nil)
	case "twice":
		socketserver.ServeForked(newUpper, newUpper)
	}
	_, err := socketserver.NewForkingTCPServer("localhost:0", newUpper)
	fmt.Println(err)
}

// An upper sends lines back in upper case.
type upper struct {
	socketserver.StreamRequestHandler
}

func newUpper() socketserver.RequestHandler { return &upper{} }

func (h *upper) Handle() error {
	for {
		line, err := h.Rfile.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err == nil {
			_, err = h.Wfile.Write(bytes.ToUpper(line))
		}
		if err != nil {
			return err
		}
	}
}

// An upperDatagram sends a datagram back in upper case.
type upperDatagram struct {
	socketserver.DatagramRequestHandler
}

func newUpperDatagram() socketserver.RequestHandler { return &upperDatagram{} }

func (h *upperDatagram) Handle() error {
	data, err := io.ReadAll(h.Rfile)
	h.Wfile.Write(bytes.ToUpper(data))
	return err
}

// A bad handler fails as its first byte says.
type bad struct {
	socketserver.BaseRequestHandler
}

func newBad() socketserver.RequestHandler { return &bad{} }

func (h *bad) Handle() error {
	first := make([]byte, 1)
	if _, err := h.Request.Recv(first); err != nil {
		return err
	}
	switch first[0] {
	case 'p':
		panic("first byte is p")
	case 'g':
		runtime.Goexit()
	}
	return errors.New("first byte is " + string(first))
}

// A handle is a function as a handler of streams.
type handle struct {
	socketserver.StreamRequestHandler
	f func(h *handle) error
}

func (h *handle) Handle() error { return h.f(h) }

func handler(f func(h *handle) error) func() socketserver.RequestHandler {
	return func() socketserver.RequestHandler { return &handle{f: f} }
}

// A kind is a kind of server.
type kind struct {
	name string
	open func(t *testing.T, newHandler func() socketserver.RequestHandler) (*socketserver.Server, error)
	typ  int
}

type constructor = func(address string, newHandler func() socketserver.RequestHandler) (*socketserver.Server, error)

func internet(name string, typ int, open constructor) kind {
	return kind{name, func(t *testing.T, newHandler func() socketserver.RequestHandler) (*socketserver.Server, error) {
		return open("127.0.0.1:0", newHandler)
	}, typ}
}

var (
	sequentialTCP = internet("TCP", socket.SOCK_STREAM, socketserver.NewTCPServer)
	threadingTCP  = internet("threading TCP", socket.SOCK_STREAM, socketserver.NewThreadingTCPServer)
	forkingTCP    = internet("forking TCP", socket.SOCK_STREAM, socketserver.NewForkingTCPServer)

	sequentialUDP = internet("UDP", socket.SOCK_DGRAM, socketserver.NewUDPServer)
	threadingUDP  = internet("threading UDP", socket.SOCK_DGRAM, socketserver.NewThreadingUDPServer)
	forkingUDP    = internet("forking UDP", socket.SOCK_DGRAM, socketserver.NewForkingUDPServer)

	kinds = append([]kind{sequentialTCP, threadingTCP, forkingTCP, sequentialUDP, threadingUDP, forkingUDP}, unixKinds...)
)

func (k kind) start(t *testing.T, newHandler func() socketserver.RequestHandler) *socketserver.Server {
	t.Helper()
	if strings.HasPrefix(k.name, "forking") {
		testkit.NeedProcesses(t)
	}
	server, err := k.open(t, newHandler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.EndRequests()
		check(t, server.ServerClose())
	})
	return server
}

// serve lets a server serve until the returned function is called.
func serve(t *testing.T, server *socketserver.Server) (shutdown func()) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- server.ServeForever(time.Hour) }()
	return func() {
		t.Helper()
		server.Shutdown()
		check(t, <-served)
	}
}

// A client is a socket that is connected to a server, and waits no longer than a test does.
type client struct {
	*socket.Socket
	t *testing.T
}

func (k kind) connect(t *testing.T, server *socketserver.Server) client {
	t.Helper()
	sock, err := socket.New(server.Socket.Family(), k.typ, 0)
	check(t, err)
	t.Cleanup(func() { sock.Close() })
	check(t, sock.Settimeout(testkit.Patience))
	if k.typ == socket.SOCK_DGRAM {
		bindClient(t, sock)
	}
	check(t, sock.Connect(server.ServerAddress()))
	return client{sock, t}
}

func (c client) send(s string) {
	c.t.Helper()
	check(c.t, c.Sendall([]byte(s)))
}

// want checks what comes next: as many bytes as that has, or the end if it is "".
func (c client) want(want string) {
	c.t.Helper()
	got := make([]byte, max(1, len(want)))
	n := 0
	for n < len(got) {
		m, err := c.Recv(got[n:])
		if check(c.t, err); m == 0 {
			break
		}
		n += m
	}
	if string(got[:n]) != want {
		c.t.Errorf("got %.100q, want %.100q", got[:n], want)
	}
}

func TestServers(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			newHandler := newUpper
			if k.typ == socket.SOCK_DGRAM {
				newHandler = newUpperDatagram
			}
			server := k.start(t, newHandler)
			fd, err := server.Fileno()
			check(t, err)
			name, err := server.Socket.Getsockname()
			if want, _ := server.Socket.Fileno(); fd != want || err != nil || server.ServerAddress() != name {
				t.Errorf("the descriptor is %d, want %d, the address %v, want %v, %v", fd, want, server.ServerAddress(), name, err)
			}
			shutdown := serve(t, server)
			for i := range 3 {
				c := k.connect(t, server)
				c.send(fmt.Sprintf("spam %d\n", i))
				c.want(fmt.Sprintf("SPAM %d\n", i))
				if k.typ == socket.SOCK_STREAM {
					check(t, c.Shutdown(socket.SHUT_WR))
					c.want("")
				}
			}
			shutdown()
			check(t, server.ServerClose())
			if _, err := server.Fileno(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("the descriptor of a closed server is %v", err)
			}
			if server.ServerAddress() != name {
				t.Errorf("the address of a closed server is %v", server.ServerAddress())
			}
		})
	}
}

func TestShutdownAtOnce(t *testing.T) {
	testkit.NoLeaks(t)
	for range 20 {
		serve(t, sequentialTCP.start(t, newUpper))()
	}
}

// Shutdown waits for the end of ServeForever, and so for that of the request that it handles.
func TestShutdownWaits(t *testing.T) {
	testkit.NoLeaks(t)
	begun, end := make(chan struct{}), make(chan struct{})
	server := sequentialTCP.start(t, handler(func(*handle) error {
		close(begun)
		<-end
		return nil
	}))
	shutdown := serve(t, server)
	c := sequentialTCP.connect(t, server)
	<-begun
	call := testkit.Go(t, server.Shutdown).Blocked()
	close(end)
	call.Wait()
	shutdown()
	check(t, c.Close())
}

func TestStates(t *testing.T) {
	testkit.NoLeaks(t)
	server := sequentialTCP.start(t, newUpper)
	for range 2 {
		shutdown := serve(t, server)
		c := sequentialTCP.connect(t, server)
		c.send("eggs\n")
		c.want("EGGS\n")
		if err := server.ServeForever(0); err == nil || err.Error() != "socketserver.serve_forever: the server serves already" {
			t.Errorf("the error of a second loop is %v", err)
		}
		check(t, c.Close())
		shutdown()
	}
	server.Shutdown() // which the next one finds
	check(t, server.ServeForever(time.Hour))
	shutdown := serve(t, server)
	c := sequentialTCP.connect(t, server)
	c.send("eggs\n")
	c.want("EGGS\n")
	check(t, c.Close())
	check(t, server.ServerClose())
	shutdown()
	wantError(t, server.ServeForever(0), os.ErrClosed, "socketserver.serve_forever")
	wantError(t, server.HandleRequest(), os.ErrClosed, "socketserver.handle_request")
	check(t, server.ServerClose())
	server.Shutdown()
}

func TestServerCloseEndsHandleRequest(t *testing.T) {
	testkit.NoLeaks(t)
	server := sequentialTCP.start(t, newUpper)
	call := testkit.Go(t, func() { wantError(t, server.HandleRequest(), os.ErrClosed) }).Blocked()
	check(t, server.ServerClose())
	call.Wait()
}

func TestCannotStart(t *testing.T) {
	testkit.NoLeaks(t)
	taken := sequentialTCP.start(t, newUpper)
	for range 100 {
		_, err := socketserver.NewTCPServer(taken.ServerAddress().String(), newUpper)
		wantError(t, err, socket.ErrAddressInUse, "socket.create_server")
	}
	for _, open := range []constructor{socketserver.NewTCPServer, socketserver.NewUDPServer} {
		_, err := open("127.0.0.1:65536", newUpper)
		wantError(t, err, os.ErrInvalid, "65536")
		_, err = open("127.0.0.1:0", nil)
		wantError(t, err, os.ErrInvalid, "socketserver.server: newHandler is nil")
	}
	sock, err := socket.New(socket.AF_INET, socket.SOCK_DGRAM, 0)
	check(t, err)
	defer sock.Close()
	_, err = socketserver.New(sock, newUpper, 3)
	wantError(t, err, os.ErrInvalid, "socketserver.server: mode 3, want")
	stream, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	check(t, err)
	defer stream.Close()
	check(t, stream.Bind(socket.HostPort("127.0.0.1:0")))
	_, err = socketserver.New(stream, newUpper, socketserver.Threading)
	wantError(t, err, os.ErrInvalid, "does not listen")
	_, err = socketserver.New(nil, newUpper, socketserver.Threading)
	wantError(t, err, os.ErrInvalid, "socketserver.server: the socket is nil")
}

// A record is what a server has called, among what it overrides.
type record struct {
	*socketserver.Server
	calls    chan string
	verified chan bool
	deny     bool
}

func recorded(server *socketserver.Server) *record {
	r := &record{Server: server, calls: make(chan string, 100), verified: make(chan bool, 100)}
	server.Hooks = r
	return r
}

func (r *record) VerifyRequest(socketserver.Request, net.Addr) bool {
	r.verified <- true
	return !r.deny
}

func (r *record) ShutdownRequest(request socketserver.Request) {
	r.Server.ShutdownRequest(request)
	r.calls <- "shutdown"
}

func (r *record) CloseRequest(request socketserver.Request) {
	r.Server.CloseRequest(request)
	r.calls <- "close"
}

func (r *record) HandleError(_ socketserver.Request, clientAddress net.Addr, err error) {
	text, _, _ := strings.Cut(err.Error(), "\n")
	r.calls <- fmt.Sprintf("error of %v: %v", clientAddress, text)
}

func (r *record) HandleTimeout() { r.calls <- "timeout" }

func (r *record) ServiceActions() { r.calls <- "actions" }

func (r *record) want(t *testing.T, calls ...string) {
	t.Helper()
	for _, want := range calls {
		select {
		case got := <-r.calls:
			if got != want {
				t.Errorf("called %q, want %q", got, want)
			}
		case <-time.After(testkit.Patience):
			t.Fatalf("%q was not called", want)
		}
	}
}

func TestHandlerFails(t *testing.T) {
	for _, k := range []kind{sequentialTCP, threadingTCP} {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			server := k.start(t, newBad)
			r := recorded(server)
			for first, message := range map[string]string{"e": "first byte is e", "p": "panic: first byte is p", "g": ""} {
				if first == "g" && k.name == sequentialTCP.name {
					continue // it would end the goroutine that serves
				}
				c := k.connect(t, server)
				c.send(first)
				check(t, server.HandleRequest())
				c.want("")
				if message != "" {
					name, err := c.Getsockname()
					check(t, err)
					r.want(t, fmt.Sprintf("error of %v: %s", name, message))
				}
				r.want(t, "close", "shutdown")
			}
		})
	}
}

// By default, an error is logged, but not that a client has gone, and the server goes on.
func TestErrorsAreLogged(t *testing.T) {
	testkit.NoLeaks(t)
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	server := sequentialTCP.start(t, newBad)
	var want []string
	for _, first := range []string{"e", "", "p"} {
		c := sequentialTCP.connect(t, server)
		if first == "" {
			check(t, c.SetLinger(true, 0))
			check(t, c.Close())
		} else {
			name, err := c.Getsockname()
			check(t, err)
			want = append(want, fmt.Sprintf("exception occurred during processing of request from %v: ", name))
			c.send(first)
		}
		check(t, server.HandleRequest())
		if first == "" {
			continue
		}
		c.want("")
	}
	rest := logged.String()
	for _, want := range append(want, "panic: first byte is p\n", "server_test.go") {
		var found bool
		if _, rest, found = strings.Cut(rest, want); !found {
			t.Errorf("logged is %q, want %q in it", &logged, want)
		}
	}
	if strings.Count(logged.String(), "exception occurred") != 2 {
		t.Errorf("logged is %q, want two exceptions", &logged)
	}
}

func TestVerifyRequest(t *testing.T) {
	testkit.NoLeaks(t)
	server := sequentialTCP.start(t, handler(func(*handle) error {
		t.Error("a request is handled that was not verified")
		return nil
	}))
	r := recorded(server)
	r.deny = true
	c := sequentialTCP.connect(t, server)
	check(t, server.HandleRequest())
	c.want("")
	r.want(t, "close", "shutdown")
}

func TestTimeout(t *testing.T) {
	testkit.NoLeaks(t)
	server := sequentialTCP.start(t, newUpper)
	r := recorded(server)
	for _, timeout := range []time.Duration{0, 20 * time.Millisecond} {
		server.Timeout = timeout
		testkit.Duration(t, timeout, func() { check(t, server.HandleRequest()) })
		r.want(t, "timeout")
	}
	if timeout := threadingTCP.start(t, newUpper).Timeout; timeout != pyselect.Forever {
		t.Errorf("the timeout is %v, want none", timeout)
	}
}

func TestServiceActions(t *testing.T) {
	testkit.NoLeaks(t)
	server := sequentialTCP.start(t, newUpper)
	r := recorded(server)
	served := make(chan error, 1)
	go func() { served <- server.ServeForever(time.Millisecond) }()
	r.want(t, "actions", "actions", "actions")
	server.Shutdown()
	check(t, <-served)
}

// A server that gets something else than what its socket has.
type failing struct {
	*socketserver.Server
	fails *atomic.Bool
}

func (f failing) GetRequest() (socketserver.Request, net.Addr, error) {
	request, clientAddress, err := f.Server.GetRequest()
	if err == nil && f.fails.Swap(false) {
		request.Close()
		return request, clientAddress, errors.New("the client is not welcome")
	}
	return request, clientAddress, err
}

func TestGetRequestFails(t *testing.T) {
	testkit.NoLeaks(t)
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	server := threadingTCP.start(t, newUpper)
	f := failing{server, new(atomic.Bool)}
	f.fails.Store(true)
	server.Hooks = f
	threadingTCP.connect(t, server)
	check(t, server.HandleRequest())
	c := threadingTCP.connect(t, server)
	check(t, server.HandleRequest())
	c.send("spam\n")
	c.want("SPAM\n")
	if !strings.HasSuffix(logged.String(), "the client is not welcome\n") {
		t.Errorf("logged is %q", &logged)
	}
}

func TestBlockOnClose(t *testing.T) {
	for _, k := range []kind{threadingTCP, forkingTCP} {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			server := k.start(t, newUpper)
			c := k.connect(t, server)
			check(t, server.HandleRequest())
			closing := testkit.Go(t, func() { check(t, server.ServerClose()) }).Blocked()
			c.send("spam\n")
			c.want("SPAM\n")
			check(t, c.Close())
			closing.Wait()

			server = k.start(t, newUpper)
			c = k.connect(t, server)
			check(t, server.HandleRequest())
			server.BlockOnClose = false
			check(t, server.ServerClose())
			c.send("spam\n")
			c.want("SPAM\n")
		})
	}
}

func TestEndRequests(t *testing.T) {
	for _, k := range []kind{sequentialTCP, threadingTCP, forkingTCP} {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			server := k.start(t, newUpper)
			shutdown := serve(t, server)
			c := k.connect(t, server)
			c.send("spam\n")
			c.want("SPAM\n")
			server.EndRequests()
			if n, err := c.Recv(make([]byte, 1)); n != 0 || err != nil && !errors.Is(err, socket.ErrConnectionReset) {
				t.Errorf("received %d bytes, %v, want the end", n, err)
			}
			shutdown()
			check(t, server.ServerClose())
		})
	}
}

func TestMaxChildren(t *testing.T) {
	testkit.NoLeaks(t)
	server := forkingTCP.start(t, newUpper)
	server.MaxChildren = 1
	r := recorded(server)
	shutdown := serve(t, server)
	a := forkingTCP.connect(t, server)
	a.send("a\n")
	a.want("A\n")
	check(t, a.Close())
	b := forkingTCP.connect(t, server)
	b.send("b\n")
	b.want("B\n") // when the process of a has ended
	for len(r.verified) > 0 {
		<-r.verified
	}
	c := forkingTCP.connect(t, server)
	<-r.verified
	shutdown() // while the server waits for the process of b
	c.want("")
}

func TestHandlers(t *testing.T) {
	testkit.NoLeaks(t)
	var log []string
	var setup error
	server := sequentialTCP.start(t, func() socketserver.RequestHandler { return &careful{log: &log, setup: setup} })
	for _, err := range []error{nil, errors.New("not set up")} {
		setup = err
		c := sequentialTCP.connect(t, server)
		recorded(server)
		check(t, server.HandleRequest())
		c.want("")
	}
	testkit.Equal(t, "calls", log, "setup", "handle", "finish", "setup")
}

// A careful handler notes what is called.
type careful struct {
	socketserver.BaseRequestHandler
	log   *[]string
	setup error
}

func (h *careful) Setup() error {
	*h.log = append(*h.log, "setup")
	return h.setup
}

func (h *careful) Handle() error {
	*h.log = append(*h.log, "handle")
	return errors.New("handled badly")
}

func (h *careful) Finish() error {
	*h.log = append(*h.log, "finish")
	return nil
}

// What is written is sent at once, all of it.
func TestUnbuffered(t *testing.T) {
	testkit.NoLeaks(t)
	big := strings.Repeat("x", 10<<20)
	server := threadingTCP.start(t, handler(func(h *handle) error {
		if _, err := io.WriteString(h.Wfile, "write data\n"); err != nil {
			return err
		}
		line, err := h.Rfile.ReadString('\n')
		if err != nil || line != "client response\n" {
			t.Errorf("read %q, %v", line, err)
		}
		n, err := io.WriteString(h.Wfile, big)
		if n != len(big) {
			t.Errorf("wrote %d bytes, %v", n, err)
		}
		return err
	}))
	c := threadingTCP.connect(t, server)
	check(t, server.HandleRequest())
	c.want("write data\n")
	c.send("client response\n")
	c.want(big)
	c.want("")
}

func TestStreamOptions(t *testing.T) {
	testkit.NoLeaks(t)
	server := threadingTCP.start(t, func() socketserver.RequestHandler {
		h := &handle{}
		h.Rbufsize, h.Wbufsize, h.Timeout, h.DisableNagleAlgorithm = 100, 1000, 20*time.Millisecond, true
		h.f = func(h *handle) error {
			if size := h.Rfile.Size(); size != 100 {
				t.Errorf("the reader has %d bytes, want 100", size)
			}
			if nodelay, err := h.Connection.Getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY); nodelay == 0 || err != nil {
				t.Errorf("TCP_NODELAY is %d, %v", nodelay, err)
			}
			io.WriteString(h.Wfile, "spam")
			check(t, h.Wfile.Flush())
			testkit.Duration(t, h.Timeout, func() {
				_, err := h.Rfile.ReadByte()
				wantError(t, err, os.ErrDeadlineExceeded)
			})
			io.WriteString(h.Wfile, "eggs")
			if buffered := h.Wfile.(*bufio.Writer).Buffered(); buffered != 4 {
				t.Errorf("%d bytes are buffered, want 4", buffered)
			}
			return nil
		}
		return h
	})
	c := threadingTCP.connect(t, server)
	check(t, server.HandleRequest())
	c.want("spam")
	c.want("eggs")
	c.want("")
}

func TestMaxPacketSize(t *testing.T) {
	testkit.NotOn(t, "windows", "beginning of a datagram that is too large")
	testkit.NoLeaks(t)
	server := sequentialUDP.start(t, newUpperDatagram)
	server.MaxPacketSize = 4
	c := sequentialUDP.connect(t, server)
	c.send("spam and eggs")
	check(t, server.HandleRequest())
	c.want("SPAM")
}

func TestForkedRequestIsWhole(t *testing.T) {
	testkit.NoLeaks(t)
	server := forkingUDP.start(t, newUpperDatagram)
	server.MaxPacketSize = 1 << 16
	data := strings.Repeat("spam", 2000) // about as much as a datagram has on some systems
	c := forkingUDP.connect(t, server)
	c.send(data)
	check(t, server.HandleRequest())
	c.want(strings.ToUpper(data))
}

func TestServeForked(t *testing.T) {
	const upper = "github.com/pyselect/pyselect/socketserver_test.upper"
	for given, want := range map[string]string{
		"nothing": "the main function has not called ServeForked",
		"others":  "ServeForked was given handlers of type " + upper + " 0 times, want once",
		"twice":   "ServeForked was given handlers of type " + upper + " 2 times, want once",
	} {
		out, err := testkit.Itself(t, forkableEnv+"="+given).CombinedOutput()
		if text := strings.TrimSpace(string(out)); err != nil || text != "socketserver.server: "+want+": invalid argument" {
			t.Errorf("with %s, the program says %.300q, %v, want %q", given, text, err, want)
		}
	}
}

// What a process says that has to handle a request, and has failed.
func TestForkedFails(t *testing.T) {
	testkit.NeedProcesses(t)
	testkit.NoLeaks(t)
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	stderr := os.Stderr
	os.Stderr = w
	defer func() { os.Stderr = stderr }()
	server := forkingTCP.start(t, newBad)
	c := forkingTCP.connect(t, server)
	name, err := c.Getsockname()
	check(t, err)
	c.send("e")
	check(t, server.HandleRequest())
	check(t, w.Close())
	said, err := io.ReadAll(r)
	want := fmt.Sprintf("exception occurred during processing of request from %v: first byte is e\n", name)
	if !strings.HasSuffix(string(said), want) || err != nil {
		t.Errorf("the process says %q, %v, want %q", said, err, want)
	}
}

// A nosy handler tells its client what it knows of the server.
type nosy struct {
	socketserver.StreamRequestHandler
}

func newNosy() socketserver.RequestHandler { return &nosy{} }

func (h *nosy) Handle() error {
	_, err := h.Server.Fileno()
	h.Server.Shutdown()
	_, werr := fmt.Fprintln(h.Wfile, h.Server.ServerAddress(), errors.Is(err, os.ErrClosed),
		errors.Is(h.Server.HandleRequest(), os.ErrClosed), errors.Is(h.Server.ServeForever(0), os.ErrClosed), h.Server.ServerClose())
	return werr
}

// The server of a handler in a process of its own is a closed one.
func TestForkedServer(t *testing.T) {
	testkit.NoLeaks(t)
	server := forkingTCP.start(t, newNosy)
	c := forkingTCP.connect(t, server)
	check(t, server.HandleRequest())
	c.want(fmt.Sprintln(server.ServerAddress(), true, true, true, nil))
}

// A Shutdown that no ServeForever has met yet is none of HandleRequest.
func TestHandleRequestAfterShutdown(t *testing.T) {
	for _, k := range []kind{sequentialTCP, forkingTCP} {
		testkit.NoLeaks(t)
		server := k.start(t, newUpper)
		server.Shutdown()
		for range 5 {
			c := k.connect(t, server)
			c.send("spam\n")
			check(t, c.Shutdown(socket.SHUT_WR))
			check(t, server.HandleRequest())
			c.want("SPAM\n")
		}
	}
}

// Whoever waits for the same server, Shutdown ends ServeForever.
func TestShutdownBesideHandleRequest(t *testing.T) {
	testkit.NoLeaks(t)
	for range 20 {
		server := threadingTCP.start(t, newUpper)
		waiting := testkit.Go(t, func() { wantError(t, server.HandleRequest(), os.ErrClosed) }).Blocked()
		serving := testkit.Go(t, func() { check(t, server.ServeForever(pyselect.Forever)) }).Blocked()
		server.Shutdown()
		serving.Wait()
		check(t, server.ServerClose())
		waiting.Wait()
	}
}

// After ServerClose, no handler runs.
func TestServerCloseWaits(t *testing.T) {
	for _, k := range []kind{sequentialTCP, threadingTCP} {
		testkit.NoLeaks(t)
		for range 200 {
			var handling atomic.Bool
			server := k.start(t, handler(func(*handle) error {
				handling.Store(true)
				runtime.Gosched()
				handling.Store(false)
				return nil
			}))
			served := make(chan error, 1)
			go func() { served <- server.ServeForever(time.Hour) }()
			c := k.connect(t, server)
			check(t, server.ServerClose())
			if handling.Load() {
				t.Fatalf("%s: a handler runs after ServerClose", k.name)
			}
			if err := <-served; err != nil && !errors.Is(err, os.ErrClosed) { // before it has begun
				t.Fatal(err)
			}
			check(t, c.Close())
		}
	}
}

// A panic of what a server calls for a request ends that request only.
func TestPanics(t *testing.T) {
	for name, panicking := range map[string]func(*socketserver.Server){
		"NewHandler": func(s *socketserver.Server) {
			s.NewHandler = func() socketserver.RequestHandler { panic("no handler") }
		},
		"FinishRequest": func(s *socketserver.Server) { s.Hooks = panicked{s.Hooks.(*record)} },
	} {
		for _, k := range []kind{sequentialTCP, threadingTCP} {
			t.Run(name+" "+k.name, func(t *testing.T) {
				testkit.NoLeaks(t)
				server := k.start(t, newUpper)
				r := recorded(server)
				panicking(server)
				c := k.connect(t, server)
				name, err := c.Getsockname()
				check(t, err)
				check(t, server.HandleRequest())
				c.want("")
				r.want(t, fmt.Sprintf("error of %v: panic: no handler", name), "close", "shutdown")
			})
		}
	}
}

type panicked struct{ *record }

func (panicked) FinishRequest(socketserver.Request, net.Addr) error { panic("no handler") }

// What a client has not read yet makes the answers of a datagram server wait.
func TestDatagramAnswersWait(t *testing.T) {
	const answers = 2000
	for _, k := range kinds {
		if k.typ != socket.SOCK_DGRAM || !strings.Contains(k.name, "Unix") || strings.Contains(k.name, "forking") {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			server := k.start(t, func() socketserver.RequestHandler { return &chatty{answers: answers} })
			recorded(server)
			shutdown := serve(t, server)
			c := k.connect(t, server)
			c.send("spam")
			for range answers {
				c.want("eggs")
			}
			shutdown()
		})
	}
}

// A chatty handler has several answers to a datagram.
type chatty struct {
	socketserver.BaseRequestHandler
	answers int
}

func (h *chatty) Handle() error {
	for answered := 0; answered < h.answers; {
		switch _, err := h.Request.Sendto([]byte("eggs"), h.ClientAddress); {
		case err == nil:
			answered++
		case errors.Is(err, socket.ErrNoBuffers): // the BSDs' kernels do not wait
			runtime.Gosched()
		default:
			return err
		}
	}
	return nil
}

// HandleError is silent about a client that has gone, and not about others who have.
func TestWhoHasGone(t *testing.T) {
	testkit.NoLeaks(t)
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	for _, test := range []struct {
		err    error
		silent bool
	}{
		{io.EOF, true},
		{&pyselect.OpError{Op: "socket.recv", Fd: 1000, Err: socket.ErrConnectionReset}, false},
		{socket.ErrConnectionRefused, false},
	} {
		logged.Reset()
		server := sequentialTCP.start(t, handler(func(*handle) error { return test.err }))
		c := sequentialTCP.connect(t, server)
		check(t, server.HandleRequest())
		c.want("")
		if silent := logged.Len() == 0; silent != test.silent {
			t.Errorf("of %v was logged %q", test.err, &logged)
		}
	}
}

func TestBufferSizes(t *testing.T) {
	testkit.NoLeaks(t)
	server := sequentialTCP.start(t, func() socketserver.RequestHandler {
		h := &handle{}
		h.Rbufsize, h.Wbufsize = -1, -1
		h.f = func(h *handle) error {
			if w := h.Wfile.(*bufio.Writer); h.Rfile.Size() != 8192 || w.Size() != 8192 {
				t.Errorf("buffers have %d and %d bytes", h.Rfile.Size(), w.Size())
			}
			return nil
		}
		return h
	})
	sequentialTCP.connect(t, server)
	check(t, server.HandleRequest())
}

// A duplicate of the request's socket ends with it.
func TestEndRequestsOfNetConn(t *testing.T) {
	testkit.NotOnWine(t, "NetConn does not work")
	testkit.NoLeaks(t)
	server := threadingTCP.start(t, handler(func(h *handle) error {
		conn, err := h.Request.NetConn()
		if err != nil {
			return err
		}
		defer conn.Close()
		buf := make([]byte, 10)
		for {
			n, err := conn.Read(buf)
			if err == nil {
				_, err = conn.Write(buf[:n])
			}
			if err != nil {
				return err
			}
		}
	}))
	c := threadingTCP.connect(t, server)
	check(t, server.HandleRequest())
	c.send("spam")
	c.want("spam")
	server.EndRequests()
	c.want("")
	check(t, server.ServerClose())
}

type nothing struct{ *socketserver.Server }

func (nothing) GetRequest() (request socketserver.Request, clientAddress net.Addr, err error) { return }

func TestGetRequestReturnsNothing(t *testing.T) {
	testkit.NoLeaks(t)
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	server := sequentialTCP.start(t, newUpper)
	server.Hooks = nothing{server}
	sequentialTCP.connect(t, server)
	check(t, server.HandleRequest())
	if want := "socketserver.handle_request: GetRequest has returned no socket: invalid argument\n"; !strings.HasSuffix(logged.String(), want) {
		t.Errorf("logged is %q, want %q", &logged, want)
	}
}
