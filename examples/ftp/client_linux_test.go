package main

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// The end of a connection is no success while the server has not received everything.
func TestEndIsNoSuccess(t *testing.T) {
	conn, server := testkit.TCPPair(t)
	progtest.SendUntilStuck(t, conn)
	sock, err := socket.FromConn(conn)
	check(t, err)
	defer sock.Close()
	check(t, sock.Settimeout(testkit.Patience))
	c := &client{sock: sock, timeout: testkit.Patience, buf: make([]byte, 1)}
	confirmed := testkit.Go(t, func() { err = c.confirm() }).Blocked()
	check(t, server.CloseWrite())
	confirmed.Wait()
	if want := "not confirmed: the server has ended the connection too early"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

// A server may end the connection when it has received everything, and need not wait for the client.
func TestEarlyEnd(t *testing.T) {
	conn, server := testkit.TCPPair(t)
	sock, err := socket.FromConn(conn)
	check(t, err)
	defer sock.Close()
	check(t, sock.Settimeout(testkit.Patience))
	check(t, sock.Sendall([]byte("data")))
	check(t, say(server, "", "data"))
	check(t, server.Close())
	_, err = sock.Recv(make([]byte, 1), socket.MSG_PEEK) // until the end has come
	check(t, err)
	c := &client{sock: sock, timeout: testkit.Patience, buf: make([]byte, 1)}
	check(t, c.confirm())
}

// As long as a server receives something, it may take longer than the timeout for the rest.
func TestSlowEnd(t *testing.T) {
	const timeout, pace = time.Second, 200 * time.Millisecond
	conn, server := testkit.TCPPair(t)
	sent := progtest.SendUntilStuck(t, conn)
	sock, err := socket.FromConn(conn)
	check(t, err)
	defer sock.Close()
	check(t, sock.Settimeout(timeout))
	received := make(chan error)
	go func() {
		piece := int64(len(sent) / 10)
		for range timeout/pace + 2 {
			time.Sleep(pace)
			io.CopyN(io.Discard, server, piece)
		}
		_, err := io.Copy(io.Discard, server)
		received <- errors.Join(err, server.Close())
	}()
	c := &client{sock: sock, timeout: timeout, buf: make([]byte, 1)}
	testkit.Duration(t, timeout, func() { check(t, c.confirm()) })
	check(t, <-received)
}
