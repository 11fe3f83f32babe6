//go:build unix || windows

// Socketserver ports ThreadingTCPServer and ForkingTCPServer of Python's socketserver module, and the service that tutorials
// of that module write on them: it greets a client, answers 0 in one way and anything else in another, and ends the
// connection at exit.
//
//	go run ./examples/socketserver -listen localhost:8009                  # a goroutine for each client
//	go run ./examples/socketserver -listen localhost:8009 -mode forking    # a process for each client
//	nc localhost 8009
//
// What one recv returns is a request, as in the originals, whose clients send no newline. If it has several lines, which nc
// may send together, each of them is one.
//
// At most 40 processes serve clients at once, which is Python's default: with 60 silent clients, 20 wait until others leave.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// A BaseRequestHandler handles a request, which for a TCP server is a connection. It blocks as long as it likes. When it
// returns, the connection is closed. Its error, or a panic, ends nothing else. It mirrors socketserver.BaseRequestHandler.
type BaseRequestHandler interface {
	Handle(request *socket.Socket, clientAddress net.Addr) error
}

// A TCPServer is what servers of connections have in common. It mirrors socketserver.TCPServer.
type TCPServer struct {
	socket         *socket.Socket
	handler        BaseRequestHandler
	processRequest func(request *socket.Socket, clientAddress net.Addr) error

	shutdownRequest    context.Context
	setShutdownRequest context.CancelFunc
	isShutDown         chan struct{}

	requests       sync.WaitGroup // that are being handled
	endRequests    context.Context
	setEndRequests context.CancelFunc
}

// activate lets clients connect to an address. If processRequest fails, the server closes the request.
func (s *TCPServer) activate(
	address string, handler BaseRequestHandler, processRequest func(*socket.Socket, net.Addr) error,
) (err error) {
	if s.socket, err = socket.CreateServer(address, &socket.ServerConfig{Backlog: socket.SOMAXCONN}); err != nil { // many clients may come at once
		return err
	}
	// Python's accept blocks if the client that made the socket ready has gone in the meantime, and nothing ends that.
	s.socket.Setblocking(false)
	s.handler, s.processRequest = handler, processRequest
	s.shutdownRequest, s.setShutdownRequest = context.WithCancel(context.Background())
	s.isShutDown = make(chan struct{})
	s.endRequests, s.setEndRequests = context.WithCancel(context.Background())
	return nil
}

// ServerAddress returns the address that the server listens at.
func (s *TCPServer) ServerAddress() (net.Addr, error) { return s.socket.Getsockname() }

// ServeForever handles requests until Shutdown. It waits for one no longer than pollInterval at a time.
func (s *TCPServer) ServeForever(pollInterval time.Duration) error {
	defer close(s.isShutDown)
	selector, err := newServerSelector()
	if err != nil {
		return err
	}
	defer selector.Close()
	if _, err := selector.Register(s.socket, selectors.EventRead, nil); err != nil {
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
		program.LogAccept(err)
		select {
		case <-time.After(program.AcceptDelay):
		case <-s.shutdownRequest.Done():
		}
		return
	}
	if err := s.processRequest(request, clientAddress); err != nil {
		s.HandleError(clientAddress, err)
		s.ShutdownRequest(request)
	}
}

