//go:build unix || windows

// Package socketserver is Python's socketserver: servers that call a handler for each request, one after another, in goroutines or in
// processes.
//
//	type handler struct{ socketserver.StreamRequestHandler }
//
//	func (h *handler) Handle() error {
//		line, err := h.Rfile.ReadBytes('\n')
//		if err != nil {
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
// A Python class is a constructor here: NewTCPServer, NewUDPServer, NewUnixStreamServer, NewUnixDatagramServer, and each of them with
// Threading and Forking before its name. What they return is a *Server, whose fields are Python's attributes. The class of the handlers
// is a function that returns a new one. A subclass that overrides methods of the server is a type with these methods that embeds the
// *Server: see [Hooks].
//
// # Forking
//
// A Go program cannot fork, because the child would have only one of its threads. The child is the same program from its beginning
// instead, so that the program has to call [ServeForked] at the beginning of its main function.
//
// # Better than Python
//
// Shutdown, ServerClose and EndRequests take effect at once, whatever the poll interval is, and Shutdown does not wait for ever if nothing
// is served. A server whose accept fails, because there are no more descriptors for instance, says so and pauses; Python's says nothing and
// spins. An accept of a client that has gone in the meantime does not block. TCP servers set SO_REUSEADDR as CreateServer does, so that
// they can be started again at once.
package socketserver

import (
	"context"
	"errors"
	"fmt"
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

// Hooks are those methods of a server that it calls itself: what subclasses of Python's BaseServer override. A *Server has all of them. To
// override some, embed it in a type that has them, and set the field Hooks of the Server:
//
//	type localServer struct{ *socketserver.Server }
//
//	func (localServer) VerifyRequest(_ socketserver.Request, clientAddress net.Addr) bool {
//		return clientAddress.(socket.InetAddr).Addr().IsLoopback()
//	}
//
//	server.Hooks = localServer{server}
//
// FinishRequest, ShutdownRequest, CloseRequest and HandleError are called by several goroutines if the Mode is Threading. In the processes
// of Forking, those of a plain Server are called. The other methods are called by the goroutine that is in ServeForever or HandleRequest.
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

// A Server is what all servers of this package are. Its methods may be called by any number of goroutines. Its fields may be changed before
// the first request. It mirrors BaseServer, TCPServer and UDPServer.
type Server struct {
	// Hooks are what overrides methods of the Server, or nil.
	Hooks Hooks

	// NewHandler returns the handler of a request: Python's RequestHandlerClass.
	NewHandler func() RequestHandler

	// Socket is the socket of the server. It is non-blocking. It mirrors socket.
	Socket *socket.Socket

	// Timeout is how long HandleRequest waits; Forever, or 5 minutes if the Mode is Forking, by default. It mirrors timeout.
	Timeout time.Duration

	// MaxPacketSize is how many bytes of a datagram are received, 8192 by default. Of a larger one the rest is lost, and on Windows all of it.
	// It mirrors max_packet_size.
	MaxPacketSize int

	// MaxChildren is how many processes there are at once, 40 by default. A server that has so many waits for the end of one of them. It
	// mirrors max_children.
	MaxChildren int

	// BlockOnClose says whether ServerClose waits for the end of all requests: true by default. It mirrors block_on_close, and daemon_threads,
	// which is the opposite.
	BlockOnClose bool

	mode      Mode
	datagrams bool
	address   net.Addr
	selector  *selectors.DefaultSelector
	requests  sync.WaitGroup // that are being processed elsewhere

	children func() chan struct{} // has an element for each process

	endRequests    context.Context
	setEndRequests context.CancelFunc

	mu              sync.Mutex
	closed          bool
	shutdownRequest context.Context // of the ServeForever that runs, or else of the next one
	setShutdown     context.CancelFunc
	isShutDown      chan struct{} // closed at the end of the ServeForever that runs; nil if there is none
}

// New returns a server on a socket, which listens or receives datagrams, for instance one with options that are set before Bind. The server
// closes it. If there is an error, it stays the caller's. It mirrors BaseServer(bind_and_activate=False).
//
// The error is os.ErrInvalid if sock or newHandler is nil, if the mode is none, or if it is Forking and the program has not called ServeForked.
func New(sock *socket.Socket, newHandler func() RequestHandler, mode Mode) (*Server, error) {
	err := check(newHandler, mode)
	if sock == nil {
		err = fmt.Errorf("the socket is nil: %w", os.ErrInvalid)
	}
	if err == nil {
		s := newServer(newHandler, mode)
		if err = s.serveOn(sock); err == nil {
			return s, nil
		}
	}
	return nil, opError("socketserver.server", -1, err)
}

// newServer returns a server that has no socket.
func newServer(newHandler func() RequestHandler, mode Mode) *Server {
	s := &Server{
		NewHandler: newHandler, Timeout: pyselect.Forever, MaxPacketSize: maxPacketSize, MaxChildren: maxChildren, BlockOnClose: true,
		mode: mode,
	}
	if mode == Forking {
		s.Timeout = childrenTimeout
	}
	s.children = sync.OnceValue(func() chan struct{} { return make(chan struct{}, max(1, s.MaxChildren)) })
	s.endRequests, s.setEndRequests = context.WithCancel(context.Background())
	s.shutdownRequest, s.setShutdown = context.WithCancel(context.Background())
	return s
}

func (s *Server) serveOn(sock *socket.Socket) (err error) {
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
	// Python's accept blocks if the client that made the socket ready has gone in the meantime, and nothing ends that.
	sock.Setblocking(false)
	s.Socket, s.datagrams = sock, sock.Type() == socket.SOCK_DGRAM
	return nil
}

// check checks the arguments of a server.
func check(newHandler func() RequestHandler, mode Mode) error {
	switch {
	case newHandler == nil:
		return fmt.Errorf("newHandler is nil: %w", os.ErrInvalid)
	case mode < Sequential || mode > Forking:
		return fmt.Errorf("mode %d, want Sequential, Threading or Forking: %w", mode, os.ErrInvalid)
	case mode == Forking && !forks.Load():
		return fmt.Errorf("the main function has not called ServeForked: %w", os.ErrInvalid)
	}
	return nil
}

func opError(op string, fd int, err error) error { return &pyselect.OpError{Op: op, Fd: fd, Err: err} }

// ServerAddress returns the address of the server, also after ServerClose. It mirrors server_address.
func (s *Server) ServerAddress() net.Addr { return s.address }

// Fileno returns the descriptor of the socket, so that the server can be given to a selector, whose loop calls HandleRequest. The error is
// os.ErrClosed after ServerClose.
func (s *Server) Fileno() (int, error) { return s.Socket.Fileno() }

// ServeForever handles requests until Shutdown or ServerClose. It calls ServiceActions after each request, and whenever none has come for
// pollInterval; Forever is possible. It mirrors serve_forever.
//
// The error is os.ErrClosed if the server was closed before, and says so if another ServeForever runs.
func (s *Server) ServeForever(pollInterval time.Duration) error {
	const op = "socketserver.serve_forever"
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return opError(op, -1, os.ErrClosed)
	case s.isShutDown != nil:
		s.mu.Unlock()
		return opError(op, -1, errors.New("the server serves already"))
	}
	s.isShutDown = make(chan struct{})
	shutdownRequest := s.shutdownRequest
	s.mu.Unlock()

	stop := context.AfterFunc(shutdownRequest, func() { s.selector.Wakeup() })
	defer func() {
		stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.isShutDown)
		s.isShutDown = nil
		s.setShutdown()
		if !s.closed {
			s.shutdownRequest, s.setShutdown = context.WithCancel(context.Background())
		}
	}()
	for shutdownRequest.Err() == nil {
		ready, err := s.selector.Select(pollInterval)
		switch {
		case shutdownRequest.Err() != nil:
			return nil
		case err != nil:
			return err
		case len(ready) > 0:
			s.handleRequestNoblock(shutdownRequest)
		}
		s.hooks().ServiceActions()
	}
	return nil
}

