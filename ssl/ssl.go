//go:build unix || windows

// Package ssl is TLS for the sockets of package socket, as Python's ssl module has it for those of Python: an operation of a
// non-blocking Socket that cannot go on says what to wait for, so that TLS connections can be in the same loop as everything
// else.
//
//	conn := ssl.Server(sock, config)
//	n, err := conn.Recv(buf)
//	switch {
//	case errors.Is(err, ssl.ErrWantRead):
//		// again when conn is readable
//	case errors.Is(err, ssl.ErrWantWrite):
//		// again when conn is writable
//	}
//
// The protocol is that of package crypto/tls, whose Config takes the place of Python's SSLContext.
//
// # Selectors
//
// No more is taken from the kernel than the record that is being received. So what a selector says of a Socket is true, as with
// Python's: it is readable if there is something to receive, save for what is left of a record when Recv was given a buffer with
// less room, which Pending tells. A buffer of 16 KiB has room for every record.
//
// # Differences from Python
//
// The handshake begins with the first operation that needs it, whatever is blocking: DoHandshake is there to see its error. A
// connection that ends without the peer's close_notify is an error, ErrEOF, unless SuppressRaggedEOFs is set; Python's default is
// the opposite. Close says close_notify if that does not wait. Renegotiation is refused.
package ssl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/socket"
)

// A Socket is a socket with TLS on it, made by Client, Server or Accept. It mirrors Python's SSLSocket.
//
// The methods of socket.Socket that are not here, like Fileno, Settimeout and Getpeername, do the same as there. All methods are
// safe for concurrent use; one goroutine may receive while another one sends.
type Socket struct {
	*socket.Socket

	// SuppressRaggedEOFs makes the end of a connection without close_notify an end like others, for Recv and Read. Set it before
	// the first operation. It mirrors suppress_ragged_eofs.
	SuppressRaggedEOFs bool

	config     *tls.Config
	serverSide bool
	conn       *conn
	cleanup    runtime.Cleanup
}

// A conn is a TLS connection. The goroutine of the handshake knows it, and not the Socket, so that a Socket that becomes
// unreachable in the middle can end it.
type conn struct {
	tls   *tls.Conn
	wire  wire
	ctx   context.Context // of the handshake; done when the Socket is closed, detached or unreachable
	close context.CancelFunc

	handshake handshake
	waiters   atomic.Int32 // how many operations wait for the socket
	receiving sync.Mutex
	rest      []byte    // decrypted, and not received yet; Pending puts it here
	broken    error     // the error after which nothing is received any more
	sending   wait.Turn // which an operation keeps until the record is sent
	sent      int       // bytes of the record that is in the wire, and that Send has not reported yet
	unwrapped atomic.Bool
}

// Client returns the client's side of a TLS connection over a socket, which belongs to it from now on. The socket may be
// connected later. serverHostname is the name of the server, to ask for and to verify; if it is "", config has to say that. It
// mirrors SSLContext.wrap_socket.
func Client(sock *socket.Socket, config *tls.Config, serverHostname string) *Socket {
	if config = config.Clone(); config == nil {
		config = &tls.Config{}
	}
	if serverHostname != "" {
		config.ServerName = serverHostname
	}
	config.Renegotiation = tls.RenegotiateNever
	return wrap(sock, config, false)
}

// Server returns the server's side of a TLS connection over a socket, which belongs to it from now on. If that listens, Accept
// returns such connections. It mirrors SSLContext.wrap_socket with server_side=True.
func Server(sock *socket.Socket, config *tls.Config) *Socket { return wrap(sock, config, true) }

func wrap(sock *socket.Socket, config *tls.Config, serverSide bool) *Socket {
	if sock == nil {
		sock = new(socket.Socket) // a closed one
	}
	if config == nil {
		config = &tls.Config{}
	}
	c := &conn{sending: wait.NewTurn()}
	c.ctx, c.close = context.WithCancel(context.Background())
	c.wire.sock = sock
	c.handshake.init()
	if serverSide {
		c.tls = tls.Server(&c.wire, config)
	} else {
		c.tls = tls.Client(&c.wire, config)
	}
	s := &Socket{Socket: sock, config: config, serverSide: serverSide, conn: c}
	s.cleanup = runtime.AddCleanup(s, (*conn).forget, c)
	return s
}

// forget ends the goroutine of the handshake. If there is none, nothing is done: what was made in a bubble of testing/synctest
// must not be touched from outside.
func (c *conn) forget() {
	if c.handshake.running.Load() {
		c.close()
	}
}

