//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/examples/internal/web"
	"github.com/pyselect/pyselect/examples/internal/web/webtest"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

var static = webtest.Server{Name: "static", Scheme: "http", Client: webtest.HTTP}

func Test(t *testing.T) { webtest.Test(t, static) }

func TestOutOfDescriptors(t *testing.T) { webtest.OutOfDescriptors(t, static) }

// A turn ends although there is more to do.
func TestTurn(t *testing.T) {
	site, err := web.Open(t.TempDir())
	testkit.Check(t, err)
	defer site.Close()
	client, sock, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	testkit.Check(t, err)
	defer client.Close()
	defer sock.Close()
	sock.Setblocking(false)
	buf := make([]byte, web.MaxRecv)
	c := &connection{Conn: &web.Conn{Transport: sock, Site: site, Buf: buf}}
	if c.fileno, err = sock.Fileno(); err != nil {
		t.Fatal(err)
	}
	s := &server{connections: map[int]*connection{c.fileno: c}}
	if err := client.Sendall([]byte(strings.Repeat("GET / HTTP/1.1\r\nHost: test\r\n\r\n", 100))); err != nil {
		t.Fatal(err)
	}
	responses := make([]byte, 1<<20)
	for turn := range 10 {
		s.turn(c)
		if len(s.ready) != turn+1 || s.ready[turn] != c {
			t.Fatalf("after turn %d, the connection is not at the end of the ready list", turn)
		}
		n, err := client.Recv(responses)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(responses[:n], []byte("HTTP/1.1 404")); n == 0 || n > stepsPerTurn {
			t.Fatalf("turn %d has sent %d responses", turn, n)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args, stderr string
		status       int
	}{
		{"more", "static: unexpected argument \"more\"\nusage: ", 2},
		{"-bind 127.0.0.1:0", "flag provided but not defined: -bind\nusage: ", 2},
		{"-listen nowhere", "static: socket.create_server: ", 1},
		{"-listen 127.0.0.1:0 -root /nowhere", "static: open /nowhere: no such file or directory\n", 1},
	} {
		p := progtest.Start(t, strings.Fields(test.args)...)
		status, stdout, stderr := p.End(t)
		if status != test.status || stdout != "" || !strings.HasPrefix(stderr, test.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.args, status, stdout, stderr)
		}
	}
}
