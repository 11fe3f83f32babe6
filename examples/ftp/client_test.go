//go:build unix || windows

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// runClient runs a client to its end.
func runClient(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return progtest.Start(t, args...).End(t)
}

// The client against the server.
func TestClient(t *testing.T) {
	here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
	server, addr := start(t, there, "-overwrite")
	for size, steps := range map[int]int{0: 1, 10: 2, 1000: 2, 1_000_000: 11} {
		data := progtest.Random(size)
		write(t, here, "file", data)
		for _, args := range [][]string{
			{"put", "-connect", addr, filepath.Join(here, "file")},
			{"get", "file", "-dir", back, "-overwrite", "-connect", addr},
		} {
			status, stdout, stderr := runClient(t, args...)
			last := fmt.Sprintf("file: %d of %d bytes\n", size, size)
			if status != 0 || stdout != "" || !strings.HasSuffix(stderr, last) || strings.Count(stderr, "\n") > steps {
				t.Errorf("%s of %d bytes: status %d, stdout %q, stderr %q", args[0], size, status, stdout, stderr)
			}
		}
		holds(t, there, "file", data)
		holds(t, back, "file", data)
	}
	server.Stop(t, os.Interrupt)
}

// Several files at a time, of which some fail. The flags stand anywhere.
func TestSeveralFiles(t *testing.T) {
	here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
	server, addr := start(t, there)
	for _, name := range []string{"-a", "b", "c"} {
		write(t, here, name, []byte(name))
	}
	a, b, c := filepath.Join(here, "-a"), filepath.Join(here, "b"), filepath.Join(here, "c")
	const done = "-a: 2 of 2 bytes\n"
	if status, _, stderr := runClient(t, "put", a, "-connect", addr, b); status != 0 || !strings.Contains(stderr, done) {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	status, _, stderr := runClient(t, "put", b, c, "-connect", addr)
	refused := fmt.Sprintf("ftp: b: %s: the server has refused the file: it may have one of that name\n", addr)
	if status != 1 || !strings.HasPrefix(stderr, refused) || !strings.HasSuffix(stderr, "ftp: 1 of 2 files failed\n") {
		t.Errorf("status %d, stderr %q, want %q...", status, stderr, refused)
	}
	write(t, back, "b", []byte("old"))
	status, _, stderr = runClient(t, "get", "b", "-dir", back, "missing", "-connect", addr, "--", "-a", "c")
	missing := fmt.Sprintf("ftp: missing: %s: the server has no such file\n", addr)
	exists := "ftp: b exists, and there is no -overwrite\n"
	if status != 1 || !strings.HasPrefix(stderr, exists+missing) || !strings.HasSuffix(stderr, "ftp: 2 of 4 files failed\n") {
		t.Errorf("status %d, stderr %q, want %q...", status, stderr, exists+missing)
	}
	for dir, b := range map[string]string{there: "b", back: "old"} {
		for name, want := range map[string]string{"-a": "-a", "b": b, "c": "c"} {
			if data, err := os.ReadFile(filepath.Join(dir, name)); string(data) != want {
				t.Errorf("%s is %q, want %q: %v", filepath.Join(dir, name), data, want, err)
			}
		}
	}
	server.Stop(t, os.Interrupt)
}

// An upload has not succeeded if nobody knows whether it was received, however much of it the system has taken.
func TestUnconfirmedUpload(t *testing.T) {
	const much = 20 << 20 // more than the system takes
	stop := make(chan struct{})
	defer close(stop)
	readNothing := func(*net.TCPConn) { <-stop }
	for _, test := range []struct {
		name, stderr string
		size         int
		serve        func(c *net.TCPConn) // after the OK
	}{
		{"stopped", "not confirmed: the server has not ended the connection within 500ms\n", 10, readNothing},
		{"stuck", "i/o timeout\n", much, readNothing},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			defer listener.Close()
			here := testkit.TempDir(t)
			write(t, here, "file", progtest.Random(test.size))
			put := progtest.Start(t, "put", "-connect", listener.Addr().String(), "-timeout", "500ms", filepath.Join(here, "file"))
			c, err := listener.Accept()
			check(t, err)
			go func() {
				defer c.Close()
				io.ReadFull(c, fmt.Appendf(nil, "put|file|%d", test.size))
				io.WriteString(c, "OK")
				test.serve(c.(*net.TCPConn))
			}()
			status, _, stderr := put.End(t)
			want := fmt.Sprintf("ftp: file: %v: %s", listener.Addr(), test.stderr)
			all := fmt.Sprintf("%d of %d", test.size, test.size)
			if status != 1 || !strings.Contains(stderr, want) || strings.Contains(stderr, all) {
				t.Errorf("status %d, stderr %q, want %q", status, stderr, want)
			}
		})
	}
}

