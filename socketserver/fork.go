//go:build unix || windows

package socketserver

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"strconv"
	"time"

	"github.com/pyselect/pyselect/socket"
)

// forkedEnv is set in a process that has to handle a request: to the number of the process that has started it.
const forkedEnv = "PYSELECT_SOCKETSERVER_FORKED"

// A forked is what a process reads from its standard input that has to handle a request.
type forked struct {
	Handler       string // its type
	Server        net.Addr
	ClientAddress net.Addr
	Datagram      bool
	Data          []byte
	Shared        []byte // what the process needs to get the socket
}

// forkable has what ServeForked was given, by the types of the handlers. It is nil before ServeForked.
var forkable map[string][]func() RequestHandler

func init() {
	gob.Register(socket.InetAddr{})
	gob.Register(socket.UnixAddr(""))
	gob.Register(socket.RawAddr{})
}

// ServeForked handles the request for which a server of the Mode Forking has started this process, and ends it. In any other
// process, it allows such servers. Call it at the beginning of the main function, with what makes the handlers of all of them,
// which must be of different types.
//
// The process has the arguments, the environment, the working directory, and the standard output and error of the one that has
// started it, but not the standard input. It ignores interrupts, because a terminal interrupts all processes, and the server
// decides when they end. Its status is 0, or 1 if the handler has failed, which it logs.
func ServeForked(newHandlers ...func() RequestHandler) {
	forkable = make(map[string][]func() RequestHandler)
	for _, newHandler := range newHandlers {
		if newHandler != nil {
			name := typeName(newHandler)
			forkable[name] = append(forkable[name], newHandler)
		}
	}
	if os.Getenv(forkedEnv) != strconv.Itoa(os.Getppid()) {
		return
	}
	os.Unsetenv(forkedEnv)
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // to ignore it would have no effect on Windows
	if err := serveForked(); err != nil {
		log.Fatal(err)
	}
	os.Exit(0)
}

// typeName returns the type of the handlers that a function makes.
func typeName(newHandler func() RequestHandler) string {
	t := reflect.TypeOf(newHandler())
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "nil"
	}
	return t.PkgPath() + "." + t.Name()
}

// canFork checks that processes know how to make handlers of a type.
func canFork(handlerType string) error {
	switch {
	case forkable == nil:
		return fmt.Errorf("the main function has not called ServeForked: %w", os.ErrInvalid)
	case len(forkable[handlerType]) != 1:
		return fmt.Errorf("ServeForked was given handlers of type %s %d times, want once: %w", handlerType, len(forkable[handlerType]), os.ErrInvalid)
	}
	return nil
}

func serveForked() error {
	var f forked
	if err := gob.NewDecoder(os.Stdin).Decode(&f); err != nil {
		return fmt.Errorf("socketserver: no request on standard input: %w", err)
	}
	sock, err := inherited(f.Shared)
	if err != nil {
		return err
	}
	if err := canFork(f.Handler); err != nil { // it is another program by now
		return err
	}
	s, err := newServer(forkable[f.Handler][0], Forking)
	if err != nil {
		return err
	}
	s.setClosing()
	s.address, s.datagrams = f.Server, f.Datagram
	request := Request{sock, f.Data}
	defer s.ShutdownRequest(request)
	err = s.finish(s, request, f.ClientAddress)
	if err != nil && !isClients(request, err) {
		return fmt.Errorf("exception occurred during processing of request from %v: %w", f.ClientAddress, err)
	}
	return nil
}

// fork lets a process handle a request. It waits while there are too many.
func (s *Server) fork(hooks Hooks, request Request, clientAddress net.Addr) error {
	select {
	case s.children() <- struct{}{}:
	default:
		select {
		case s.children() <- struct{}{}:
		case <-s.untilShutdown(): // Python goes on waiting
			hooks.ShutdownRequest(request)
			return nil
		}
	}
	child, tell, err := s.start(request, clientAddress)
	for isScarce(err) {
		log.Printf("%v; next try in %v", err, acceptDelay)
		select {
		case <-time.After(acceptDelay):
		case <-s.untilShutdown():
			<-s.children()
			hooks.ShutdownRequest(request)
			return nil
		}
		child, tell, err = s.start(request, clientAddress)
	}
	if err != nil {
		<-s.children()
		return err
	}
	s.requests.Go(func() {
		defer context.AfterFunc(s.endRequests, func() { child.Process.Kill() })()
		if err := tell(); err != nil && !errors.Is(err, socket.ErrBrokenPipe) { // of which the process says why
			hooks.HandleError(request, clientAddress, err)
		}
		child.Wait()
		<-s.children()
	})
	hooks.CloseRequest(request)
	return nil
}

// untilShutdown returns when the ServeForever that runs has to end, or otherwise when the server is closed.
func (s *Server) untilShutdown() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isShutDown == nil {
		return s.closing.Done()
	}
	return s.shutdownRequest.Done()
}

// start starts a process that has to handle a request, which tell tells it.
func (s *Server) start(request Request, clientAddress net.Addr) (child *exec.Cmd, tell func() error, err error) {
	program, err := executable()
	if err != nil {
		return nil, nil, err
	}
	child = exec.Command(program)
	child.Args = os.Args
	child.Env = append(os.Environ(), forkedEnv+"="+strconv.Itoa(os.Getpid()))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	given, err := give(child, request.Socket)
	if err != nil {
		return nil, nil, err
	}
	defer given.Close()
	stdin, err := child.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := child.Start(); err != nil {
		return nil, nil, err
	}
	shared, err := share(child, request.Socket)
	if err != nil {
		child.Process.Kill()
		child.Wait()
		return nil, nil, err
	}
	return child, func() error {
		defer stdin.Close()
		return gob.NewEncoder(stdin).Encode(forked{s.handlerType, s.address, clientAddress, s.datagrams, request.Data, shared})
	}, nil
}
