package main

// #include <stdlib.h>
// #include "bridge.h"
//
// static void call_sni(sni_function f, uintptr_t obj, const char *name, sni_reply *reply) { f(obj, name, reply); }
import "C"

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"unsafe"

	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// settings are those of an SSLContext.
type settings struct {
	Certificates  [][2]string // and their keys, as PEM
	Authorities   []string    // as PEM
	Defaults      bool        // trust the authorities of the system too
	Verify        int         // the verify_mode: NONE, OPTIONAL, REQUIRED
	CheckHostname bool
	Versions      [2]uint16 // the lowest and the highest
	Protocols     []string
	Ciphers       []uint16
	Curves        []tls.CurveID
}

// config translates settings as docs/porting.md does.
func (s *settings) config() (*tls.Config, error) {
	roots := x509.NewCertPool()
	if s.Defaults {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			return nil, err
		}
	}
	for _, text := range s.Authorities {
		roots.AppendCertsFromPEM([]byte(text))
	}
	config := &tls.Config{
		RootCAs:            roots,
		ClientCAs:          roots,
		ClientAuth:         []tls.ClientAuthType{tls.NoClientCert, tls.VerifyClientCertIfGiven, tls.RequireAndVerifyClientCert}[s.Verify],
		InsecureSkipVerify: !s.CheckHostname,
		MinVersion:         s.Versions[0],
		MaxVersion:         s.Versions[1],
		NextProtos:         s.Protocols,
		CipherSuites:       s.Ciphers,
		CurvePreferences:   s.Curves,
	}
	for _, pair := range s.Certificates {
		cert, err := tls.X509KeyPair([]byte(pair[0]), []byte(pair[1]))
		if err != nil {
			return nil, err
		}
		config.Certificates = append(config.Certificates, cert)
	}
	if len(config.Certificates) > 0 {
		// Whatever authorities the server names.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &config.Certificates[0], nil }
	}
	return config, nil
}

// verifyChain lets a client verify the certificate of the server, but not the name in it.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		certs := state.PeerCertificates
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range certs[1:] {
			options.Intermediates.AddCert(cert)
		}
		if _, err := certs[0].Verify(options); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: certs, Err: err}
		}
		return nil
	}
}

// A context is what Python has of an SSLContext.
type context struct {
	settings
	config *tls.Config
}

//export SSLContext
func SSLContext(text *C.char, f *C.failure) C.uintptr_t {
	var c context
	err := json.Unmarshal([]byte(C.GoString(text)), &c.settings)
	if err == nil {
		c.config, err = c.settings.config()
	}
	if err != nil {
		fail(f, &ssl.Error{Err: err})
		return 0
	}
	return newHandle(&c)
}

// A tlsSocket has no Close, so that the end of the Python object, as with unwrap, does not close the socket.
type tlsSocket struct{ socket *ssl.Socket }

//export SSLClient
func SSLClient(sock, ctx C.uintptr_t, serverHostname *C.char, raggedEOFs C.int) C.uintptr_t {
	count("ssl.Client")
	c := value[*context](ctx)
	config := c.config
	if c.Verify != 0 && !c.CheckHostname {
		config = config.Clone()
		config.VerifyConnection = verifyChain(config.RootCAs)
	}
	return newTLS(ssl.Client(value[*socket.Socket](sock), config, C.GoString(serverHostname)), raggedEOFs)
}

// SSLServer takes the Python object whose sni_callback is to be called, or 0.
//
//export SSLServer
func SSLServer(sock, ctx, obj C.uintptr_t, raggedEOFs C.int) C.uintptr_t {
	count("ssl.Server")
	config := value[*context](ctx).config
	if obj != 0 {
		config = config.Clone()
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return askForConfig(obj, hello.ServerName) }
	}
	return newTLS(ssl.Server(value[*socket.Socket](sock), config), raggedEOFs)
}

func newTLS(s *ssl.Socket, raggedEOFs C.int) C.uintptr_t {
	s.SuppressRaggedEOFs = raggedEOFs != 0
	return newHandle(tlsSocket{s})
}

