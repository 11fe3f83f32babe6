//go:build unix && !aix

// Package unix has no WNOHANG for AIX.

// Socketserver has Python's socketserver.ThreadingTCPServer and ForkingTCPServer as Go types, and on them the service that
// tutorials of Python's socketserver module write: it greets, has one answer to 0 and another one to anything else, and ends
// at exit.
//
//	go run ./examples/socketserver -listen localhost:8009                  # a goroutine for each client
//	go run ./examples/socketserver -listen localhost:8009 -mode forking    # a process for each client
//	nc localhost 8009
//
// A request is a line, where the originals take what one recv returns for one: TCP keeps no such boundaries.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// A BaseRequestHandler handles a request, which for a TCP server is a connection. It blocks as long as it likes. When it
// returns, the connection is closed. Its error, or a panic, ends nothing else. It mirrors socketserver.BaseRequestHandler.
type BaseRequestHandler interface {
	Handle(request *socket.Socket, clientAddress socket.Addr) error
}

// A MixIn is what one kind of server has and another one has not: ThreadingMixIn or ForkingMixIn.
type MixIn interface {
	// ProcessRequest arranges for a request to be handled, and closed then. When it returns an error, it has not.
	ProcessRequest(s *TCPServer, request *socket.Socket, clientAddress socket.Addr) error

	// ServiceActions is called after each poll of ServeForever.
	ServiceActions(s *TCPServer)

	// ServerClose waits until all requests are handled, if s.BlockOnClose, or ends them.
	ServerClose(s *TCPServer)
}

// When accept fails, because the process is out of descriptors for instance, the server accepts nothing for so long.
const acceptRetryDelay = time.Second

// A TCPServer is a server of connections, made by NewThreadingTCPServer or NewForkingTCPServer. The fields are to be set
// before ServerBind. It mirrors socketserver.TCPServer with bind_and_activate=False.
type TCPServer struct {
	ServerAddress     string // to bind to, and then the one that it is bound to
	RequestHandler    BaseRequestHandler
	MixIn             MixIn
	AddressFamily     int
	RequestQueueSize  int
	AllowReuseAddress bool
	BlockOnClose      bool // ServerClose waits until all requests are handled, otherwise it ends them

	socket             *socket.Socket
	shutdownRequest    context.Context
	setShutdownRequest context.CancelFunc
	isShutDown         chan struct{}
}

// NewThreadingTCPServer returns a server that handles each request in a goroutine. It mirrors
// socketserver.ThreadingTCPServer.
func NewThreadingTCPServer(serverAddress string, handler BaseRequestHandler) *TCPServer {
	return newTCPServer(serverAddress, handler, &ThreadingMixIn{requests: map[*socket.Socket]bool{}})
}

// NewForkingTCPServer returns a server that handles each request in a process. It mirrors socketserver.ForkingTCPServer.
func NewForkingTCPServer(serverAddress string, handler BaseRequestHandler) *TCPServer {
	m := &ForkingMixIn{MaxChildren: 40, activeChildren: map[int]bool{}, childEnded: make(chan os.Signal, 1)}
	signal.Notify(m.childEnded, unix.SIGCHLD)
	return newTCPServer(serverAddress, handler, m)
}

// newTCPServer returns a server with Python's defaults.
func newTCPServer(serverAddress string, handler BaseRequestHandler, mixIn MixIn) *TCPServer {
	s := &TCPServer{
		ServerAddress:    serverAddress,
		RequestHandler:   handler,
		MixIn:            mixIn,
		AddressFamily:    socket.AF_INET,
		RequestQueueSize: 5,
		BlockOnClose:     true,
		isShutDown:       make(chan struct{}),
	}
	s.shutdownRequest, s.setShutdownRequest = context.WithCancel(context.Background())
	return s
}

