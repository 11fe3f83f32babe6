//go:build unix || windows

package ssl_test

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/ssl"
)

// A slowConn returns the header of a record, and then the rest, or a temporary error.
type slowConn struct {
	net.Conn
	left int
	err  error
}

func (c *slowConn) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left > 0 {
		n, err = c.Conn.Read(p[:min(c.left, len(p))])
		c.left -= n
		return n, err
	}
	n, err = io.ReadFull(c.Conn, p[:5])
	if err == nil {
		c.left = int(binary.BigEndian.Uint16(p[3:]))
	}
	return n, err
}

type temporary struct{}

func (temporary) Error() string   { return "later" }
func (temporary) Timeout() bool   { return false }
func (temporary) Temporary() bool { return true }

// A Socket that does not wait allocates no more than crypto/tls does for the same.
func TestAllocations(t *testing.T) {
	if testkit.RaceDetector() {
		t.Skip("the race detector allocates")
	}
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		client, server := connect(t, clientConfig, serverConfig)

		clientConfig = clientConfig.Clone()
		clientConfig.ServerName = hostname
		a, b := testkit.TCPPair(t)
		conn := &slowConn{Conn: b}
		tlsClient, tlsServer := tls.Client(a, clientConfig), tls.Server(conn, serverConfig)
		handshake := testkit.Go(t, func() { check(t, tlsClient.Handshake()) })
		check(t, tlsServer.Handshake())
		handshake.Wait()

		p := make([]byte, 1000)
		data := p
		roundtrip := func(send, recv func(p []byte) (int, error)) float64 {
			return testing.AllocsPerRun(200, func() {
				if n, err := send(data); n != len(data) || err != nil {
					t.Fatal(n, err)
				}
				for rest := len(data); rest > 0; {
					n, err := recv(p)
					if rest -= n; err != nil && !errors.Is(err, ssl.ErrWantRead) {
						t.Fatal(n, err)
					}
				}
			})
		}
		for _, size := range []int{1, 1000} {
			data = data[:size]
			want := roundtrip(tlsClient.Write, tlsServer.Read)
			if got := roundtrip(func(p []byte) (int, error) { return client.Send(p) }, func(p []byte) (int, error) { return server.Recv(p) }); got > want {
				t.Errorf("%d bytes: %v allocations, crypto/tls has %v", size, got, want)
			}
		}
		conn.err = temporary{}
		nothing := testing.AllocsPerRun(200, func() { tlsServer.Read(p) })
		testkit.WantAllocs(t, "nothing to receive", nothing, func() {
			if _, err := server.Recv(p); !errors.Is(err, ssl.ErrWantRead) {
				t.Fatal(err)
			}
		})
		for {
			if _, err := client.Send(p); err != nil {
				wantError(t, err, ssl.ErrWantWrite)
				break
			}
		}
		testkit.WantAllocs(t, "no room to send", 0, func() {
			if _, err := client.Send(p); !errors.Is(err, ssl.ErrWantWrite) {
				t.Fatal(err)
			}
		})
		must[int](t)(server.Recv(p[:1]))
		server.Pending()
		testkit.WantAllocs(t, "Pending and a part of a record", 0, func() {
			if n, err := server.Recv(p[:1]); n != 1 || err != nil || server.Pending() == 0 {
				t.Fatal(n, err, server.Pending())
			}
		})
	})
}