var sniFunction C.sni_function

// SetSNI says how to call the sni_callback of a Python object.
//
//export SetSNI
func SetSNI(f C.sni_function) { sniFunction = f }

func askForConfig(obj C.uintptr_t, serverName string) (*tls.Config, error) {
	count("tls.Config.GetConfigForClient")
	name := C.CString(serverName)
	defer C.free(unsafe.Pointer(name))
	reply := C.sni_reply{alert: -1} // as it is when the function has raised an exception
	C.call_sni(sniFunction, obj, name, &reply)
	switch {
	case reply.alert != 0:
		return nil, fmt.Errorf("sni_callback: alert %d", reply.alert)
	case reply.context != 0:
		return value[*context](reply.context).config, nil
	}
	return nil, nil
}

func tlsOf(h C.uintptr_t, method string) *ssl.Socket {
	count("ssl.Socket." + method)
	return value[tlsSocket](h).socket
}

//export SSLDoHandshake
func SSLDoHandshake(h C.uintptr_t, f *C.failure) { fail(f, tlsOf(h, "DoHandshake").DoHandshake()) }

//export SSLRecv
func SSLRecv(h C.uintptr_t, p C.buffer, f *C.failure) C.int64_t {
	n, err := tlsOf(h, "Recv").Recv(bytesOf(p))
	fail(f, err)
	return C.int64_t(n)
}

//export SSLSend
func SSLSend(h C.uintptr_t, p C.buffer, f *C.failure) C.int64_t {
	n, err := tlsOf(h, "Send").Send(bytesOf(p))
	fail(f, err)
	return C.int64_t(n)
}

//export SSLSendall
func SSLSendall(h C.uintptr_t, p C.buffer, f *C.failure) {
	fail(f, tlsOf(h, "Sendall").Sendall(bytesOf(p)))
}

//export SSLSendfile
func SSLSendfile(h C.uintptr_t, fd C.int, offset, size C.int64_t, f *C.failure) C.int64_t {
	return sendfile(tlsOf(h, "Sendfile"), fd, offset, size, f)
}

//export SSLPending
func SSLPending(h C.uintptr_t) C.int64_t { return C.int64_t(tlsOf(h, "Pending").Pending()) }

//export SSLUnwrap
func SSLUnwrap(h C.uintptr_t, f *C.failure) {
	_, err := tlsOf(h, "Unwrap").Unwrap()
	fail(f, err)
}

//export SSLClose
func SSLClose(h C.uintptr_t, f *C.failure) { fail(f, tlsOf(h, "Close").Close()) }

// SSLState returns what is known of the connection, as JSON.
//
//export SSLState
func SSLState(h C.uintptr_t) *C.char {
	for _, method := range []string{"Version", "Cipher", "SelectedAlpnProtocol", "SessionReused", "Getpeercert", "ConnectionState"} {
		count("ssl.Socket." + method)
	}
	s := value[tlsSocket](h).socket
	state := map[string]any{
		"version": s.Version(), "cipher": s.Cipher(), "alpn": s.SelectedAlpnProtocol(), "reused": s.SessionReused(),
		"unique": s.ConnectionState().TLSUnique,
	}
	if cert := s.Getpeercert(); cert != nil {
		state["certificate"] = cert.Raw
	}
	text, err := json.Marshal(state)
	if err != nil {
		panic(err)
	}
	return C.CString(string(text))
}

// refusal returns the code and the words of OpenSSL for a certificate that is refused.
func refusal(err *tls.CertificateVerificationError) (code int, message string) {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return 20, "unable to get local issuer certificate"
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		if net.ParseIP(name.Host) != nil {
			return 64, fmt.Sprintf("IP address mismatch, certificate is not valid for '%s'.", name.Host)
		}
		return 62, fmt.Sprintf("Hostname mismatch, certificate is not valid for '%s'.", name.Host)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return 10, "certificate has expired"
	}
	return 1, err.Error()
}
