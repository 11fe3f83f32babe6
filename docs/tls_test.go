//go:build unix || windows

package docs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// waitable returns a socket that receives what conn receives and sends what conn is to send. Its Close closes conn too.
func waitable(conn net.Conn) (*socket.Socket, error) {
	sock, inner, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		conn.Close()
		return nil, err
	}
	go func() {
		io.Copy(inner, conn) // until the end of conn
		inner.Shutdown(socket.SHUT_WR)
	}()
	go func() {
		io.Copy(conn, inner) // until the end of sock
		conn.Close()
		inner.Close()
	}()
	return sock, nil
}

// tlsConfigs returns configurations for a server and its client.
func tlsConfigs() (server, client *tls.Config) {
	https := httptest.NewTLSServer(nil) // whose certificate is for example.com
	defer https.Close()
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	return &tls.Config{Certificates: https.TLS.Certificates}, &tls.Config{RootCAs: roots, ServerName: "example.com"}
}

// echoTLS is a loop on Select as it is without TLS. It echoes until the client has no more to send, then
// says bye and returns what it has received. What begins with quit ends it at once.
func echoTLS(server *socket.Socket, config *tls.Config) (received []byte, err error) {
	conn, _, err := server.Accept()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := conn.NetConn()
	if err != nil {
		return nil, err
	}
	conn.Close() // raw is a duplicate
	sock, err := waitable(tls.Server(raw, config))
	if err != nil {
		return nil, err
	}
	defer sock.Close()
	sock.Setblocking(false)
	readers := []*socket.Socket{sock}
	buf := make([]byte, 16<<10)
	for pending := []byte(nil); ; {
		writers := readers
		if len(pending) == 0 {
			writers = nil
		}
		readable, writable, _, err := pyselect.Select(readers, writers, nil, pyselect.Forever)
		if err != nil {
			return received, err
		}
		if len(writable) > 0 {
			n, err := sock.Send(pending)
			if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
				return received, err
			}
			pending = pending[n:]
		}
		if len(readable) == 0 {
			continue
		}
		n, err := sock.Recv(buf)
		switch {
		case err != nil || bytes.HasPrefix(buf[:n], []byte("quit")):
			return received, err
		case n == 0:
			sock.Setblocking(true)
			return received, sock.Sendall(append(pending, "bye"...))
		}
		received = append(received, buf[:n]...)
		pending = append(pending, buf[:n]...)
	}
}

func startEchoTLS(t *testing.T) (addr string, config *tls.Config, received func() ([]byte, error)) {
	testkit.NotOnWine(t, "nobody can take a socket away from a completion port") // which NetConn does
	serverConfig, clientConfig := tlsConfigs()
	testkit.NoLeaks(t)
	server, err := socket.CreateServer("127.0.0.1:0", nil)
	testkit.Check(t, err)
	t.Cleanup(func() { server.Close() })
	name, err := server.Getsockname()
	testkit.Check(t, err)
	var got []byte
	call := testkit.Go(t, func() { got, err = echoTLS(server, serverConfig) })
	return name.String(), clientConfig, func() ([]byte, error) {
		call.Wait()
		return got, err
	}
}

func TestTLSEchoUntilTheClientEnds(t *testing.T) {
	addr, config, received := startEchoTLS(t)
	client, err := tls.Dial("tcp", addr, config)
	testkit.Check(t, err)
	defer client.Close()
	sent := bytes.Repeat([]byte("spam"), 1<<18) // more than the kernel holds on the way
	go func() {
		client.Write(sent)
		client.CloseWrite()
	}()
	echo, err := io.ReadAll(client) // which says how it ends: properly, by close_notify
	testkit.Check(t, err)
	if !bytes.Equal(echo, append(slices.Clip(sent), "bye"...)) {
		t.Errorf("%d bytes came back, want %d", len(echo), len(sent)+len("bye"))
	}
	if got, err := received(); !bytes.Equal(got, sent) || err != nil {
		t.Errorf("the server has received %d bytes, %v, want %d", len(got), err, len(sent))
	}
}

func TestTLSTheServerCloses(t *testing.T) {
	addr, config, received := startEchoTLS(t)
	client, err := tls.Dial("tcp", addr, config)
	testkit.Check(t, err)
	defer client.Close()
	_, err = client.Write([]byte("quit"))
	testkit.Check(t, err)
	if n, err := client.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Errorf("the client has read %d bytes, %v, want the end", n, err)
	}
	if _, err := received(); err != nil {
		t.Error(err)
	}
}

func TestTLSTheClientIsGone(t *testing.T) {
	addr, config, received := startEchoTLS(t)
	client, err := tls.Dial("tcp", addr, config)
	testkit.Check(t, err)
	testkit.Check(t, client.NetConn().(*net.TCPConn).SetLinger(0))
	testkit.Check(t, client.NetConn().Close())
	received() // which finds the end, or cannot send
}

func TestTLSHandshakeFails(t *testing.T) {
	addr, _, received := startEchoTLS(t)
	client, err := net.Dial("tcp", addr)
	testkit.Check(t, err)
	defer client.Close()
	_, err = client.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	testkit.Check(t, err)
	if got, _ := received(); len(got) != 0 {
		t.Errorf("the server has received %q, want the end", got)
	}
}

// crypto/tls takes more from the kernel than it was asked for, also while it shakes hands, and Select says nothing about that.
func TestTLSReadsAhead(t *testing.T) {
	serverConfig, clientConfig := tlsConfigs()
	a, b := testkit.TCPPair(t)
	server, hold := tls.Server(b, serverConfig), &holdingBack{Conn: a}
	client := tls.Client(hold, clientConfig)
	var handshakeErr error
	handshake := testkit.Go(t, func() { handshakeErr = server.Handshake() })
	testkit.Check(t, client.Handshake())
	records := []string{"spam", "eggs"}
	for _, record := range records {
		_, err := client.Write([]byte(record))
		testkit.Check(t, err)
	}
	_, err := a.Write(hold.back) // all of it together
	testkit.Check(t, err)
	handshake.Wait()
	testkit.Check(t, handshakeErr)

	for _, want := range records {
		if readable, _, _, err := pyselect.Select([]net.Conn{b}, nil, nil, 0); len(readable) > 0 || err != nil {
			t.Errorf("Select returns %d sockets, %v, want none", len(readable), err)
		}
		buf := make([]byte, 10)
		n, err := server.Read(buf)
		if got := string(buf[:n]); got != want || err != nil {
			t.Errorf("read %q, %v, want %q", got, err, want)
		}
	}
}

// A holdingBack connection holds back all but what is written first, the beginning of the handshake.
type holdingBack struct {
	net.Conn
	begun bool
	back  []byte
}

func (c *holdingBack) Write(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		return c.Conn.Write(p)
	}
	c.back = append(c.back, p...)
	return len(p), nil
}