// HandleRequest handles one request. If none comes for the Timeout of the server, it calls HandleTimeout. It mirrors handle_request.
//
// The error is os.ErrClosed after ServerClose, which ends a HandleRequest that waits.
func (s *Server) HandleRequest() error {
	shutdownRequest, err := s.untilShutdown()
	if err != nil {
		return opError("socketserver.handle_request", -1, err)
	}
	var deadline time.Time
	timeout := s.Timeout
	if timeout != pyselect.Forever {
		deadline = time.Now().Add(timeout)
	}
	for {
		ready, err := s.selector.Select(timeout)
		if err != nil {
			return err
		}
		if len(ready) > 0 {
			s.handleRequestNoblock(shutdownRequest)
			return nil
		}
		if !deadline.IsZero() {
			if timeout = time.Until(deadline); timeout <= 0 {
				s.hooks().HandleTimeout()
				return nil
			}
		}
	}
}

// untilShutdown returns a context that is done at the next Shutdown. The error is os.ErrClosed if the server is closed.
func (s *Server) untilShutdown() (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	return s.shutdownRequest, nil
}

// Shutdown ends ServeForever and waits for that, so that it must not be called by what ServeForever calls. If none runs, the next one ends at
// once. Requests that are processed go on. It mirrors shutdown.
func (s *Server) Shutdown() {
	s.mu.Lock()
	s.setShutdown()
	isShutDown := s.isShutDown
	s.mu.Unlock()
	if isShutDown != nil {
		<-isShutDown
	}
}

