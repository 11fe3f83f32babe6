//go:build unix || windows

package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/examples/internal/web/webtest"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

var https = webtest.Server{Name: "https", Scheme: "https", Client: webtest.HTTPS}

func Test(t *testing.T) { webtest.Test(t, https) }

// start starts the server for a directory with one file.
func start(t *testing.T, args ...string) (server *progtest.Program, addr string) {
	t.Helper()
	root := testkit.TempDir(t)
	testkit.Check(t, os.WriteFile(filepath.Join(root, "index.html"), []byte("<p>hello"), 0o666))
	return progtest.Serve(t, append(args, "-root", root)...)
}

// served checks that the server answers a client.
func served(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	testkit.Check(t, err)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	testkit.Check(t, err)
	if body, err := io.ReadAll(response.Body); string(body) != "<p>hello" || err != nil {
		t.Fatalf("the body is %q, %v", body, err)
	}
}

// The certificate that the server makes is one for this machine, and a client that trusts it need not be told more.
func TestOwnCertificate(t *testing.T) {
	server, addr := start(t)
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	testkit.Check(t, err)
	defer c.Close()
	served(t, c)
	state := c.ConnectionState()
	roots := x509.NewCertPool()
	roots.AddCert(state.PeerCertificates[0])
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestCertificateOfFiles(t *testing.T) {
	made, err := certificate("", "")
	testkit.Check(t, err)
	cert, key := save(t, made)
	server, addr := start(t, "-cert", cert, "-key", key)
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	testkit.Check(t, err)
	defer c.Close()
	served(t, c)
	if got := c.ConnectionState().PeerCertificates[0]; string(got.Raw) != string(made.Certificate[0]) {
		t.Error("this is another certificate")
	}
	server.Stop(t, os.Interrupt)
}

// save writes a certificate and its key to files.
func save(t *testing.T, c tls.Certificate) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(testkit.TempDir(t), "cert.pem"), filepath.Join(testkit.TempDir(t), "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	testkit.Check(t, err)
	testkit.Check(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600))
	testkit.Check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return cert, key
}

// A thousand clients that have begun a handshake and do not go on keep nobody waiting. Later they go on, in pieces.
func TestSlowHandshakes(t *testing.T) {
	const clients, fds = 1000, 2100
	root := testkit.TempDir(t)
	testkit.Check(t, os.WriteFile(filepath.Join(root, "index.html"), []byte("<p>hello"), 0o666))
	server := progtest.StartWith(t, fds, "-root", root, "-listen", "127.0.0.1:0", "-timeout", "0")
	addr := server.Line(t)
	slow := progtest.DialMany(t, addr, clients, func(c *net.TCPConn) { served(t, webtest.HTTPS(c)) })
	release, shaken := make(chan struct{}), make(chan error)
	for _, c := range slow {
		go func() { shaken <- webtest.HTTPS(&slowly{c, release}).(*tls.Conn).Handshake() }()
	}
	for _, c := range slow[:10] {
		progtest.Reset(c)
	}
	served(t, webtest.HTTPS(progtest.Dial(t, addr)))
	close(release)
	failed := 0
	for range slow {
		if err := <-shaken; err != nil {
			failed++
		}
	}
	if failed != 10 {
		t.Errorf("%d handshakes have failed, want those of the 10 clients that are gone", failed)
	}
	served(t, webtest.HTTPS(progtest.Dial(t, addr)))
	server.Stop(t, os.Interrupt)
}

// slowly sends in pieces, and all but the first one only when it is told to.
type slowly struct {
	*net.TCPConn
	release <-chan struct{}
}

func (s *slowly) Write(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		var n int
		n, err = s.TCPConn.Write(p[sent:min(sent+200, len(p))])
		sent += n
		<-s.release
	}
	return sent, err
}

// Whatever comes in place of TLS is the end of the connection, and no more than that.
func TestNoTLS(t *testing.T) {
	server, addr := start(t)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: test\r\n\r\n", "\x16\x03\x01\xff\xff", strings.Repeat("\x16\x03\x01\x00\x00", 1000), "",
	} {
		c := progtest.Dial(t, addr)
		io.WriteString(c, request)
		c.CloseWrite()
		io.Copy(io.Discard, c) // until the end
	}
	served(t, webtest.HTTPS(progtest.Dial(t, addr)))
	server.Stop(t, os.Interrupt)
}

// The limit holds for who connects and does not shake hands, too.
func TestIdleHandshake(t *testing.T) {
	const timeout = 500 * time.Millisecond
	server, addr := start(t, "-timeout", timeout.String())
	begin := time.Now()
	c := progtest.Dial(t, addr)
	io.WriteString(c, "\x16\x03\x01")
	if n, err := io.Copy(io.Discard, c); n > 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if d := time.Since(begin); d < timeout {
		t.Errorf("the end came after %v", d)
	}
	server.Stop(t, os.Interrupt)
}

func TestUsage(t *testing.T) {
	progtest.Usage(t, "https")
	a, err := certificate("", "")
	testkit.Check(t, err)
	b, err := certificate("", "")
	testkit.Check(t, err)
	cert, _ := save(t, a)
	_, key := save(t, b)
	nowhere := filepath.Join(testkit.TempDir(t), "nowhere")
	for _, test := range []struct {
		args   []string
		stderr string
		status int
	}{
		{[]string{"-cert", cert}, "https: -cert and -key belong together\nusage: https ", 2},
		{[]string{"-cert", cert, "-key", key}, fmt.Sprintf("https: certificate %s with key %s: tls: private key ", cert, key), 1},
		{[]string{"-cert", nowhere, "-key", key}, fmt.Sprintf("https: certificate %s with key %s: open %[1]s: ", nowhere, key), 1},
		{[]string{"-root", nowhere, "-listen", "127.0.0.1:0"}, "https: open " + nowhere + ": ", 1},
	} {
		status, stdout, stderr := progtest.Start(t, test.args...).End(t)
		if status != test.status || stdout != "" || !strings.HasPrefix(stderr, test.stderr) {
			t.Errorf("%q: status %d, stdout %q, stderr %q", test.args, status, stdout, stderr)
		}
	}
}
