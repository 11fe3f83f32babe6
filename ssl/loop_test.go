//go:build unix || windows

package ssl_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// A loop is a server as programs have it: one goroutine, a selector, and TLS connections that are non-blocking.
type loop struct {
	addr     string
	sel      *selectors.DefaultSelector
	listener *ssl.Socket
	// respond returns the response to what a client has sent, and how much of that it answers.
	respond  func(c *connection, request []byte) (response []byte, n int)
	maxRecv  int
	departed chan *connection // those that have ended
}

// A connection is one of a loop.
type connection struct {
	*ssl.Socket
	received []byte // and not answered
	unsent   []byte
	ending   bool // nothing more is received
	cut      bool // it is to break off
	err      error
}

// startLoop starts a server, which ends with the test.
func startLoop(
	t testing.TB, config *tls.Config, maxRecv int, respond func(c *connection, request []byte) (response []byte, n int),
) *loop {
	t.Helper()
	sock, err := socket.CreateServer("127.0.0.1:0", &socket.ServerConfig{Backlog: socket.SOMAXCONN})
	testkit.Check(t, err)
	name, err := sock.Getsockname()
	testkit.Check(t, err)
	l := &loop{addr: name.String(), listener: ssl.Server(sock, config), respond: respond, maxRecv: maxRecv}
	l.departed = make(chan *connection, 2000)
	l.sel, err = selectors.NewDefaultSelector()
	testkit.Check(t, err)
	l.listener.Setblocking(false)
	_, err = l.sel.Register(l.listener, selectors.EventRead, nil)
	testkit.Check(t, err)
	served := testkit.Go(t, func() { err = l.serve() })
	t.Cleanup(func() {
		l.sel.Close()
		served.Wait()
		l.listener.Close()
		testkit.Check(t, err)
	})
	return l
}

// serve is the loop, until the selector is closed.
func (l *loop) serve() error {
	err := l.run()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func (l *loop) run() error {
	connections := map[*connection]bool{}
	defer func() {
		for c := range connections {
			c.Close()
		}
	}()
	for {
		ready, err := l.sel.Select(pyselect.Forever)
		if err != nil {
			return err
		}
		for _, r := range ready {
			c, ok := r.Key.Data.(*connection)
			if !ok {
				sock, _, err := l.listener.Accept()
				if errors.Is(err, socket.ErrWouldBlock) {
					continue
				}
				if err != nil {
					return err
				}
				sock.Setblocking(false)
				c = &connection{Socket: sock}
				connections[c] = true
				if _, err = l.sel.Register(sock, selectors.EventRead, c); err != nil {
					return err
				}
				continue
			}
			events, err := l.step(c)
			if events == 0 {
				c.err = err
				l.sel.Unregister(c.Socket)
				delete(connections, c)
				if c.cut {
					c.Socket.Socket.Close() // without a word
				}
				c.Close()
				l.departed <- c
				continue
			}
			if _, err = l.sel.Modify(c.Socket, events, c); err != nil {
				return err
			}
		}
	}
}

// step does what can be done for a connection, and returns what to wait for, which is nothing at the end.
func (l *loop) step(c *connection) (events selectors.Event, err error) {
	for buf := make([]byte, l.maxRecv); !c.ending; {
		n, err := c.Recv(buf)
		if want := wanted(err); want != 0 {
			events |= want
			break
		}
		if err != nil {
			return 0, err
		}
		c.received = append(c.received, buf[:n]...)
		c.ending = n == 0
		for len(c.received) > 0 && !c.ending {
			response, n := l.respond(c, c.received)
			if n == 0 {
				break
			}
			c.unsent = append(c.unsent, response...)
			c.received = c.received[n:]
		}
		if c.Pending() == 0 { // the selector knows the rest
			events |= selectors.EventRead
			break
		}
	}
	if c.cut {
		return 0, nil
	}
	for len(c.unsent) > 0 {
		n, err := c.Send(c.unsent)
		if want := wanted(err); want != 0 {
			return events | want, nil
		}
		if err != nil {
			return 0, err
		}
		c.unsent = c.unsent[n:]
	}
	if !c.ending {
		return events, nil
	}
	sock, err := c.Unwrap()
	if want := wanted(err); want != 0 {
		return want, nil
	}
	if err != nil {
		return 0, err
	}
	_, err = sock.Send([]byte("plain"))
	if errors.Is(err, socket.ErrBrokenPipe) || errors.Is(err, socket.ErrConnectionReset) {
		err = nil // the client did not wait for it
	}
	return 0, err
}

// wanted returns the event to wait for when an operation has returned an error, and 0 if that is another one.
func wanted(err error) selectors.Event {
	switch {
	case errors.Is(err, ssl.ErrWantRead):
		return selectors.EventRead
	case errors.Is(err, ssl.ErrWantWrite):
		return selectors.EventWrite
	}
	return 0
}

// echo responds with what it was sent. It does as it is told by a client that asks for information, for the end of TLS, or of the
// connection without that.
func echo(c *connection, request []byte) (response []byte, n int) {
	switch {
	case bytes.Equal(request, []byte("info")):
		return []byte(info(c.Socket)), len(request)
	case bytes.Equal(request, []byte("unwrap")):
		c.ending = true
		return nil, len(request)
	case bytes.Equal(request, []byte("cut")):
		c.ending, c.cut = true, true
		return nil, len(request)
	}
	return request, len(request)
}

// info describes a connection, as the peers of the tests do.
func info(s *ssl.Socket) string {
	name := "None"
	if cert := s.Getpeercert(); cert != nil {
		name = cert.Subject.CommonName
	}
	return fmt.Sprintf("%s %s alpn %s peer %s server %s reused %v\n",
		s.Version(), s.Cipher(), s.SelectedAlpnProtocol(), name, s.ConnectionState().ServerName, s.SessionReused())
}

// next returns the next connection that has ended.
func (l *loop) next(t testing.TB) (c *connection) {
	t.Helper()
	testkit.Eventually(t, "the end of a connection", func() bool {
		select {
		case c = <-l.departed:
		default:
		}
		return c != nil
	})
	return c
}
