//go:build unix || windows

package docs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

func wrapServer(sock *socket.Socket) (*ssl.Socket, error) {
	cert, err := tls.LoadX509KeyPair("cert.pem", "key.pem")
	if err != nil {
		return nil, err
	}
	conn := ssl.Server(sock, &tls.Config{Certificates: []tls.Certificate{cert}})
	conn.Setblocking(false)
	return conn, nil
}

// A receiver receives from TLS connections what comes until their end.
type receiver struct {
	sel      selectors.BaseSelector
	buf      []byte
	received []byte
	end      error
}

func (r *receiver) shake(conn *ssl.Socket) error {
	sel, serve, shake := r.sel, r.serve, r.shake
	err := conn.DoHandshake()
	switch {
	case err == nil:
		_, err = sel.Modify(conn, selectors.EventRead, serve)
	case errors.Is(err, ssl.ErrWantRead):
		_, err = sel.Modify(conn, selectors.EventRead, shake)
	case errors.Is(err, ssl.ErrWantWrite):
		_, err = sel.Modify(conn, selectors.EventWrite, shake)
	}
	return err
}

func (r *receiver) serve(conn *ssl.Socket) error {
	buf := r.buf
	n, err := conn.Recv(buf)
	data := append([]byte(nil), buf[:n]...)
	for err == nil && conn.Pending() > 0 {
		n, err = conn.Recv(buf)
		data = append(data, buf[:n]...)
	}
	r.received = append(r.received, data...)
	if err == nil && len(data) == 0 {
		err = io.EOF
	}
	return err
}

func TestSSL(t *testing.T) {
	testkit.NoLeaks(t)
	serverConfig, clientConfig := tlsConfigs()
	t.Chdir(testkit.TempDir(t))
	cert := serverConfig.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	testkit.Check(t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		testkit.Check(t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	}
	a, b := testkit.TCPPair(t)
	sock, err := socket.FromConn(b)
	testkit.Check(t, err)
	conn, err := wrapServer(sock)
	testkit.Check(t, err)
	defer conn.Close()
	sel, err := selectors.NewDefaultSelector()
	testkit.Check(t, err)
	defer sel.Close()

	clientConfig.DynamicRecordSizingDisabled = true // each record is larger than the buffer of the receiver
	client := tls.Client(a, clientConfig)
	data := progtest.Random(6 * 16384)
	sent := progtest.Send(client, data, func() error { return nil }) // and the client waits for an answer
	r := &receiver{sel: sel, buf: make([]byte, 4096)}
	_, err = sel.Register(conn, selectors.EventRead, r.shake)
	testkit.Check(t, err)
	serve := func() {
		t.Helper()
		ready, err := sel.Select(testkit.Patience)
		testkit.Check(t, err)
		if len(ready) == 0 {
			t.Fatal("nothing is ready")
		}
		err = ready[0].Key.Data.(func(*ssl.Socket) error)(conn)
		if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
			r.end = err
		}
	}
	for len(r.received) < len(data) {
		serve()
	}
	testkit.Check(t, errors.Join(<-sent, client.CloseWrite()))
	for r.end == nil {
		serve()
	}
	if r.end != io.EOF || !bytes.Equal(r.received, data) {
		t.Errorf("%d bytes came, want %d: %v", len(r.received), len(data), r.end)
	}
}
