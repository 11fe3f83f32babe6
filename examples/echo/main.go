//go:build unix || windows

// Echo is the echo server of the documentation of Python's selectors module, and a client for it with several connections,
// ported to Go.
//
//	go run ./examples/echo                            # both at work, ends by itself
//	go run ./examples/echo -listen localhost:1234     # the server, until it is interrupted
//	go run ./examples/echo -connect localhost:1234    # the client
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

const (
	// A connection of the server that has so much to send back is not read from until its peer has taken some of it.
	maxUnsent = 64 << 10

	// How many lines each message of the client has.
	short, medium, long = 1, 1000, 50000
)

func main() {
	flags := program.Flags("echo", "[-listen HOST:PORT | -connect HOST:PORT] [-connections N] [-timeout DURATION] [-v]")
	listenAddr := flags.String("listen", "", "serve on `HOST:PORT` until interrupted; port 0 picks a free one")
	connectAddr := flags.String("connect", "", "be a client of the server on `HOST:PORT`")
	connections := flags.Int("connections", 5, "how many connections the client has")
	timeout := flags.Duration("timeout", 10*time.Second, "how long the server may be silent")
	program.Verbose(flags)
	program.Parse(flags)
	switch {
	case *listenAddr != "" && *connectAddr != "":
		program.UsageError(flags, "-listen and -connect exclude each other")
	case *connections < 1:
		program.UsageError(flags, "-connections is %d, want 1 or more", *connections)
	case *timeout <= 0:
		program.UsageError(flags, "-timeout is %v, want more than 0", *timeout)
	}
	program.Run(func(ctx context.Context) error {
		if *connectAddr != "" {
			return connect(ctx, *connectAddr, *connections, *timeout)
		}
		listener, addr, err := program.Listen(cmp.Or(*listenAddr, "127.0.0.1:0"))
		if err != nil {
			return err
		}
		fmt.Println("listening on", addr)
		if *listenAddr != "" {
			return serve(ctx, listener)
		}
		// Both are in this process.
		ctx, stop := context.WithCancel(ctx)
		served := make(chan error, 1)
		go func() { served <- serve(ctx, listener) }()
		err = connect(ctx, addr.String(), *connections, *timeout)
		stop()
		return errors.Join(err, <-served)
	})
}

// A callback is the data of a key: what to do when it is ready.
type callback func(key *selectors.SelectorKey, events selectors.Event)

type server struct {
	sel      *selectors.DefaultSelector
	listener *socket.Socket
	buf      []byte // that all connections receive into
}

// A connection is one of the server, and what it is registered as.
type connection struct {
	*socket.Socket
	peer   net.Addr
	unsent []byte // received and not sent back yet
	eof    bool   // the peer sends no more
}

// serve echoes what clients of the listener send, until ctx is done, and closes their connections and the listener.
func serve(ctx context.Context, listener *socket.Socket) error {
	defer listener.Close()
	listener.Setblocking(false)
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	s := &server{sel: sel, listener: listener, buf: make([]byte, 16<<10)}
	defer s.close()

	if err := s.watchListener(); err != nil {
		return err
	}
	for ready, err := range selectors.Events(ctx, sel) {
		if err != nil {
			return err
		}
		ready.Key.Data.(callback)(ready.Key, ready.Events)
	}
	return nil
}

func (s *server) close() {
	for key := range s.sel.Keys() {
		if c, ok := key.Fileobj.(*connection); ok {
			s.closeConnection(c)
		}
	}
	s.sel.Close()
}

func (s *server) closeConnection(c *connection) {
	program.Logf("%v: closed", c.peer)
	s.sel.Unregister(c)
	c.Close()
}

func (s *server) dropConnection(c *connection, err error) {
	program.Logf("%v", program.PeerError(c.peer, err))
	s.closeConnection(c)
}

func (s *server) watchListener() error {
	_, err := s.sel.Register(s.listener, selectors.EventRead, callback(s.accept))
	return err
}

// pauseListener is for an accept that has failed.
func (s *server) pauseListener(cause error) {
	program.LogAccept(cause)
	s.sel.Unregister(s.listener)
	time.AfterFunc(program.AcceptDelay, func() {
		if err := s.watchListener(); err != nil && !errors.Is(err, os.ErrClosed) {
			s.pauseListener(err)
		}
	})
}

func (s *server) accept(*selectors.SelectorKey, selectors.Event) {
	conn, peer, err := s.listener.Accept()
	switch {
	case errors.Is(err, socket.ErrWouldBlock): // the client has gone
		return
	case err != nil:
		s.pauseListener(err)
		return
	}
	conn.Setblocking(false)
	if _, err := s.sel.Register(&connection{Socket: conn, peer: peer}, selectors.EventRead, callback(s.echo)); err != nil {
		log.Print(program.PeerError(peer, err))
		conn.Close()
		return
	}
	program.Logf("%v: connected", peer)
}

