//go:build unix || windows

package ssl_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

var (
	check     = testkit.Check
	wantError = testkit.WantError
)

// must returns a value, or ends the test if there is an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

// hostname is that of the certificate.
const hostname = "spam.test"

// certificate returns one that is its own authority, and a pool that has it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{hostname},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
})

// configs returns those of a client and of its server.
func configs(version uint16) (client, server *tls.Config) {
	cert, pool := certificate()
	return &tls.Config{RootCAs: pool, MinVersion: version, MaxVersion: version},
		&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version}
}

// eachVersion runs a test for each version of the protocol.
func eachVersion(t *testing.T, test func(t *testing.T, client, server *tls.Config)) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			testkit.NoLeaks(t)
			client, server := configs(version)
			test(t, client, server)
		})
	}
}

// own closes a socket at the end of the test.
func own[S interface{ Close() error }](t testing.TB, s S) S {
	t.Cleanup(func() { s.Close() })
	return s
}

// sockets returns two that are connected to each other, and non-blocking.
func sockets(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	check(t, err)
	for _, s := range []*socket.Socket{own(t, a), own(t, b)} {
		s.Setblocking(false)
		if runtime.GOOS != "linux" && runtime.GOOS != "windows" { // where there is room for less than a record
			check(t, s.Setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1<<18))
			check(t, s.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1<<18))
		}
	}
	return a, b
}

// pair returns a client and its server, which are non-blocking. The handshake is not done.
func pair(t testing.TB, clientConfig, serverConfig *tls.Config) (client, server *ssl.Socket) {
	t.Helper()
	a, b := sockets(t)
	return own(t, ssl.Client(a, clientConfig, hostname)), own(t, ssl.Server(b, serverConfig))
}

// connect returns a client and its server with the handshake done.
func connect(t testing.TB, clientConfig, serverConfig *tls.Config) (client, server *ssl.Socket) {
	t.Helper()
	client, server = pair(t, clientConfig, serverConfig)
	shake(t, client, server)
	return client, server
}

func block(sockets ...*ssl.Socket) {
	for _, s := range sockets {
		s.Setblocking(true)
	}
}

// A task is what a non-blocking Socket does. It is called again and again until its error is none that asks for that.
type task struct {
	s *ssl.Socket
	f func() error
}

// alternate performs tasks in turn, each when its socket is ready, and returns their errors.
func alternate(t testing.TB, tasks ...task) []error {
	t.Helper()
	errs := make([]error, len(tasks))
	for i := range errs {
		errs[i] = ssl.ErrWantRead
	}
	for {
		var reads, writes []*ssl.Socket
		for i, task := range tasks {
			if !errors.Is(errs[i], socket.ErrWouldBlock) {
				continue
			}
			switch errs[i] = task.f(); {
			case errors.Is(errs[i], ssl.ErrWantRead):
				reads = append(reads, task.s)
			case errors.Is(errs[i], ssl.ErrWantWrite):
				writes = append(writes, task.s)
			}
		}
		if len(reads)+len(writes) == 0 {
			return errs
		}
		r, w, _, err := pyselect.Select(reads, writes, nil, testkit.Patience)
		if check(t, err); len(r)+len(w) == 0 {
			t.Fatalf("nobody goes on: %v", errs)
		}
	}
}

// shake does the handshake of sockets that are non-blocking.
func shake(t testing.TB, client, server *ssl.Socket) {
	t.Helper()
	for _, err := range alternate(t, task{client, client.DoHandshake}, task{server, server.DoHandshake}) {
		check(t, err)
	}
}

func send(t testing.TB, s *ssl.Socket, data string) {
	t.Helper()
	if n, err := s.Send([]byte(data)); n != len(data) || err != nil {
		t.Fatalf("sent %d bytes, %v; want %d", n, err, len(data))
	}
}

// wantRecv receives and checks what that is. It waits until there is something.
func wantRecv(t testing.TB, s *ssl.Socket, want string) {
	t.Helper()
	buf := make([]byte, 1<<16)
	var n int
	err := alternate(t, task{s, func() (err error) {
		n, err = s.Recv(buf)
		return err
	}})[0]
	if err != nil || string(buf[:n]) != want {
		t.Errorf("received %q, %v; want %q", buf[:n], err, want)
	}
}

// wantNothing checks that there is nothing to receive, and that a selector says so afterwards.
func wantNothing(t testing.TB, s *ssl.Socket) {
	t.Helper()
	n, err := s.Recv(make([]byte, 1))
	wantError(t, err, ssl.ErrWantRead, "ssl.recv", "readable")
	if n != 0 || s.Pending() != 0 || readable(t, s, 0) {
		t.Errorf("received %d bytes, pending %d, or it is readable", n, s.Pending())
	}
}