// What the client cannot do is no fault of the server.
func TestOwnFault(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	dir := testkit.TempDir(t)
	client := progtest.Start(t, "get", "-connect", listener.Addr().String(), "-dir", dir, "file")
	c, err := listener.Accept()
	check(t, err)
	defer c.Close()
	check(t, say(c, "", "get|file|1"))
	check(t, say(c, "YES|4", "OK"))
	write(t, dir, "file", []byte("somebody else's"))
	check(t, say(c, "data", ""))
	if status, _, stderr := client.End(t); status != 1 || !strings.Contains(stderr, "ftp: file: linkat .ftp-") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

// A client that fails says so, and leaves nothing behind.
func TestClientFails(t *testing.T) {
	data := []byte("some bytes")
	answer := func(c net.Conn, request, answer string) {
		io.ReadFull(c, make([]byte, len(request)))
		io.WriteString(c, answer)
	}
	const putRequest, getRequest = "put|file|10", "get|file|1"
	const refusal = "the server has refused the file: it may have one of that name\n"
	for _, test := range []struct {
		name, command, stderr string
		serve                 func(client *progtest.Program, c *net.TCPConn)
	}{
		{"refused", "put", refusal, func(_ *progtest.Program, c *net.TCPConn) { answer(c, putRequest, "") }},
		{"reset at once", "put", refusal, func(_ *progtest.Program, c *net.TCPConn) {
			answer(c, putRequest, "")
			c.SetLinger(0)
		}},
		{"no", "put", "the answer is \"ON\"\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, putRequest, "ON") }},
		{"reset", "put", socket.ErrConnectionReset.Error() + "\n", func(_ *progtest.Program, c *net.TCPConn) {
			answer(c, putRequest, "OK")
			answer(c, "some byte", "")
			c.SetLinger(0)
		}},
		{"babble", "put", "not confirmed: the server says \"m\"\n", func(_ *progtest.Program, c *net.TCPConn) {
			answer(c, putRequest, "OKmore")
			io.Copy(io.Discard, c)
		}},
		{"interrupted", "put", "interrupt signal received\n", func(client *progtest.Program, c *net.TCPConn) {
			answer(c, putRequest, "O")
			client.Signal(t, os.Interrupt)
			io.Copy(io.Discard, c)
		}},
		{"missing", "get", "the server has no such file\n", func(_ *progtest.Program, c *net.TCPConn) {
			answer(c, getRequest, "NO|0")
		}},
		{"garbage", "get", "the answer is \"YES|x\"\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, getRequest, "YES|x") }},
		{"negative", "get", "the answer is \"YES|-1\"\n", func(_ *progtest.Program, c *net.TCPConn) {
			answer(c, getRequest, "YES|-1")
		}},
		{"silent", "get", "unexpected EOF\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, getRequest, "") }},
		{"broken", "get", "unexpected EOF\n", func(_ *progtest.Program, c *net.TCPConn) {
			answer(c, getRequest, "YES|10")
			answer(c, "OK", "some")
		}},
		{"interrupted", "get", "interrupt signal received\n", func(client *progtest.Program, c *net.TCPConn) {
			answer(c, getRequest, "YES|10")
			answer(c, "OK", "some")
			client.Signal(t, os.Interrupt)
			io.Copy(io.Discard, c)
		}},
	} {
		t.Run(test.command+" "+test.name, func(t *testing.T) {
			if strings.HasPrefix(test.name, "reset") {
				testkit.NotOnWine(t, "a reset looks like the end")
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			defer listener.Close()
			here, back := testkit.TempDir(t), testkit.TempDir(t)
			write(t, here, "file", data)
			args := []string{"put", "-connect", listener.Addr().String(), filepath.Join(here, "file")}
			if test.command == "get" {
				args = []string{"get", "-connect", listener.Addr().String(), "-dir", back, "file"}
			}
			client := progtest.Start(t, args...)
			c, err := listener.Accept()
			check(t, err)
			test.serve(client, c.(*net.TCPConn))
			c.Close()
			want := fmt.Sprintf("ftp: file: %v: %s", listener.Addr(), test.stderr)
			if test.name == "interrupted" { // which is no matter of the connection
				want = "ftp: file: " + test.stderr
			}
			if status, _, stderr := client.End(t); status != 1 || !strings.HasSuffix(stderr, want) {
				t.Errorf("status %d, stderr %q, want %q", status, stderr, want)
			}
			if test.command == "get" && (test.name == "broken" || test.name == "interrupted") {
				testkit.NotOnWine(t, removesNone)
			}
			holds(t, back, "", nil)
		})
	}
}

func TestUsage(t *testing.T) {
	dir := testkit.TempDir(t)
	_, openFails := os.OpenRoot("/nowhere")
	_, statFails := os.Stat("/nowhere")
	for _, test := range []struct {
		args, stderr string
		status       int
	}{
		{"", "usage: ftp serve", 2},
		{"-h", "usage: ftp serve", 0},
		{"--help", "usage: ftp serve", 0},
		{"help", "usage: ftp serve", 0},
		{"serve -h", "usage: ftp serve", 0},
		{"put -h", "usage: ftp serve", 0},
		{"get file --help", "usage: ftp serve", 0},
		{"shell -help", "usage: ftp serve", 0},
		{"delete file", "ftp: unknown command \"delete\"\nusage: ", 2},
		{"serve", "ftp: serve needs -dir\nusage: ", 2},
		{"serve more -dir .", "ftp: unexpected argument \"more\"\nusage: ", 2},
		{"put -connect x", "ftp: put needs a FILE\nusage: ", 2},
		{"get", "ftp: get needs a NAME\nusage: ", 2},
		{"shell more", "ftp: unexpected argument \"more\"\nusage: ", 2},
		{"serve -connect x", "flag provided but not defined: -connect\nusage: ", 2},
		{"put file -dir x", "flag provided but not defined: -dir\nusage: ", 2},
		{"get file -timeout 0", "ftp: -timeout is 0s, and has to be positive\nusage: ", 2},
		{"serve -listen nowhere -dir .", "ftp: socket.create_server: ", 1},
		{"serve -listen 127.0.0.1:0 -dir /nowhere", fmt.Sprintf("ftp: %v\n", openFails), 1},
		{"put -connect nowhere /nowhere", fmt.Sprintf("ftp: %v\n", statFails), 1},
		{"put -connect nowhere /", fmt.Sprintf("ftp: %q is no name that can be uploaded\n", filepath.Base("/")), 1},
		{"put -connect nowhere " + dir, "ftp: " + dir + " is no regular file\n", 1},
		{"get -connect nowhere file -dir " + dir, "ftp: file: dial tcp: ", 1},
		{"get file -dir /nowhere", fmt.Sprintf("ftp: %v\n", openFails), 1},
		{"shell -download /nowhere", fmt.Sprintf("ftp: %v\n", openFails), 1},
	} {
		status, stdout, stderr := runClient(t, strings.Fields(test.args)...)
		if status != test.status || stdout != "" || !strings.HasPrefix(stderr, test.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.args, status, stdout, stderr)
		}
	}
}