// EndRequests ends the requests that are being processed, by closing their connections or killing their processes, and those that come
// after it. Python's servers can only wait for them, or forget them.
func (s *Server) EndRequests() { s.setEndRequests() }

// ServerClose closes the socket, and waits until all requests are processed, unless BlockOnClose is false. It ends ServeForever and
// HandleRequest. More than once is no error. It mirrors server_close.
func (s *Server) ServerClose() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.setShutdown()
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

func (s *Server) hooks() Hooks {
	if s.Hooks != nil {
		return s.Hooks
	}
	return s
}

func (s *Server) handleRequestNoblock(shutdownRequest context.Context) {
	hooks := s.hooks()
	request, clientAddress, err := hooks.GetRequest()
	switch {
	case err == nil:
	case errors.Is(err, socket.ErrWouldBlock), errors.Is(err, os.ErrClosed), isPeers(err):
		return
	case s.failed(err):
		log.Printf("%v; next try in %v", err, acceptDelay)
		select {
		case <-time.After(acceptDelay):
		case <-shutdownRequest.Done():
		}
		return
	default:
		log.Print(err)
		return
	}
	if !hooks.VerifyRequest(request, clientAddress) {
		hooks.ShutdownRequest(request)
		return
	}
	if err := hooks.ProcessRequest(request, clientAddress); err != nil {
		hooks.HandleError(request, clientAddress, err)
		hooks.ShutdownRequest(request)
	}
}

// failed reports whether an error of GetRequest is one of the server's socket, and not of a connection.
func (s *Server) failed(err error) bool {
	op, ok := errors.AsType[*pyselect.OpError](err)
	fd, _ := s.Fileno()
	return ok && op.Fd == fd
}

// isPeers reports whether an error says that the peer has gone, or has sent something that is too large.
func isPeers(err error) bool {
	for _, peers := range []error{
		socket.ErrConnectionReset, socket.ErrConnectionAborted, socket.ErrConnectionRefused, socket.ErrBrokenPipe, socket.ErrMessageTooLong,
	} {
		if errors.Is(err, peers) {
			return true
		}
	}
	return false
}

// GetRequest accepts a connection, or receives a datagram. The error is socket.ErrWouldBlock if there is none. It mirrors get_request.
func (s *Server) GetRequest() (request Request, clientAddress net.Addr, err error) {
	if !s.datagrams {
		request.Socket, clientAddress, err = s.Socket.Accept()
		return request, clientAddress, err
	}
	data := make([]byte, max(0, s.MaxPacketSize))
	n, clientAddress, err := s.Socket.Recvfrom(data)
	return Request{s.Socket, data[:n]}, clientAddress, err
}

// VerifyRequest returns true: the request is to be processed. It mirrors verify_request.
func (s *Server) VerifyRequest(Request, net.Addr) bool { return true }

// ProcessRequest calls FinishRequest and ShutdownRequest, itself or in a goroutine or a process. If there is an error, the caller has to call
// HandleError and ShutdownRequest. It mirrors process_request.
func (s *Server) ProcessRequest(request Request, clientAddress net.Addr) error {
	hooks := s.hooks()
	switch s.mode {
	case Threading:
		s.requests.Go(func() {
			defer hooks.ShutdownRequest(request)
			defer s.untilEndRequests(request)()
			if err := hooks.FinishRequest(request, clientAddress); err != nil {
				hooks.HandleError(request, clientAddress, err)
			}
		})
		return nil
	case Forking:
		return s.fork(request, clientAddress)
	}
	defer s.untilEndRequests(request)()
	if err := hooks.FinishRequest(request, clientAddress); err != nil {
		return err
	}
	hooks.ShutdownRequest(request)
	return nil
}

// untilEndRequests lets EndRequests close a connection, until stop is called.
func (s *Server) untilEndRequests(request Request) (stop func() bool) {
	if s.datagrams {
		return func() bool { return true }
	}
	return context.AfterFunc(s.endRequests, func() { request.Close() })
}

// FinishRequest lets a new handler handle a request: Init, Setup, Handle and, if Setup has succeeded, Finish in any case. The error is the
// first one of these methods, or says which panic there was. It mirrors finish_request.
func (s *Server) FinishRequest(request Request, clientAddress net.Addr) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
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

// HandleError logs an error of ProcessRequest, unless it says that the client has gone or that EndRequests was called. It mirrors handle_error.
func (s *Server) HandleError(_ Request, clientAddress net.Addr, err error) {
	if !isPeers(err) && !(errors.Is(err, os.ErrClosed) && s.endRequests.Err() != nil) {
		log.Printf("exception occurred during processing of request from %v: %v", clientAddress, err)
	}
}

// HandleTimeout does nothing. It mirrors handle_timeout.
func (s *Server) HandleTimeout() {}

// ServiceActions does nothing. It mirrors service_actions.
func (s *Server) ServiceActions() {}
