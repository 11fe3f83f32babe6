//go:build unix || windows

// Package socketserver is Python's socketserver: servers that call a handler for each request, one after another, in goroutines
// or in processes.
//
//	type handler struct {
//		socketserver.StreamRequestHandler
//	}
//
//	func (h *handler) Handle() error {
//		line, err := h.Rfile.ReadBytes('\n')
//		if err != nil && err != io.EOF {
//			return err
//		}
//		_, err = h.Wfile.Write(bytes.ToUpper(line))
//		return err
//	}
//
//	server, err := socketserver.NewThreadingTCPServer("localhost:9999", func() socketserver.RequestHandler { return &handler{} })
//	if err != nil {
//		return err
//	}
//	defer server.ServerClose()
//	return server.ServeForever(500 * time.Millisecond)
//
// A Python class is a constructor here: NewTCPServer, NewUDPServer, NewUnixStreamServer, NewUnixDatagramServer, and each of them
// with Threading and Forking before its name. What they return is a *Server, whose fields are Python's attributes. The class of
// the handlers is a function that returns a new one. A subclass that overrides methods of the server is a type with these methods
// that embeds the *Server: see [Hooks].
//
// # Forking
//
// A Go program cannot fork, because the child would have only one of its threads. The child is the same program from its
// beginning instead, so that the program has to call [ServeForked] at the beginning of its main function.
//
// # Better than Python
//
// Shutdown, ServerClose and EndRequests take effect at once, whatever the poll interval is, and Shutdown does not wait for ever
// if nothing is served. A server whose accept fails, because there are no more descriptors for instance, says so and pauses;
// Python's says nothing and spins. An accept of a client that has gone in the meantime does not block. TCP servers set
// SO_REUSEADDR as CreateServer does, so that they can be started again at once.
package socketserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// A Mode says how a server processes requests.
type Mode int

const (
	Sequential Mode = iota // one after another
	Threading              // each in a goroutine: Python's ThreadingMixIn
	Forking                // each in a process: Python's ForkingMixIn
)

// A Request is a connection, or a datagram: Python's pair of the data and the server's socket, by which to answer.
type Request struct {
	*socket.Socket
	Data []byte // of a datagram
}

// Hooks are those methods of a server that it calls itself: what subclasses of Python's BaseServer override. A *Server has all of
// them. To override some, embed it in a type that has them, and set the field Hooks of the Server:
//
//	type localServer struct{ *socketserver.Server }
//
//	func (localServer) VerifyRequest(_ socketserver.Request, clientAddress net.Addr) bool {
//		return clientAddress.(socket.InetAddr).Addr().IsLoopback()
//	}
//
//	server.Hooks = localServer{server}
//
// If the Mode is Threading, FinishRequest, ShutdownRequest, CloseRequest and HandleError are called by a goroutine for each
// request, and if it is Forking, HandleError is called so. The other calls are those of the goroutine that is in ServeForever or
// HandleRequest. In the processes of Forking, the methods of a plain Server are called.
type Hooks interface {
	GetRequest() (request Request, clientAddress net.Addr, err error)
	VerifyRequest(request Request, clientAddress net.Addr) bool
	ProcessRequest(request Request, clientAddress net.Addr) error
	FinishRequest(request Request, clientAddress net.Addr) error
	ShutdownRequest(request Request)
	CloseRequest(request Request)
	HandleError(request Request, clientAddress net.Addr, err error)
	HandleTimeout()
	ServiceActions()
}

// Python's defaults.
const (
	maxPacketSize   = 8192
	maxChildren     = 40
	childrenTimeout = 300 * time.Second
)

// acceptDelay is how long a server pauses that cannot get a request. Its socket stays ready meanwhile, and the loop would spin.
const acceptDelay = time.Second

