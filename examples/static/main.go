//go:build linux

// Static is a web server for the files of a directory: the HTTP server that tutorials of Python's select.epoll build up, in
// its last form, which is edge-triggered, ported to Go and serving files instead of one fixed page.
//
//	go run ./examples/static -listen localhost:8080 -root .
//	curl -i localhost:8080/README.md
//
// An edge-triggered epoll says once that a socket has become readable or writable, and no more until recv or send has failed
// because it was not. The originals therefore repeat these calls until they fail, and a client that is fast enough keeps all
// others waiting. Here each connection has its turn, and goes to the end of the ready list when that is over.
//
// What it knows of HTTP is in examples/internal/web.
//
// It is for Linux: no other system has an epoll, and no selector tells edges.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/examples/internal/web"
	"github.com/pyselect/pyselect/socket"
)

const (
	// How much is done before others have their turn.
	stepsPerTurn   = 8
	acceptsPerTurn = 64

	// How often to look for connections that are idle, and, after accept has failed, whether it goes again.
	tick = time.Second
)

func main() {
	flags := program.Flags("static", "[-listen HOST:PORT] [-root DIR] [-timeout DURATION] [-v]")
	listen := flags.String("listen", "localhost:8080", "serve on `HOST:PORT`; port 0 picks a free one")
	dir := flags.String("root", ".", "serve the files of `DIR`")
	timeout := flags.Duration("timeout", 30*time.Second, "close a connection that has been idle for this `DURATION`; 0 is never")
	program.Verbose(flags)
	program.Parse(flags)
	program.Run(func(ctx context.Context) error { return run(ctx, *listen, *dir, *timeout) })
}

type server struct {
	serversocket *socket.Socket
	epoll        *pyselect.Epoll
	site         *web.Site
	timeout      time.Duration
	buf          []byte // that all connections receive into

	connections    map[int]*connection
	maxConnections int
	ready          []*connection // those that may have something to do

	acceptable bool      // clients may be waiting
	acceptFrom time.Time // when to accept again after a failure
}

type connection struct {
	*web.Conn
	fileno  int
	isReady bool // it is in the ready list
}

// run serves until ctx is done.
func run(ctx context.Context, listen, dir string, timeout time.Duration) error {
	site, err := web.Open(dir)
	if err != nil {
		return err
	}
	defer site.Close()
	serversocket, addr, err := web.Listen(listen)
	if err != nil {
		return err
	}
	defer serversocket.Close()
	maxConnections, err := web.MaxConnections()
	if err != nil {
		return err
	}
	epoll, err := pyselect.NewEpoll()
	if err != nil {
		return err
	}
	defer epoll.Close()
	if err := epoll.Register(serversocket, pyselect.EPOLLIN|pyselect.EPOLLET); err != nil {
		return err
	}
	s := &server{
		serversocket:   serversocket,
		epoll:          epoll,
		site:           site,
		timeout:        timeout,
		buf:            make([]byte, web.MaxRecv),
		connections:    make(map[int]*connection),
		maxConnections: maxConnections,
	}
	defer s.close()

	fmt.Println(addr)
	stop := context.AfterFunc(ctx, func() { epoll.Close() })
	defer stop()
	return s.serve()
}

func (s *server) close() {
	for _, c := range s.connections {
		s.closeConnection(c)
	}
}

// serve is the loop, which ends when the epoll is closed.
func (s *server) serve() error {
	for looked := time.Now(); ; {
		timeout := tick
		if len(s.ready) > 0 || s.mayAccept() {
			timeout = 0
		}
		events, err := s.epoll.Poll(timeout, -1)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, event := range events {
			if c := s.connections[event.Fd]; c != nil {
				s.makeReady(c)
			} else {
				s.acceptable = true
			}
		}
		if s.mayAccept() {
			s.accept()
		}
		ready := s.ready
		s.ready = nil
		for _, c := range ready {
			s.turn(c)
		}
		if now := time.Now(); now.Sub(looked) >= tick {
			looked = now
			s.closeIdle(now)
		}
	}
}

func (s *server) mayAccept() bool {
	return s.acceptable && len(s.connections) < s.maxConnections && time.Now().After(s.acceptFrom)
}

// accept takes clients until none waits, or it is time for something else.
func (s *server) accept() {
	for range min(acceptsPerTurn, s.maxConnections-len(s.connections)) {
		sock, peer, err := s.serversocket.Accept()
		if errors.Is(err, socket.ErrWouldBlock) {
			s.acceptable = false
			return
		}
		if err != nil {
			// They still wait, and the epoll does not say it again.
			log.Printf("%v; next try in %v", err, tick)
			s.acceptFrom = time.Now().Add(tick)
			return
		}
		sock.Setblocking(false)
		c := &connection{Conn: &web.Conn{
			Transport: sock, Site: s.site, Peer: peer, Buf: s.buf, SendFlags: socket.MSG_MORE, Active: time.Now(),
		}}
		c.fileno, err = sock.Fileno()
		if err == nil {
			// Once for all: what is not waited for now does no harm, as it is reported only once.
			err = s.epoll.Register(sock, pyselect.EPOLLIN|pyselect.EPOLLOUT|pyselect.EPOLLRDHUP|pyselect.EPOLLET)
		}
		if err != nil {
			if !errors.Is(err, os.ErrClosed) { // as the epoll is when the server ends
				log.Print(program.PeerError(peer, err))
			}
			sock.Close()
			continue
		}
		s.connections[c.fileno] = c
		program.Logf("%v: connected", peer)
	}
}

func (s *server) closeConnection(c *connection) {
	delete(s.connections, c.fileno)
	s.epoll.Unregister(c.fileno)
	c.Close()
	program.Logf("%v: closed", c.Peer)
}

func (s *server) closeIdle(now time.Time) {
	if s.timeout <= 0 {
		return
	}
	for _, c := range s.connections {
		if now.Sub(c.Active) >= s.timeout {
			program.Logf("%v: idle for %v", c.Peer, s.timeout)
			s.closeConnection(c)
		}
	}
}

func (s *server) makeReady(c *connection) {
	if !c.isReady {
		c.isReady = true
		s.ready = append(s.ready, c)
	}
}

// turn does what a connection can do now, up to some amount.
func (s *server) turn(c *connection) {
	if s.connections[c.fileno] != c {
		return // it was idle
	}
	c.isReady = false
	for range stepsPerTurn {
		err := c.Step()
		if errors.Is(err, socket.ErrWouldBlock) {
			return // until the epoll reports it
		}
		if err != nil {
			if err != io.EOF {
				program.Logf("%v", program.PeerError(c.Peer, err))
			}
			s.closeConnection(c)
			return
		}
	}
	s.makeReady(c)
}
