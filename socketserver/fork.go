//go:build unix || windows

package socketserver

import (
	"context"
	"encoding/gob"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"

	"github.com/pyselect/pyselect/socket"
)

// forkedEnv is set in a process that has to handle a request.
const forkedEnv = "PYSELECT_SOCKETSERVER_FORKED"

// forks is whether this process can have processes that handle requests, because it has called ServeForked.
var forks atomic.Bool

// A forked is what a process reads from its standard input that has to handle a request.
type forked struct {
	Handler       string // its type
	ClientAddress net.Addr
	Datagram      bool
	Data          []byte
	Shared        []byte // what the process needs to get the socket
}

func init() {
	gob.Register(socket.InetAddr{})
	gob.Register(socket.UnixAddr(""))
	gob.Register(socket.RawAddr{})
}

// ServeForked handles the request for which a server of the Mode Forking has started this process, and ends it. In any other process, it
// allows such servers. Call it at the beginning of the main function, with what makes the handlers of all of them, which must be of different
// types.
//
// The process has the arguments, the environment, the working directory, and the standard output and error of the one that has started
// it. It ignores interrupts, because a terminal interrupts all processes, and the server decides when they end. Its status is 0, or 1 if the
// handler has failed, which it logs.
func ServeForked(newHandlers ...func() RequestHandler) {
	if os.Getenv(forkedEnv) == "" {
		forks.Store(true)
		return
	}
	os.Unsetenv(forkedEnv)
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // to ignore it would have no effect on Windows
	if err := serveForked(newHandlers); err != nil {
		log.Fatal(err)
	}
	os.Exit(0)
}

func serveForked(newHandlers []func() RequestHandler) error {
	var f forked
	if err := gob.NewDecoder(os.Stdin).Decode(&f); err != nil {
		return fmt.Errorf("socketserver: no request on standard input: %w", err)
	}
	sock, err := inherited(f.Shared)
	if err != nil {
		return err
	}
	for _, newHandler := range newHandlers {
		if typeName(newHandler) == f.Handler {
			s := newServer(newHandler, Forking)
			s.closed, s.datagrams = true, f.Datagram
			return s.serveForked(Request{sock, f.Data}, f.ClientAddress)
		}
	}
	return fmt.Errorf("socketserver: ServeForked has no handler of type %s", f.Handler)
}

func (s *Server) serveForked(request Request, clientAddress net.Addr) error {
	defer s.ShutdownRequest(request)
	err := s.FinishRequest(request, clientAddress)
	if isPeers(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("exception occurred during processing of request from %v: %w", clientAddress, err)
	}
	return nil
}

func typeName(newHandler func() RequestHandler) string { return fmt.Sprintf("%T", newHandler()) }

// fork lets a process handle a request. It waits while there are too many.
func (s *Server) fork(request Request, clientAddress net.Addr) error {
	shutdownRequest, err := s.untilShutdown()
	if err != nil {
		return err
	}
	select {
	case s.children() <- struct{}{}:
	case <-shutdownRequest.Done(): // Python goes on waiting
		s.hooks().ShutdownRequest(request)
		return nil
	}
	child, tell, err := s.start(request, clientAddress)
	if err != nil {
		<-s.children()
		return err
	}
	s.requests.Go(func() {
		defer context.AfterFunc(s.endRequests, func() { child.Process.Kill() })()
		if err := tell(); err != nil {
			s.hooks().HandleError(request, clientAddress, err)
		}
		child.Wait()
		<-s.children()
	})
	s.hooks().CloseRequest(request)
	return nil
}

// start starts a process that has to handle a request, which tell tells it.
func (s *Server) start(request Request, clientAddress net.Addr) (child *exec.Cmd, tell func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	child = exec.Command(program)
	child.Args = os.Args
	child.Env = append(os.Environ(), forkedEnv+"=1")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	shared, err := startWith(child, request.Socket)
	if err != nil {
		return nil, nil, err
	}
	return child, func() error {
		defer stdin.Close()
		return gob.NewEncoder(stdin).Encode(forked{typeName(s.NewHandler), clientAddress, s.datagrams, request.Data, shared})
	}, nil
}