// A Server is what all servers of this package are. It comes from New or another constructor. Its methods may be called by any
// number of goroutines. Its fields may be changed before the first request. It mirrors BaseServer, TCPServer and UDPServer.
type Server struct {
	// Hooks are what overrides methods of the Server, or nil.
	Hooks Hooks

	// NewHandler returns the handler of a request: Python's RequestHandlerClass. The processes of Forking call what ServeForked
	// was given.
	NewHandler func() RequestHandler

	// Socket is the socket of the server. If it listens, it is non-blocking. It mirrors socket.
	Socket *socket.Socket

	// Timeout is how long HandleRequest waits; Forever, or 5 minutes if the Mode is Forking, by default. It mirrors timeout.
	Timeout time.Duration

	// MaxPacketSize is how many bytes of a datagram are received, 8192 by default; less than 0 is 0. Of a larger one the rest is
	// lost, and on Windows all of it. It mirrors max_packet_size.
	MaxPacketSize int

	// MaxChildren is how many processes there are at once, 40 by default; less than 1 is 1. A server that has so many waits for
	// the end of one of them. It mirrors max_children.
	MaxChildren int

	// BlockOnClose says whether ServerClose waits for the end of all requests: true by default. It mirrors block_on_close, and
	// daemon_threads, which is the opposite.
	BlockOnClose bool

	mode        Mode
	handlerType string // of Forking
	datagrams   bool
	address     net.Addr
	selector    *selectors.DefaultSelector // of HandleRequest

	requests sync.WaitGroup       // that are being processed; a new one is added with the lock
	children func() chan struct{} // has an element for each process

	endRequests    context.Context
	setEndRequests context.CancelFunc
	closing        context.Context // done when the server is closed
	setClosing     context.CancelFunc

	mu              sync.Mutex
	shutdownRequest context.Context // of the ServeForever that runs, or else of the next one; done when the server is closed, too
	setShutdown     context.CancelFunc
	isShutDown      chan struct{} // closed at the end of the ServeForever that runs; nil if there is none
}

// The names of operations in errors.
const (
	newOp           = "socketserver.server"
	serveForeverOp  = "socketserver.serve_forever"
	handleRequestOp = "socketserver.handle_request"
)

// New returns a server on a socket, which listens or receives datagrams, for instance one with options that are set before Bind.
// The server closes it. If there is an error, it stays the caller's. It mirrors BaseServer(bind_and_activate=False).
//
// The error is os.ErrInvalid if sock or newHandler is nil, if sock is a stream that does not listen, if the mode is none, or if
// it is Forking and the program has not called ServeForked, with what makes handlers of this type, once.
func New(sock *socket.Socket, newHandler func() RequestHandler, mode Mode) (*Server, error) {
	s, err := newServer(newHandler, mode)
	if err == nil && sock == nil {
		err = fmt.Errorf("the socket is nil: %w", os.ErrInvalid)
	}
	if err == nil {
		err = s.serveOn(sock)
	}
	if err != nil {
		return nil, opError(newOp, -1, err)
	}
	return s, nil
}

// newServer returns a server that has no socket.
func newServer(newHandler func() RequestHandler, mode Mode) (*Server, error) {
	switch {
	case newHandler == nil:
		return nil, fmt.Errorf("newHandler is nil: %w", os.ErrInvalid)
	case mode < Sequential || mode > Forking:
		return nil, fmt.Errorf("mode %d, want Sequential, Threading or Forking: %w", mode, os.ErrInvalid)
	}
	s := &Server{
		NewHandler: newHandler, Socket: new(socket.Socket), Timeout: pyselect.Forever, MaxPacketSize: maxPacketSize, MaxChildren: maxChildren,
		BlockOnClose: true, mode: mode,
	}
	if mode == Forking {
		s.Timeout = childrenTimeout
		s.handlerType = typeName(newHandler)
		if err := canFork(s.handlerType); err != nil {
			return nil, err
		}
	}
	s.children = sync.OnceValue(func() chan struct{} { return make(chan struct{}, max(1, s.MaxChildren)) })
	s.endRequests, s.setEndRequests = context.WithCancel(context.Background())
	s.closing, s.setClosing = context.WithCancel(context.Background())
	s.shutdownRequest, s.setShutdown = context.WithCancel(s.closing)
	return s, nil
}