// ServerBind binds the socket.
func (s *TCPServer) ServerBind() error {
	address := s.ServerAddress
	if strings.HasPrefix(address, ":") {
		address = "0.0.0.0" + address
	}
	addrs, err := socket.Getaddrinfo(context.Background(), s.AddressFamily, address)
	if err != nil {
		return err
	}
	if s.socket, err = socket.New(s.AddressFamily, socket.SOCK_STREAM, 0); err != nil {
		return err
	}
	if s.AllowReuseAddress {
		if err := s.socket.Setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	if err := s.socket.Bind(addrs[0]); err != nil {
		return fmt.Errorf("%v: %w", addrs[0], err)
	}
	bound, err := s.socket.Getsockname()
	if err != nil {
		return err
	}
	s.ServerAddress = bound.String()
	return nil
}

// ServerActivate lets clients connect.
func (s *TCPServer) ServerActivate() error {
	// Python's accept blocks if the client that made the socket ready has gone in the meantime, and nothing ends that.
	s.socket.Setblocking(false)
	return s.socket.Listen(s.RequestQueueSize)
}

// Fileno makes the server a file object, for the selector.
func (s *TCPServer) Fileno() (int, error) { return s.socket.Fileno() }

// ServeForever handles requests until Shutdown, and calls ServiceActions at least every pollInterval.
func (s *TCPServer) ServeForever(pollInterval time.Duration) error {
	defer close(s.isShutDown)
	selector, err := selectors.NewPollSelector()
	if err != nil {
		return err
	}
	defer selector.Close()
	if _, err := selector.Register(s, selectors.EventRead, nil); err != nil {
		return err
	}
	// Python finds out about a Shutdown at the next poll only.
	defer context.AfterFunc(s.shutdownRequest, func() { selector.Wakeup() })()

	for s.shutdownRequest.Err() == nil {
		ready, err := selector.Select(pollInterval)
		if err != nil {
			return err
		}
		if len(ready) > 0 && s.shutdownRequest.Err() == nil {
			s.handleRequestNoblock()
		}
		s.MixIn.ServiceActions(s)
	}
	return nil
}

// Shutdown ends ServeForever and waits for that.
func (s *TCPServer) Shutdown() {
	s.setShutdownRequest()
	<-s.isShutDown
}

func (s *TCPServer) handleRequestNoblock() {
	request, clientAddress, err := s.socket.Accept()
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	if err != nil {
		// Python says nothing, and spins, because the socket stays ready.
		log.Printf("%v; next try in %v", err, acceptRetryDelay)
		select {
		case <-time.After(acceptRetryDelay):
		case <-s.shutdownRequest.Done():
		}
		return
	}
	if err := s.MixIn.ProcessRequest(s, request, clientAddress); err != nil {
		s.HandleError(clientAddress, err)
		s.ShutdownRequest(request)
	}
}

// FinishRequest handles a request. A panic of the handler is an error.
func (s *TCPServer) FinishRequest(request *socket.Socket, clientAddress socket.Addr) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.RequestHandler.Handle(request, clientAddress)
}

// HandleError reports the error of a request.
func (s *TCPServer) HandleError(clientAddress socket.Addr, err error) {
	log.Printf("exception occurred during processing of request from %v: %v", clientAddress, err)
}

// ShutdownRequest ends a connection and closes it.
func (s *TCPServer) ShutdownRequest(request *socket.Socket) {
	request.Shutdown(socket.SHUT_WR) // also if another process has the connection too; it may be gone
	s.CloseRequest(request)
}

// CloseRequest closes a connection, but for other processes that have it too.
func (s *TCPServer) CloseRequest(request *socket.Socket) { request.Close() }

// ServerClose closes the socket, and waits until all requests are handled or ends them. ServeForever must have ended.
func (s *TCPServer) ServerClose() error {
	err := s.socket.Close()
	s.MixIn.ServerClose(s)
	return err
}

// ThreadingMixIn handles each request in a goroutine. Python's has daemon_threads, which end with the process; here the
// server, when it is closed without BlockOnClose, closes their connections.
type ThreadingMixIn struct {
	threads  sync.WaitGroup
	mu       sync.Mutex
	requests map[*socket.Socket]bool // that are being handled
}

// ProcessRequest starts a goroutine for a request.
func (m *ThreadingMixIn) ProcessRequest(s *TCPServer, request *socket.Socket, clientAddress socket.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[request] = true
	m.threads.Go(func() { m.processRequestThread(s, request, clientAddress) })
	return nil
}

func (m *ThreadingMixIn) processRequestThread(s *TCPServer, request *socket.Socket, clientAddress socket.Addr) {
	err := s.FinishRequest(request, clientAddress)
	if err != nil && !errors.Is(err, os.ErrClosed) { // which is what ServerClose does
		s.HandleError(clientAddress, err)
	}
	s.ShutdownRequest(request)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.requests, request)
}

// ServiceActions does nothing.
func (m *ThreadingMixIn) ServiceActions(*TCPServer) {}