// FinishRequest handles a request and closes it.
func (s *TCPServer) FinishRequest(request *socket.Socket, clientAddress net.Addr) {
	defer s.ShutdownRequest(request)
	defer func() {
		if p := recover(); p != nil {
			s.HandleError(clientAddress, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := s.handler.Handle(request, clientAddress); err != nil {
		s.HandleError(clientAddress, err)
	}
}

// HandleError reports the error of a request, unless it says that the client is gone or that the server ends.
func (s *TCPServer) HandleError(clientAddress net.Addr, err error) {
	for _, end := range []error{socket.ErrConnectionReset, socket.ErrConnectionAborted, socket.ErrBrokenPipe, os.ErrClosed, context.Canceled} {
		if errors.Is(err, end) {
			return
		}
	}
	log.Printf("exception occurred during processing of request from %v: %v", clientAddress, err)
}

// ShutdownRequest ends a connection and closes it.
func (s *TCPServer) ShutdownRequest(request *socket.Socket) {
	request.Shutdown(socket.SHUT_WR) // also if another process has the connection too; it may be gone
	request.Close()
}

// EndRequests ends the requests that are being handled. Python's servers can only wait for them, or forget them.
func (s *TCPServer) EndRequests() { s.setEndRequests() }

// ServerClose closes the socket and waits until all requests are handled. ServeForever must have ended.
func (s *TCPServer) ServerClose() error {
	err := s.socket.Close()
	s.requests.Wait()
	return err
}

// A ThreadingTCPServer handles each request in a goroutine. It mirrors socketserver.ThreadingTCPServer.
type ThreadingTCPServer struct{ TCPServer }

// NewThreadingTCPServer returns a server that listens at an address of the form host:port.
func NewThreadingTCPServer(address string, handler BaseRequestHandler) (*ThreadingTCPServer, error) {
	s := &ThreadingTCPServer{}
	return s, s.activate(address, handler, s.ProcessRequest)
}

// ProcessRequest starts a goroutine for a request.
func (s *ThreadingTCPServer) ProcessRequest(request *socket.Socket, clientAddress net.Addr) error {
	s.requests.Go(func() {
		defer context.AfterFunc(s.endRequests, func() { request.Close() })()
		s.FinishRequest(request, clientAddress)
	})
	return nil
}

// A ForkingTCPServer handles each request in a process. It mirrors socketserver.ForkingTCPServer.
//
// A Go program cannot fork, because the child would have only one of its threads. The child is the same program from its
// beginning instead, which has to call ServeForked.
type ForkingTCPServer struct {
	TCPServer
	activeChildren chan struct{} // has an element for each
}

const (
	maxChildren = 40
	clientEnv   = "SOCKETSERVER_CLIENT" // in a child, the address of its client
)

// NewForkingTCPServer returns a server that listens at an address of the form host:port.
func NewForkingTCPServer(address string, handler BaseRequestHandler) (*ForkingTCPServer, error) {
	s := &ForkingTCPServer{activeChildren: make(chan struct{}, maxChildren)}
	return s, s.activate(address, handler, s.ProcessRequest)
}

// ProcessRequest starts a process for a request. While there are too many, it waits for one to end.
func (s *ForkingTCPServer) ProcessRequest(request *socket.Socket, clientAddress net.Addr) error {
	select {
	case s.activeChildren <- struct{}{}:
	case <-s.shutdownRequest.Done(): // Python goes on waiting
		return s.shutdownRequest.Err()
	}
	child, err := fork(request, clientAddress)
	if err != nil {
		<-s.activeChildren
		return err
	}
	s.requests.Go(func() {
		defer context.AfterFunc(s.endRequests, func() { child.Kill() })()
		child.Wait()
		<-s.activeChildren
	})
	return nil
}

// fork starts a process that handles a request, and gives the request up here.
func fork(request *socket.Socket, clientAddress net.Addr) (*os.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	fd, err := request.Detach()
	if err != nil {
		return nil, err
	}
	return startWith(fd, program, &os.ProcAttr{
		Env:   append(os.Environ(), clientEnv+"="+clientAddress.String()),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
}

// ServeForked handles the request that this process has been started for by a ForkingTCPServer, and ends it. In any other
// process it does nothing.
func ServeForked(handler BaseRequestHandler) {
	client, forked := os.LookupEnv(clientEnv)
	if !forked {
		return
	}
	// A terminal interrupts all processes, and the server decides when they end. To ignore it would have no effect on Windows.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	clientAddress, err1 := netip.ParseAddrPort(client)
	request, err2 := inherited()
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}
	server := TCPServer{handler: handler}
	server.FinishRequest(request, socket.InetAddr{AddrPort: clientAddress})
	os.Exit(0)
}

// MyServer is the service.
type MyServer struct{}

// Handle serves a client.
func (MyServer) Handle(conn *socket.Socket, _ net.Addr) error {
	if err := conn.Sendall([]byte("Welcome. Send 0 for an operator, exit to leave.\n")); err != nil {
		return err
	}
	data := make([]byte, 1024)
	for {
		n, err := conn.Recv(data)
		if n == 0 || err != nil {
			return err
		}
		for line := range strings.Lines(string(data[:n])) {
			answer := "Please try again.\n"
			switch strings.TrimSpace(line) {
			case "":
				continue
			case "exit":
				return nil
			case "0":
				answer = "This call may be recorded.\n"
			}
			if err := conn.Sendall([]byte(answer)); err != nil {
				return err
			}
		}
	}
}

func main() {
	flags := program.Flags("socketserver", "[-listen HOST:PORT] [-mode threading|forking] [-block-on-close]")
	ServeForked(MyServer{})

	listen := flags.String("listen", "localhost:8009", "serve on `HOST:PORT`; port 0 picks a free one")
	mode := flags.String("mode", "threading", "`threading` or forking: what handles each client")
	blockOnClose := flags.Bool("block-on-close", false, "at the first interrupt, wait until all clients have gone")
	program.Parse(flags)

	var server server
	var err error
	switch *mode {
	case "threading":
		server, err = NewThreadingTCPServer(*listen, MyServer{})
	case "forking":
		server, err = NewForkingTCPServer(*listen, MyServer{})
	default:
		program.UsageError(flags, "unknown mode %q", *mode)
	}
	if err == nil {
		err = serve(server, *blockOnClose)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// A server is a ThreadingTCPServer or a ForkingTCPServer.
type server interface {
	ServerAddress() (net.Addr, error)
	ServeForever(pollInterval time.Duration) error
	Shutdown()
	EndRequests()
	ServerClose() error
}

// serve serves until the program is interrupted, and with blockOnClose until all clients have gone or the next interrupt.
func serve(server server, blockOnClose bool) error {
	address, err := server.ServerAddress()
	if err != nil {
		return err
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts
		server.Shutdown()
		<-interrupts
		server.EndRequests()
	}()
	fmt.Println(address)
	err = server.ServeForever(500 * time.Millisecond)
	if !blockOnClose {
		server.EndRequests()
	}
	return errors.Join(err, server.ServerClose())
}