func (s *Server) serveOn(sock *socket.Socket) (err error) {
	if sock.Type() == socket.SOCK_STREAM {
		// Whoever does not know the option says nothing.
		if listens, err := sock.Getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN); listens == 0 && err == nil {
			return fmt.Errorf("%v does not listen: %w", sock, os.ErrInvalid)
		}
	}
	if s.address, err = sock.Getsockname(); err != nil {
		return err
	}
	if s.selector, err = selectors.NewDefaultSelector(); err != nil {
		return err
	}
	if _, err := s.selector.Register(sock, selectors.EventRead, nil); err != nil {
		s.selector.Close()
		return err
	}
	s.Socket, s.datagrams = sock, sock.Type() == socket.SOCK_DGRAM
	if !s.datagrams {
		// Python's accept blocks if the client that made the socket ready has gone in the meantime, and nothing ends that.
		sock.Setblocking(false)
	}
	return nil
}

func opError(op string, fd int, err error) error { return &pyselect.OpError{Op: op, Fd: fd, Err: err} }

// ServerAddress returns the address of the server, also after ServerClose. It mirrors server_address.
func (s *Server) ServerAddress() net.Addr { return s.address }

// Fileno returns the descriptor of the socket, so that the server can be given to a selector, whose loop calls HandleRequest. The
// error is os.ErrClosed after ServerClose.
func (s *Server) Fileno() (int, error) { return s.Socket.Fileno() }

// ServeForever handles requests until Shutdown or ServerClose. It calls ServiceActions after each request, and whenever none has
// come for pollInterval; Forever is possible. It mirrors serve_forever.
//
// The error is os.ErrClosed if the server was closed before, and says so if another ServeForever runs.
func (s *Server) ServeForever(pollInterval time.Duration) error {
	shutdownRequest, err := s.beginServing()
	if err != nil {
		return opError(serveForeverOp, -1, err)
	}
	defer s.endServing()
	selector, err := selectors.NewDefaultSelector() // of its own: whoever waits at the same time must not take the Wakeup
	if err != nil {
		return err
	}
	defer selector.Close()
	if _, err := selector.Register(s.Socket, selectors.EventRead, nil); err != nil {
		if s.closing.Err() != nil {
			return nil
		}
		return err
	}
	defer context.AfterFunc(shutdownRequest, func() { selector.Wakeup() })()

	for shutdownRequest.Err() == nil {
		ready, err := selector.Select(pollInterval)
		switch {
		case shutdownRequest.Err() != nil:
			return nil
		case err != nil:
			return err
		case len(ready) > 0:
			if err := s.handleRequestNoblock(); err != nil && shutdownRequest.Err() == nil {
				log.Printf("%v; next try in %v", err, acceptDelay)
				select {
				case <-time.After(acceptDelay):
				case <-shutdownRequest.Done():
				}
			}
		}
		s.hooks().ServiceActions()
	}
	return nil
}

func (s *Server) beginServing() (shutdownRequest context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing.Err() != nil:
		return nil, os.ErrClosed
	case s.isShutDown != nil:
		return nil, errors.New("the server serves already")
	}
	s.isShutDown = make(chan struct{})
	return s.shutdownRequest, nil
}

func (s *Server) endServing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.isShutDown)
	s.isShutDown = nil
	s.setShutdown()
	s.shutdownRequest, s.setShutdown = context.WithCancel(s.closing)
}