func readable(t testing.TB, s any, timeout time.Duration) bool {
	t.Helper()
	r, _, _, err := pyselect.Select([]any{s}, nil, nil, timeout)
	check(t, err)
	return len(r) > 0
}

// unread returns what the kernel has for a socket, until the next call.
func unread(t testing.TB, s *socket.Socket) []byte {
	t.Helper()
	n, err := s.Recv(scratch, socket.MSG_PEEK|socket.MSG_DONTWAIT)
	if !errors.Is(err, socket.ErrWouldBlock) {
		check(t, err)
	}
	return scratch[:n]
}

// scratch is for what the test's own goroutine receives.
var scratch = make([]byte, 1<<20)

// A relay is between a client and its server, and passes on what the test says.
type relay struct {
	client, server *ssl.Socket    // non-blocking
	near           *socket.Socket // connected to the client
	far            *socket.Socket // connected to the server
}

func newRelay(t testing.TB, clientConfig, serverConfig *tls.Config) *relay {
	t.Helper()
	a, b := sockets(t)
	c, d := sockets(t)
	return &relay{own(t, ssl.Client(a, clientConfig, hostname)), own(t, ssl.Server(d, serverConfig)), b, c}
}

// take returns what a socket has received. It waits on a system where that may take a moment to arrive.
func take(t testing.TB, s *socket.Socket) (data []byte) {
	t.Helper()
	for {
		if runtime.GOOS == "windows" {
			readable(t, s, 20*time.Millisecond)
		}
		n, err := s.Recv(scratch, socket.MSG_DONTWAIT)
		if data = append(data, scratch[:n]...); errors.Is(err, socket.ErrWouldBlock) || n == 0 && err == nil {
			return data
		}
		check(t, err)
	}
}

func (r *relay) fromClient(t testing.TB) []byte { t.Helper(); return take(t, r.near) }
func (r *relay) fromServer(t testing.TB) []byte { t.Helper(); return take(t, r.far) }

func (r *relay) toClient(t testing.TB, data []byte) { t.Helper(); check(t, r.near.Sendall(data)) }
func (r *relay) toServer(t testing.TB, data []byte) { t.Helper(); check(t, r.far.Sendall(data)) }

// shake passes on everything until the handshake is done. What the server has sent last, like session tickets, stays.
func (r *relay) shake(t testing.TB) {
	t.Helper()
	for client, server := error(ssl.ErrWantRead), error(ssl.ErrWantRead); client != nil || server != nil; {
		if client = r.client.DoHandshake(); client != nil {
			wantError(t, client, ssl.ErrWantRead)
		}
		r.toServer(t, r.fromClient(t))
		if server = r.server.DoHandshake(); server != nil {
			wantError(t, server, ssl.ErrWantRead)
		}
		if client != nil {
			r.toClient(t, r.fromServer(t))
		}
	}
}

// record returns one that is not encrypted.
func record(typ byte, data ...byte) []byte {
	return append([]byte{typ, 3, 3, byte(len(data) >> 8), byte(len(data))}, data...)
}

// The types of records.
const (
	changeCipherSpec = 20 + iota
	alert
	handshake
	applicationData
)

// A watcher returns a function that waits until the socket is readable, and reports whether it is.
type watcher func(t testing.TB, s *ssl.Socket) (wait func(timeout time.Duration) bool)

// selects is the watcher that a selector is.
func selects[S selectors.BaseSelector](create func() (S, error)) watcher {
	return func(t testing.TB, s *ssl.Socket) func(timeout time.Duration) bool {
		sel := own(t, must[S](t)(create()))
		must[*selectors.SelectorKey](t)(sel.Register(s, selectors.EventRead, nil))
		return func(timeout time.Duration) bool { return len(must[[]selectors.Ready](t)(sel.Select(timeout))) > 0 }
	}
}

// watchers are all kinds of selectors, and what they are made of.
var watchers = map[string]watcher{
	"Select": func(t testing.TB, s *ssl.Socket) func(timeout time.Duration) bool {
		return func(timeout time.Duration) bool { return readable(t, s, timeout) }
	},
	"SelectSelector":  selects(selectors.NewSelectSelector),
	"DefaultSelector": selects(selectors.NewDefaultSelector),
}

// eachWatcher runs a test with each of them.
func eachWatcher(t *testing.T, test func(t *testing.T, watch watcher)) {
	for name, watch := range watchers {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			test(t, watch)
		})
	}
}
