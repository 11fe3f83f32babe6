//go:build unix || windows

// Https is a web server for the files of a directory over TLS: one loop on a selector, as programs have it that use Python's
// selectors and ssl modules.
//
//	go run ./examples/https -listen localhost:8443 -root .
//	curl -i --insecure https://localhost:8443/README.md
//
// Its certificate is made when it starts, unless -cert and -key name one. What it knows of HTTP is in examples/internal/web.
//
// A step of a connection, whatever it is about, says what has to happen before it goes on: the socket has to be readable, or it
// has to be writable. The handshake belongs to the first step. A record that has come is received as a whole, so there is never
// anything pending that the selector does not know of.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/examples/internal/web"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

const (
	// How much is done before others have their turn.
	stepsPerTurn   = 8
	acceptsPerTurn = 64

	// How often to look for connections that are idle, and, after accept has failed, whether it goes again.
	tick = time.Second
)

func main() {
	flags := program.Flags("https", "[-listen HOST:PORT] [-root DIR] [-cert FILE -key FILE] [-timeout DURATION] [-v]")
	listen := flags.String("listen", "localhost:8443", "serve on `HOST:PORT`; port 0 picks a free one")
	dir := flags.String("root", ".", "serve the files of `DIR`")
	cert := flags.String("cert", "", "the certificate and those of its authorities are in `FILE`, as PEM; without, one is made")
	key := flags.String("key", "", "the key of the certificate is in `FILE`, as PEM")
	timeout := flags.Duration("timeout", 30*time.Second, "close a connection that has been idle for this `DURATION`; 0 is never")
	program.Verbose(flags)
	program.Parse(flags)
	if (*cert == "") != (*key == "") {
		program.UsageError(flags, "-cert and -key belong together")
	}
	program.Run(func(ctx context.Context) error {
		certificate, err := certificate(*cert, *key)
		if err != nil {
			return err
		}
		return run(ctx, *listen, *dir, &tls.Config{Certificates: []tls.Certificate{certificate}}, *timeout)
	})
}

// certificate returns the certificate that is in files, or a new one for this machine.
func certificate(cert, key string) (tls.Certificate, error) {
	if cert != "" {
		certificate, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			err = fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
		}
		return certificate, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), // browsers refuse two that have the same
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(0, 1, 0),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}

type server struct {
	listener *ssl.Socket
	sel      *selectors.DefaultSelector
	site     *web.Site
	timeout  time.Duration
	buf      []byte // that all connections receive into

	connections, maxConnections int
	listening                   bool      // the listener is registered
	acceptFrom                  time.Time // when to accept again after a failure
}

// A transport is a TLS connection. Its Shutdown says close_notify.
type transport struct{ *ssl.Socket }

func (t transport) Shutdown(int) error {
	_, err := t.Unwrap()
	switch {
	case err == nil:
		return io.EOF // the client has said so too
	case errors.Is(err, ssl.ErrWantWrite):
		return err
	}
	return nil // the client may still be sending
}

// run serves until ctx is done.
func run(ctx context.Context, listen, dir string, config *tls.Config, timeout time.Duration) error {
	site, err := web.Open(dir)
	if err != nil {
		return err
	}
	defer site.Close()
	listener, addr, err := web.Listen(listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	maxConnections, err := web.MaxConnections()
	if err != nil {
		return err
	}
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	s := &server{
		listener: ssl.Server(listener, config), sel: sel, site: site, timeout: timeout, buf: make([]byte, web.MaxRecv),
		maxConnections: maxConnections,
	}
	s.listener.SuppressRaggedEOFs = true // where a request ends, it says itself
	defer s.close()

	fmt.Println(addr)
	stop := context.AfterFunc(ctx, func() { sel.Wakeup() })
	defer stop()
	return s.serve(ctx)
}

func (s *server) close() {
	for key := range s.sel.Keys() {
		s.closeConnection(key)
	}
	s.sel.Close()
}

func (s *server) serve(ctx context.Context) error {
	for looked := time.Now(); ; {
		if err := s.listen(); err != nil {
			return err
		}
		ready, err := s.sel.Select(tick)
		if err != nil || ctx.Err() != nil {
			return err
		}
		for _, r := range ready {
			if r.Key.Fileobj == s.listener {
				s.accept()
			} else {
				s.turn(r.Key)
			}
		}
		if now := time.Now(); now.Sub(looked) >= tick {
			looked = now
			s.closeIdle(now)
		}
	}
}

// listen registers the listener, unless no more clients can be served now.
func (s *server) listen() (err error) {
	switch may := s.connections < s.maxConnections && time.Now().After(s.acceptFrom); {
	case may && !s.listening:
		_, err = s.sel.Register(s.listener, selectors.EventRead, nil)
	case !may && s.listening:
		_, err = s.sel.Unregister(s.listener)
	default:
		return nil
	}
	s.listening = !s.listening
	return err
}

// accept takes clients until none waits, or it is time for something else.
func (s *server) accept() {
	for range min(acceptsPerTurn, s.maxConnections-s.connections) {
		sock, peer, err := s.listener.Accept()
		if errors.Is(err, socket.ErrWouldBlock) {
			return
		}
		if err != nil {
			log.Printf("%v; next try in %v", err, tick)
			s.acceptFrom = time.Now().Add(tick)
			return
		}
		sock.Setblocking(false)
		c := &web.Conn{Transport: transport{sock}, Site: s.site, Peer: peer, Buf: s.buf, Active: time.Now()}
		if _, err := s.sel.Register(sock, selectors.EventRead, c); err != nil {
			log.Print(program.PeerError(peer, err))
			sock.Close()
			continue
		}
		s.connections++
		program.Logf("%v: connected", peer)
	}
}

func (s *server) closeConnection(key *selectors.SelectorKey) {
	s.sel.Unregister(key.Fileobj)
	if c, ok := key.Data.(*web.Conn); ok {
		c.Close()
		s.connections--
		program.Logf("%v: closed", c.Peer)
	}
}

func (s *server) closeIdle(now time.Time) {
	for key := range s.sel.Keys() {
		if c, ok := key.Data.(*web.Conn); ok && s.timeout > 0 && now.Sub(c.Active) >= s.timeout {
			program.Logf("%v: idle for %v", c.Peer, s.timeout)
			s.closeConnection(key)
		}
	}
}

// turn does what a connection can do now, up to some amount, and arranges for the rest.
func (s *server) turn(key *selectors.SelectorKey) {
	c := key.Data.(*web.Conn)
	want := selectors.EventWrite // if there is more to do: it is writable when others have had their turn
	var err error
	for range stepsPerTurn {
		if err = c.Step(); err != nil {
			break
		}
	}
	switch {
	case errors.Is(err, ssl.ErrWantRead):
		want = selectors.EventRead
	case err == io.EOF:
		s.closeConnection(key)
		return
	case err != nil && !errors.Is(err, ssl.ErrWantWrite):
		program.Logf("%v", program.PeerError(c.Peer, err))
		s.closeConnection(key)
		return
	}
	if _, err := s.sel.Modify(key.Fileobj, want, c); err != nil {
		log.Print(program.PeerError(c.Peer, err))
		s.closeConnection(key)
	}
}