// HandleRequest handles one request. If none comes for the Timeout of the server, it calls HandleTimeout. It mirrors
// handle_request.
//
// The error is os.ErrClosed after ServerClose, which ends a HandleRequest that waits, or says why there is a request that the
// server cannot get, like EMFILE.
func (s *Server) HandleRequest() error {
	var deadline time.Time
	timeout := s.Timeout
	if timeout != pyselect.Forever {
		deadline = time.Now().Add(timeout)
	}
	for s.closing.Err() == nil {
		ready, err := s.selector.Select(timeout)
		switch {
		case errors.Is(err, os.ErrClosed):
			continue
		case err != nil:
			return err
		case len(ready) > 0:
			return s.handleRequestNoblock()
		}
		if !deadline.IsZero() {
			if timeout = time.Until(deadline); timeout <= 0 {
				s.hooks().HandleTimeout()
				return nil
			}
		}
	}
	return opError(handleRequestOp, -1, os.ErrClosed)
}

// Shutdown ends ServeForever and waits for that, so that it must not be called by what ServeForever calls. If none runs, the next
// one ends at once. Requests that are processed go on. It mirrors shutdown.
func (s *Server) Shutdown() {
	s.mu.Lock()
	s.setShutdown()
	isShutDown := s.isShutDown
	s.mu.Unlock()
	if isShutDown != nil {
		<-isShutDown
	}
}

// EndRequests ends the requests that are being processed, by shutting down and closing their connections or killing their
// processes, and those that come after it. Python's servers can only wait for them, or forget them.
func (s *Server) EndRequests() { s.setEndRequests() }

// ServerClose closes the socket, ends ServeForever and HandleRequest, and waits until all requests are processed, unless
// BlockOnClose is false. So a handler must not call it, unless that is false. More than once is no error. It mirrors
// server_close.
func (s *Server) ServerClose() error {
	s.mu.Lock()
	closed := s.closing.Err() != nil
	s.setClosing()
	s.mu.Unlock()
	var err error
	if !closed {
		err = errors.Join(s.selector.Close(), s.Socket.Close())
	}
	if s.BlockOnClose {
		s.requests.Wait()
	}
	return err
}

// beginRequest lets ServerClose wait for one more request, until the WaitGroup's Done, unless the server is closed.
func (s *Server) beginRequest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.requests.Add(1)
	return true
}

func (s *Server) hooks() Hooks {
	if s.Hooks != nil {
		return s.Hooks
	}
	return s
}

// handleRequestNoblock handles a request, if there is one. The error is one of the server's socket, which stays ready.
func (s *Server) handleRequestNoblock() error {
	if !s.beginRequest() {
		return opError(handleRequestOp, -1, os.ErrClosed)
	}
	defer s.requests.Done()
	hooks := s.hooks()
	request, clientAddress, err := hooks.GetRequest()
	switch {
	case err == nil && request.Socket == nil:
		err = opError(handleRequestOp, -1, fmt.Errorf("GetRequest has returned no socket: %w", os.ErrInvalid))
	case err == nil:
	case s.closing.Err() != nil:
		return opError(handleRequestOp, -1, os.ErrClosed)
	case errors.Is(err, socket.ErrWouldBlock), isGone(err), errors.Is(err, socket.ErrConnectionRefused), errors.Is(err, socket.ErrMessageTooLong):
		return nil
	case isOf(s.Socket, err):
		return err
	}
	if err != nil {
		log.Print(err)
		return nil
	}
	if !hooks.VerifyRequest(request, clientAddress) {
		hooks.ShutdownRequest(request)
		return nil
	}
	if err := hooks.ProcessRequest(request, clientAddress); err != nil {
		hooks.HandleError(request, clientAddress, err)
		hooks.ShutdownRequest(request)
	}
	return nil
}

// isOf reports whether an error is that of an operation of a socket.
func isOf(sock *socket.Socket, err error) bool {
	op, ok := errors.AsType[*pyselect.OpError](err)
	fd, _ := sock.Fileno()
	return ok && op.Fd == fd
}

