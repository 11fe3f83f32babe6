//go:build unix || windows

package ssl_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// A client is a connection to a server. It is non-blocking, has a timeout, or blocks.
type client struct{ *ssl.Socket }

// eachMode runs a test with clients that are non-blocking, have a timeout, or block.
func eachMode(t *testing.T, test func(t *testing.T, timeout time.Duration)) {
	timeouts := map[string]time.Duration{"non-blocking": 0, "timeout": testkit.Patience, "blocking": pyselect.Forever}
	for name, timeout := range timeouts {
		t.Run(name, func(t *testing.T) { test(t, timeout) })
	}
}

// dial connects to a server, as it is told by a timeout. The handshake has still to be done.
func dial(t testing.TB, addr string, config *tls.Config, timeout time.Duration) *client {
	t.Helper()
	return dialName(t, addr, config, "localhost", timeout)
}

func dialName(t testing.TB, addr string, config *tls.Config, name string, timeout time.Duration) *client {
	t.Helper()
	sock, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	testkit.Check(t, err)
	c := &client{ssl.Client(sock, config, name)}
	t.Cleanup(func() { c.Close() })
	testkit.Check(t, c.Settimeout(timeout))
	if err = c.Connect(socket.HostPort(addr)); errors.Is(err, socket.ErrInProgress) || errors.Is(err, socket.ErrWouldBlock) {
		err = nil
	}
	testkit.Check(t, err)
	return c
}

// do calls an operation until it need not wait any more, as programs do that have nothing else to wait for.
func do[T any](t testing.TB, c *client, operation func() (T, error)) (result T, err error) {
	t.Helper()
	for {
		result, err = operation()
		switch {
		case errors.Is(err, ssl.ErrWantRead):
			c.wait(t, true, false)
		case errors.Is(err, ssl.ErrWantWrite):
			c.wait(t, false, true)
		default:
			return result, err
		}
		if c.Gettimeout() != 0 {
			t.Fatalf("an operation of a socket with the timeout %v returns %v", c.Gettimeout(), err)
		}
	}
}

func (c *client) wait(t testing.TB, read, write bool) {
	t.Helper()
	var readers, writers []*ssl.Socket
	if read {
		readers = append(readers, c.Socket)
	}
	if write {
		writers = append(writers, c.Socket)
	}
	r, w, _, err := pyselect.Select(readers, writers, nil, testkit.Patience)
	testkit.Check(t, err)
	if len(r)+len(w) == 0 {
		t.Fatal("the server is silent")
	}
}

func (c *client) handshake(t testing.TB) error {
	t.Helper()
	_, err := do(t, c, func() (any, error) { return nil, c.DoHandshake() })
	return err
}

func (c *client) send(t testing.TB, data string) {
	t.Helper()
	n, err := do(t, c, func() (int, error) { return c.Send([]byte(data)) })
	if n != len(data) || err != nil {
		t.Fatalf("%d of %d bytes are sent: %v", n, len(data), err)
	}
}

func (c *client) receive(t testing.TB, size int) (string, error) {
	t.Helper()
	buf := make([]byte, size)
	n, err := do(t, c, func() (int, error) { return c.Recv(buf) })
	return string(buf[:n]), err
}

// expect receives what has to come.
func (c *client) expect(t testing.TB, want string) {
	t.Helper()
	for rest := want; rest != ""; {
		got, err := c.receive(t, len(rest))
		if got == "" || rest[:len(got)] != got || err != nil {
			t.Fatalf("received %.100q, want %.100q: %v", got, rest, err)
		}
		rest = rest[len(got):]
	}
}

// exchange sends data and receives the same, at the same time.
func (c *client) exchange(t testing.TB, data []byte) {
	t.Helper()
	testkit.Check(t, c.handshake(t)) // or a Send could want what comes next to be read, and Recv read it
	if c.Gettimeout() != 0 {
		sent := make(chan error, 1)
		go func() { sent <- c.Sendall(data) }()
		c.expect(t, string(data))
		testkit.Check(t, <-sent)
		return
	}
	buf := make([]byte, 1000) // less than a record
	for sent, back := 0, 0; back < len(data); {
		read, write := false, false
		if sent < len(data) {
			n, err := c.Send(data[sent:])
			sent += n
			read, write = c.wants(t, err)
		}
		n, err := c.Recv(buf)
		r, w := c.wants(t, err)
		if err == nil && (n == 0 || !bytes.HasPrefix(data[back:], buf[:n])) {
			t.Fatalf("after %d bytes came %.100q", back, buf[:n])
		}
		back += n
		if progress := n > 0 || sent < len(data) && !read && !write; !progress {
			c.wait(t, read || r, write || w)
		}
	}
}

func (c *client) wants(t testing.TB, err error) (read, write bool) {
	t.Helper()
	read, write = errors.Is(err, ssl.ErrWantRead), errors.Is(err, ssl.ErrWantWrite)
	if err != nil && !read && !write {
		t.Fatal(err)
	}
	return read, write
}

func (c *client) unwrap(t testing.TB) (*socket.Socket, error) {
	t.Helper()
	return do(t, c, c.Unwrap)
}

var sizes = []int{1, 2, 16383, 16384, 16385, 1 << 20}

// talk exchanges data with a server that echoes, and ends the connection.
func (c *client) talk(t testing.TB) {
	t.Helper()
	for _, size := range sizes {
		c.exchange(t, progtest.Random(size))
	}
	_, err := c.unwrap(t)
	testkit.Check(t, err)
}