// echo receives from a connection, sends as much as possible back, and arranges for the rest. A peer that is gone is no news.
func (s *server) echo(key *selectors.SelectorKey, events selectors.Event) {
	c := key.Fileobj.(*connection)
	if events&selectors.EventRead != 0 {
		n, err := c.Recv(s.buf)
		if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
			s.dropConnection(c, err)
			return
		}
		if n > 0 {
			program.Logf("%v: received %d bytes", c.peer, n)
		}
		c.unsent = append(c.unsent, s.buf[:n]...)
		c.eof = err == nil && n == 0
	}
	if len(c.unsent) > 0 {
		n, err := c.Send(c.unsent)
		if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
			s.dropConnection(c, err)
			return
		}
		if n > 0 {
			program.Logf("%v: sent %d bytes", c.peer, n)
		}
		c.unsent = c.unsent[:copy(c.unsent, c.unsent[n:])]
	}

	var next selectors.Event
	if !c.eof && len(c.unsent) < maxUnsent {
		next |= selectors.EventRead
	}
	if len(c.unsent) > 0 {
		next |= selectors.EventWrite
	}
	if next == 0 {
		s.closeConnection(c)
		return
	}
	if next != key.Events {
		if _, err := s.sel.Modify(c, next, key.Data); err != nil {
			log.Print(program.PeerError(c.peer, err))
			s.closeConnection(c)
		}
	}
}

// A session is a connection of the client, and what it is registered as.
type session struct {
	*socket.Socket
	id       int
	unsent   []byte // of all messages
	expected []byte // sent and not come back yet
	received int
}

// connect sends messages to a server over several connections. It returns nil when all of them have come back.
func connect(ctx context.Context, addr string, connections int, timeout time.Duration) error {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	defer sel.Close()
	defer func() {
		for key := range sel.Keys() {
			key.Fileobj.(*session).Close()
		}
	}()
	defer context.AfterFunc(ctx, func() { sel.Wakeup() })()
	for id := 1; id <= connections; id++ {
		sock, err := program.Dial(ctx, addr, timeout)
		if err != nil {
			return err
		}
		sock.Setblocking(false)
		s := &session{Socket: sock, id: id}
		for i, lines := range []int{short, medium, long} {
			line := fmt.Sprintf("message %d of connection %d\n", i+1, id)
			s.unsent = append(s.unsent, bytes.Repeat([]byte(line), lines)...)
		}
		if _, err := sel.Register(s, selectors.EventRead|selectors.EventWrite, nil); err != nil {
			sock.Close()
			return err
		}
	}

	buf := make([]byte, 16<<10)
	for sel.Len() > 0 {
		ready, err := sel.Select(timeout)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case len(ready) == 0:
			return fmt.Errorf("the server has been silent for %v: %w", timeout, os.ErrDeadlineExceeded)
		}
		for _, r := range ready {
			s := r.Key.Fileobj.(*session)
			if err := s.service(sel, r, buf); err != nil {
				return fmt.Errorf("connection %d: %w", s.id, program.PeerError(socket.HostPort(addr), err))
			}
		}
	}
	fmt.Println("all", connections, "connections are done")
	return nil
}

// service does what a session is ready for. In the end it closes the connection.
func (s *session) service(sel selectors.BaseSelector, ready selectors.Ready, buf []byte) error {
	if ready.Events&selectors.EventRead != 0 {
		n, err := s.Recv(buf)
		switch {
		case errors.Is(err, socket.ErrWouldBlock):
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("closed by the server when %d bytes had come back: %w", s.received, io.ErrUnexpectedEOF)
		case !bytes.HasPrefix(s.expected, buf[:n]):
			return fmt.Errorf("what comes back after %d bytes is not what was sent", s.received)
		}
		s.expected = s.expected[n:]
		s.received += n
	}
	if ready.Events&selectors.EventWrite != 0 {
		n, err := s.Send(s.unsent)
		if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
			return err
		}
		s.expected = append(s.expected, s.unsent[:n]...)
		s.unsent = s.unsent[n:]
	}
	switch {
	case len(s.unsent) > 0:
	case ready.Key.Events&selectors.EventWrite != 0:
		fmt.Printf("connection %d: has sent all, reads only from now on\n", s.id)
		_, err := sel.Modify(s, selectors.EventRead, nil)
		return err
	case len(s.expected) == 0:
		fmt.Printf("connection %d: all %d bytes came back\n", s.id, s.received)
		sel.Unregister(s)
		return s.Close()
	}
	return nil
}