// isGone reports whether an error says that the other end has gone.
func isGone(err error) bool {
	for _, gone := range []error{socket.ErrConnectionReset, socket.ErrConnectionAborted, socket.ErrBrokenPipe} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// isClients reports whether an error of a handler says no more than that its client has gone.
func isClients(request Request, err error) bool {
	return errors.Is(err, io.EOF) || isGone(err) && isOf(request.Socket, err)
}

// GetRequest accepts a connection, or receives a datagram. The error is socket.ErrWouldBlock if there is none. It mirrors
// get_request.
func (s *Server) GetRequest() (request Request, clientAddress net.Addr, err error) {
	if !s.datagrams {
		request.Socket, clientAddress, err = s.Socket.Accept()
		return request, clientAddress, err
	}
	data := make([]byte, max(0, s.MaxPacketSize))
	n, clientAddress, err := s.Socket.Recvfrom(data, socket.MSG_DONTWAIT)
	return Request{s.Socket, data[:n]}, clientAddress, err
}

// VerifyRequest returns true: the request is to be processed. It mirrors verify_request.
func (s *Server) VerifyRequest(Request, net.Addr) bool { return true }

// ProcessRequest calls FinishRequest and ShutdownRequest, itself or in a goroutine or a process. If there is an error, the caller
// has to call HandleError and ShutdownRequest. It mirrors process_request.
func (s *Server) ProcessRequest(request Request, clientAddress net.Addr) error {
	hooks := s.hooks()
	switch s.mode {
	case Threading:
		s.requests.Go(func() {
			defer hooks.ShutdownRequest(request)
			if err := s.finish(hooks, request, clientAddress); err != nil {
				hooks.HandleError(request, clientAddress, err)
			}
		})
		return nil
	case Forking:
		return s.fork(hooks, request, clientAddress)
	}
	if err := s.finish(hooks, request, clientAddress); err != nil {
		return err
	}
	hooks.ShutdownRequest(request)
	return nil
}

// finish calls FinishRequest, until EndRequests. A panic is an error, as an exception is one.
func (s *Server) finish(hooks Hooks, request Request, clientAddress net.Addr) (err error) {
	if !s.datagrams {
		// A duplicate of the socket, like a NetConn, ends with its connection.
		defer context.AfterFunc(s.endRequests, func() {
			request.Shutdown(socket.SHUT_RDWR)
			request.Close()
		})()
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return hooks.FinishRequest(request, clientAddress)
}

// FinishRequest lets a new handler handle a request: Init, Setup, Handle and, if Setup has succeeded, Finish in any case. The
// error is the first one of these methods. It mirrors finish_request.
func (s *Server) FinishRequest(request Request, clientAddress net.Addr) (err error) {
	handler := s.NewHandler()
	handler.Init(request, clientAddress, s)
	if err := handler.Setup(); err != nil {
		return err
	}
	defer func() {
		if err2 := handler.Finish(); err == nil {
			err = err2
		}
	}()
	return handler.Handle()
}

// ShutdownRequest shuts a connection down and calls CloseRequest. It mirrors shutdown_request.
func (s *Server) ShutdownRequest(request Request) {
	if !s.datagrams {
		request.Shutdown(socket.SHUT_WR) // also if another process has the connection too; it may be gone
	}
	s.hooks().CloseRequest(request)
}

// CloseRequest closes a connection. It mirrors close_request.
func (s *Server) CloseRequest(request Request) {
	if !s.datagrams {
		request.Close()
	}
}

// HandleError logs an error of ProcessRequest, which may be a panic, unless it says that the client has gone, like io.EOF, or
// that EndRequests was called. It mirrors handle_error.
func (s *Server) HandleError(request Request, clientAddress net.Addr, err error) {
	ended := s.endRequests.Err() != nil && (isGone(err) || errors.Is(err, os.ErrClosed))
	if !ended && !isClients(request, err) {
		log.Printf("exception occurred during processing of request from %v: %v", clientAddress, err)
	}
}

// HandleTimeout does nothing. It mirrors handle_timeout.
func (s *Server) HandleTimeout() {}

// ServiceActions does nothing. It mirrors service_actions.
func (s *Server) ServiceActions() {}
