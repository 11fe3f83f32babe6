//go:build unix || windows

package ssl_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

func TestSmoke(t *testing.T) {
	testkit.NoLeaks(t)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := ssl.Client(a, &tls.Config{RootCAs: pool}, "localhost")
	s := ssl.Server(b, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	go func() {
		buf := make([]byte, 100)
		n, err := s.Recv(buf)
		t.Log(n, err)
		s.Sendall(buf[:n])
		n, err = s.Recv(buf)
		t.Log(n, err)
		s.Close()
	}()
	n, err := c.Send([]byte("hello"))
	t.Log(n, err, c)
	buf := make([]byte, 2)
	n, err = c.Recv(buf)
	t.Log(n, err, c.Pending())
	n, err = c.Recv(buf)
	t.Log(n, err, c.Pending())
	n, err = c.Recv(buf)
	t.Log(n, err, c.Pending())
	c.Close()
}