// Accept accepts a connection. The handshake is not done yet. It mirrors SSLSocket.accept.
func (s *Socket) Accept() (*Socket, net.Addr, error) {
	sock, addr, err := s.Socket.Accept()
	if err != nil {
		return nil, nil, err
	}
	accepted := wrap(sock, s.config, s.serverSide)
	accepted.SuppressRaggedEOFs = s.SuppressRaggedEOFs
	return accepted, addr, nil
}

// Close closes the socket. It says close_notify before, if the handshake is done and the kernel takes it at once. It mirrors
// SSLSocket.close.
func (s *Socket) Close() error {
	s.end()
	if s.conn.handshake.done.Load() && s.conn.sending.Take(sys.Now, nil) {
		s.conn.notify(nil)
		s.conn.sending.Leave()
	}
	return s.Socket.Close()
}

// Detach gives the descriptor to the caller, as socket.Socket.Detach does. It mirrors SSLSocket.detach.
func (s *Socket) Detach() (int, error) {
	s.end()
	return s.Socket.Detach()
}

func (s *Socket) end() {
	s.cleanup.Stop()
	s.conn.close()
}

// Unwrap ends the TLS connection and returns the socket, over which other things may follow. It sends close_notify and waits for
// that of the peer. After that, the error of the operations of this Socket is os.ErrClosed, and Close closes the socket. It
// mirrors SSLSocket.unwrap.
//
// The error is ErrWantRead or ErrWantWrite if the socket is non-blocking and it has to go on; with ErrWantRead after the
// handshake, close_notify has been sent, and Recv still receives what the peer sends. It is ErrEOF if the connection ends without
// close_notify, and an *Error if the peer has sent something else before, which can be received, so that Unwrap can be called
// again.
func (s *Socket) Unwrap() (*socket.Socket, error) {
	deadline := s.deadline()
	if err := s.conn.take(s.conn.sending, notifyOp, deadline); err != nil {
		return nil, err
	}
	_, err := s.do(notifyOp, nil, deadline)
	s.conn.sending.Leave()
	if err == nil {
		_, err = s.do(unwrapOp, nil, deadline)
	}
	if err != nil {
		return nil, err
	}
	s.conn.unwrapped.Store(true)
	return s.Socket, nil
}

// Version returns the version of the protocol, like "TLSv1.3", or "" before the handshake is done. It mirrors SSLSocket.version.
func (s *Socket) Version() string {
	switch v := s.ConnectionState().Version; v {
	case 0:
		return ""
	case tls.VersionTLS10:
		return "TLSv1"
	case tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13:
		return fmt.Sprintf("TLSv1.%d", v-tls.VersionTLS10)
	default:
		return tls.VersionName(v)
	}
}

// Cipher returns the name of the cipher suite, or "" before the handshake is done. It mirrors the first of what SSLSocket.cipher
// returns.
func (s *Socket) Cipher() string {
	if suite := s.ConnectionState().CipherSuite; suite != 0 {
		return tls.CipherSuiteName(suite)
	}
	return ""
}

// Getpeercert returns the certificate of the peer, or nil if it has none or before the handshake is done. It mirrors
// SSLSocket.getpeercert.
func (s *Socket) Getpeercert() *x509.Certificate {
	if certs := s.ConnectionState().PeerCertificates; len(certs) > 0 {
		return certs[0]
	}
	return nil
}

// SelectedAlpnProtocol returns the protocol that was chosen by ALPN, or "". It mirrors SSLSocket.selected_alpn_protocol.
func (s *Socket) SelectedAlpnProtocol() string { return s.ConnectionState().NegotiatedProtocol }

// SessionReused reports whether the session is that of an earlier connection. It mirrors SSLSocket.session_reused.
func (s *Socket) SessionReused() bool { return s.ConnectionState().DidResume }

// ServerSide reports whether this is the server's side. It mirrors SSLSocket.server_side.
func (s *Socket) ServerSide() bool { return s.serverSide }

// ConnectionState returns what crypto/tls knows of the connection, which is nothing before the handshake is done.
func (s *Socket) ConnectionState() tls.ConnectionState {
	if !s.conn.handshake.done.Load() {
		return tls.ConnectionState{} // that of crypto/tls would wait
	}
	return s.conn.tls.ConnectionState()
}

// String describes the socket as socket.Socket.String does, and says what TLS it has.
func (s *Socket) String() string {
	version := s.Version()
	if version == "" {
		version = "no handshake"
	}
	return fmt.Sprintf("<ssl.Socket %s %v>", version, s.Socket)
}

func opError(op string, err error) error { return &pyselect.OpError{Op: op, Fd: -1, Err: err} }

// notAllowed is the error of a method that makes no sense with TLS.
func notAllowed(op string) error {
	return opError(op, fmt.Errorf("not allowed on a TLS connection: %w", os.ErrInvalid))
}
