//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/selectors"
)

const (
	// A connection that has so much to write back is not read from until its peer has taken some of it.
	maxPending = 64 << 10

	// When accept fails, because the process is out of descriptors for instance, the server accepts nothing for so long.
	acceptRetryDelay = time.Second
)

// A callback is the data of a key: what to do when it is ready.
type callback func(key *selectors.SelectorKey, events selectors.Event)

type server struct {
	sel      *selectors.DefaultSelector
	listener net.Listener
	buf      []byte // that all connections read into
}

// A conn is a connection of the server.
type conn struct {
	fd      int
	pending bytes.Buffer // read and not written back yet
	eof     bool         // the peer sends no more
}

func (c *conn) Fileno() int { return c.fd }

// serve echoes what the listener's connections send, until ctx is done, and closes them and the listener.
func serve(ctx context.Context, listener net.Listener) error {
	defer listener.Close()
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
		if c, ok := key.Fileobj.(*conn); ok {
			s.closeConn(c)
		}
	}
	s.sel.Close()
}

func (s *server) closeConn(c *conn) {
	s.sel.Unregister(c)
	unix.Close(c.fd)
}

func (s *server) watchListener() error {
	_, err := s.sel.Register(s.listener, selectors.EventRead, callback(s.accept))
	return err
}

// pauseListener stops watching the listener for a while: as long as accept fails it stays ready, and the loop would spin.
func (s *server) pauseListener(cause error) {
	log.Printf("%v; next try in %v", cause, acceptRetryDelay)
	s.sel.Unregister(s.listener)
	time.AfterFunc(acceptRetryDelay, func() {
		if err := s.watchListener(); err != nil && !errors.Is(err, os.ErrClosed) {
			s.pauseListener(err)
		}
	})
}

func (s *server) accept(key *selectors.SelectorKey, _ selectors.Event) {
	fd, _, err := unix.Accept(key.Fd)
	if again(err) || err == unix.ECONNABORTED {
		return
	}
	if err != nil {
		s.pauseListener(os.NewSyscallError("accept", err))
		return
	}
	unix.CloseOnExec(fd)
	err = unix.SetNonblock(fd, true)
	if err == nil {
		_, err = s.sel.Register(&conn{fd: fd}, selectors.EventRead, callback(s.echo))
	}
	if err != nil {
		log.Print(err)
		unix.Close(fd)
	}
}

// echo reads from a connection, writes as much as possible back, and arranges for the rest. A peer that is gone is no news.
func (s *server) echo(key *selectors.SelectorKey, events selectors.Event) {
	c := key.Fileobj.(*conn)
	if events&selectors.EventRead != 0 {
		n, err := unix.Read(c.fd, s.buf)
		switch {
		case again(err):
		case err != nil:
			s.closeConn(c)
			return
		case n == 0:
			c.eof = true
		default:
			c.pending.Write(s.buf[:n])
		}
	}
	if c.pending.Len() > 0 {
		n, err := unix.Write(c.fd, c.pending.Bytes())
		switch {
		case again(err):
		case err != nil:
			s.closeConn(c)
			return
		default:
			c.pending.Next(n)
		}
	}

	var next selectors.Event
	if !c.eof && c.pending.Len() < maxPending {
		next |= selectors.EventRead
	}
	if c.pending.Len() > 0 {
		next |= selectors.EventWrite
	}
	if next == 0 {
		s.closeConn(c)
		return
	}
	if next != key.Events {
		if _, err := s.sel.Modify(c, next, key.Data); err != nil {
			log.Print(err)
			s.closeConn(c)
		}
	}
}
