//go:build unix || windows

package ssl_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
)

// An authority issues certificates for the two sides of connections.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign signs a certificate, which is the authority's own if it has none yet.
func (a *authority) sign(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	testkit.Check(t, err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	testkit.Check(t, err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	testkit.Check(t, err)
	certificate, err := x509.ParseCertificate(der)
	testkit.Check(t, err)
	return certificate, key
}

// issue returns a certificate for either side. As a server's, it is for localhost and 127.0.0.1 too.
func (a *authority) issue(t testing.TB, name string) tls.Certificate {
	t.Helper()
	certificate, key := a.sign(t, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{name, "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// world is who is there: a server and a client whose authority is known, and a client whose authority is not.
type world struct {
	authority               *authority
	server, client, unknown tls.Certificate
	dir                     string // has all of it in files for other programs: ca.pem, server.pem, client.pem, unknown.pem
}

func newWorld(t testing.TB) *world {
	t.Helper()
	a := newAuthority(t, "authority")
	w := &world{authority: a, server: a.issue(t, "server.test"), client: a.issue(t, "client"), dir: testkit.TempDir(t)}
	w.unknown = newAuthority(t, "unknown").issue(t, "unknown")
	w.save(t, "ca", tls.Certificate{Certificate: [][]byte{a.certificate.Raw}})
	w.save(t, "server", w.server)
	w.save(t, "client", w.client)
	w.save(t, "unknown", w.unknown)
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name+".pem") }

func (w *world) save(t testing.TB, name string, certificate tls.Certificate) {
	t.Helper()
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if certificate.PrivateKey != nil {
		key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
		testkit.Check(t, err)
		content = slices.Concat(content, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	}
	testkit.Check(t, os.WriteFile(w.path(name), content, 0o600))
}

// serverConfig and clientConfig return configurations for one version of the protocol, or, if that is 0, for all that is not
// too old.
func (w *world) serverConfig(version uint16) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{w.server}, ClientCAs: w.authority.pool(), MinVersion: version, MaxVersion: version,
	}
}

func (w *world) clientConfig(version uint16) *tls.Config {
	return &tls.Config{RootCAs: w.authority.pool(), MinVersion: version, MaxVersion: version}
}