// ServerClose waits for the goroutines or closes their connections.
func (m *ThreadingMixIn) ServerClose(s *TCPServer) {
	if s.BlockOnClose {
		m.threads.Wait()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for request := range m.requests {
		s.CloseRequest(request)
	}
}

// ForkingMixIn handles each request in a process. Python's, with block_on_close=False, leaves the processes alone when the
// server is closed; this one ends them.
//
// A Go program cannot fork, because the child would have only one of its threads. The child is the same program from its
// beginning instead, which has to call ServeForked.
type ForkingMixIn struct {
	MaxChildren    int // with so many it accepts nothing
	activeChildren map[int]bool
	childEnded     chan os.Signal
}

const (
	clientEnv = "SOCKETSERVER_CLIENT" // in a child, the address of its client
	requestFd = 3                     // in a child, its request
)

// ProcessRequest starts a process for a request.
func (m *ForkingMixIn) ProcessRequest(s *TCPServer, request *socket.Socket, clientAddress socket.Addr) error {
	fd, err := request.Fileno()
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(program, os.Args, &syscall.ProcAttr{
		Env:   append(os.Environ(), clientEnv+"="+clientAddress.String()),
		Files: []uintptr{0, 1, 2, requestFd: uintptr(fd)}, // all others are close-on-exec
	})
	if err != nil {
		return os.NewSyscallError("fork", err)
	}
	m.activeChildren[pid] = true
	s.CloseRequest(request)
	return nil
}

// ServeForked handles the request that this process has been started for by a ForkingTCPServer, and ends it. In any other
// process it does nothing.
func ServeForked(handler BaseRequestHandler) {
	client, forked := os.LookupEnv(clientEnv)
	if !forked {
		return
	}
	signal.Ignore(unix.SIGINT) // which a terminal sends to all processes, and the server decides when they end
	clientAddress, err1 := netip.ParseAddrPort(client)
	request, err2 := socket.Adopt(requestFd)
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}
	s := newTCPServer("", handler, nil)
	err := s.FinishRequest(request, clientAddress)
	if err != nil {
		s.HandleError(clientAddress, err)
	}
	s.ShutdownRequest(request)
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// ServiceActions reaps the children that have ended, and while there are too many waits for one to end.
func (m *ForkingMixIn) ServiceActions(s *TCPServer) {
	for m.collectChildren(unix.WNOHANG); len(m.activeChildren) >= m.MaxChildren; m.collectChildren(unix.WNOHANG) {
		select {
		case <-m.childEnded:
		case <-s.shutdownRequest.Done(): // Python goes on waiting
			return
		}
	}
}

func (m *ForkingMixIn) collectChildren(options int) {
	for pid := range m.activeChildren {
		n, err := unix.Wait4(pid, nil, options, nil)
		for err == unix.EINTR {
			n, err = unix.Wait4(pid, nil, options, nil)
		}
		if n == pid || err != nil {
			delete(m.activeChildren, pid)
		}
	}
}

// ServerClose waits for the children or ends them.
func (m *ForkingMixIn) ServerClose(s *TCPServer) {
	if !s.BlockOnClose {
		for pid := range m.activeChildren {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	m.collectChildren(0)
	signal.Stop(m.childEnded)
}

// MyServer is the service.
type MyServer struct{}

// Handle serves a client.
func (MyServer) Handle(conn *socket.Socket, _ socket.Addr) error {
	if err := conn.Sendall([]byte("Welcome. Send 0 for an operator, exit to leave.\n")); err != nil {
		return err
	}
	lines := bufio.NewScanner(rfile{conn}) // which does not take more than 64 KiB for a line
	for lines.Scan() && lines.Text() != "exit" {
		answer := "Please try again.\n"
		if lines.Text() == "0" {
			answer = "This call may be recorded.\n"
		}
		if err := conn.Sendall([]byte(answer)); err != nil {
			return err
		}
	}
	return lines.Err()
}

// An rfile is a socket as an io.Reader, like the rfile of Python's StreamRequestHandler.
type rfile struct{ *socket.Socket }

// Read receives. No bytes are the end.
func (f rfile) Read(p []byte) (int, error) {
	n, err := f.Recv(p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("socketserver: ")
	ServeForked(MyServer{})

	flags := flag.NewFlagSet("socketserver", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: socketserver [-listen HOST:PORT] [-mode threading|forking] [-block-on-close]")
		flags.PrintDefaults()
	}
	listen := flags.String("listen", "localhost:8009", "serve on `HOST:PORT`; port 0 picks a free one")
	mode := flags.String("mode", "threading", "`threading` or forking: what handles each client")
	blockOnClose := flags.Bool("block-on-close", false, "when interrupted, wait until all clients have gone")
	flags.Parse(os.Args[1:])
	newServer, ok := map[string]func(string, BaseRequestHandler) *TCPServer{
		"threading": NewThreadingTCPServer,
		"forking":   NewForkingTCPServer,
	}[*mode]
	usageError := func(format string, argument string) {
		log.Printf(format, argument)
		flags.Usage()
		os.Exit(2)
	}
	if !ok {
		usageError("unknown mode %q", *mode)
	}
	if flags.NArg() > 0 {
		usageError("unexpected argument %q", flags.Arg(0))
	}

	server := newServer(*listen, MyServer{})
	server.RequestQueueSize = socket.SOMAXCONN
	server.AllowReuseAddress = true
	server.BlockOnClose = *blockOnClose
	if err := serve(server); err != nil {
		log.Fatal(err)
	}
}

// serve serves until the program is interrupted.
func serve(server *TCPServer) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer context.AfterFunc(ctx, func() {
		stop() // the next one ends the program at once
		server.Shutdown()
	})()
	if err := server.ServerBind(); err != nil {
		return err
	}
	if err := server.ServerActivate(); err != nil {
		return err
	}
	fmt.Println(server.ServerAddress)
	return errors.Join(server.ServeForever(500*time.Millisecond), server.ServerClose())
}
