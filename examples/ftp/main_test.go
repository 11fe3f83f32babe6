//go:build unix || windows

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

const fewFds = ownDescriptors + 2*5

const removesNone = "os.Root removes no file" // a reason for NotOnWine

// start starts the server for a directory.
func start(t *testing.T, dir string, args ...string) (server *progtest.Program, addr string) {
	t.Helper()
	return startWith(t, 2000, dir, args...)
}

func startWith(t *testing.T, fds int, dir string, args ...string) (server *progtest.Program, addr string) {
	t.Helper()
	server = progtest.StartWith(t, fds, append([]string{"serve", "-listen", "127.0.0.1:0", "-dir", dir}, args...)...)
	return server, server.Line(t)
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// holds checks that a directory has one file, or none if name is "".
func holds(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != name {
		t.Fatalf("the directory has %q, want %q", got, name)
	}
	if name == "" {
		return
	}
	if got, err := os.ReadFile(filepath.Join(dir, name)); !bytes.Equal(got, data) {
		t.Fatalf("%s has %d bytes, want %d: %v", name, len(got), len(data), err)
	}
}

func say(c net.Conn, request, answer string) error {
	if request != "" { // Wine lets an empty one wait for room
		if _, err := io.WriteString(c, request); err != nil {
			return err
		}
	}
	got := make([]byte, len(answer))
	if n, err := io.ReadFull(c, got); string(got) != answer {
		return fmt.Errorf("%.40q is answered with %q, want %q: %w", request, got[:n], answer, err)
	}
	return nil
}

// upload does it as the originals do.
func upload(c net.Conn, name string, data []byte) error {
	if err := say(c, fmt.Sprintf("put|%s|%d", name, len(data)), "OK"); err != nil {
		return err
	}
	_, err := c.Write(data)
	return err
}

// fetch downloads what is known, as the originals do.
func fetch(c net.Conn, name string, data []byte) error {
	if err := say(c, fmt.Sprintf("get|%s|0", name), fmt.Sprintf("YES|%d", len(data))); err != nil {
		return err
	}
	for len(data) > 0 {
		n := min(1024, len(data))
		if err := say(c, "next", string(data[:n])); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that the server closes a connection without a word.
func refused(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	if n > 0 || err != io.EOF && !errors.Is(err, socket.ErrConnectionReset) {
		t.Errorf("instead of the end came %d bytes, %v", n, err)
	}
}

// Transfers of all sizes, one after the other on one connection.
func TestTransfers(t *testing.T) {
	dir := testkit.TempDir(t)
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	for _, size := range []int{0, 1, 1023, 1024, 1025, 300_000, 0} {
		data := progtest.Random(size)
		check(t, upload(c, "file", data))
		check(t, fetch(c, "file", data))
		holds(t, dir, "file", data)
	}
	check(t, say(c, "get|missing|0", "NO|0"))
	server.Stop(t, os.Interrupt)
}

// However TCP cuts the messages.
func TestCuts(t *testing.T) {
	dir := testkit.TempDir(t)
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	for _, b := range "put|by bytes|" {
		_, err := io.WriteString(c, string(b))
		check(t, err)
	}
	check(t, say(c, "5", "OK"))
	for _, b := range "hello" {
		_, err := io.WriteString(c, string(b))
		check(t, err)
	}
	check(t, fetch(c, "by bytes", []byte("hello")))

	check(t, say(c, "put|at once|5hello", "OK"))
	check(t, fetch(c, "at once", []byte("hello")))
	check(t, say(c, "get|at once|0next", "YES|5hello"))
	check(t, say(c, "put|a|1xput|b|2yzput|c|0get|c|0get|missing|0", "OKOKOKYES|0NO|0"))
	check(t, fetch(c, "a", []byte("x")))
	check(t, fetch(c, "b", []byte("yz")))
	check(t, say(c, "put|x|5hello"+strings.Repeat("put|y|0", 2000), "OK"+strings.Repeat("OK", 2000)))

	check(t, say(c, "get|by bytes|0", "YES|5"))
	check(t, say(c, strings.Repeat("m", 1024), "hello"))
	server.Stop(t, os.Interrupt)
}

// As people who type a command send the end of the line with it, this is no data, and no message.
func TestLines(t *testing.T) {
	server, addr := start(t, testkit.TempDir(t))
	c := progtest.Dial(t, addr)
	for _, eol := range []string{"\n", "\r\n"} {
		check(t, say(c, "put|a|3"+eol, "OK"))
		check(t, say(c, "abc", ""))
		check(t, fetch(c, "a", []byte("abc")))
		check(t, say(c, fmt.Sprintf("put|b|%d", len(eol)+1)+eol+eol+"b", "OK")) // not more than one end of a line
		check(t, fetch(c, "b", []byte(eol+"b")))
		check(t, upload(c, "c", []byte(eol))) // not after the OK
		check(t, fetch(c, "c", []byte(eol)))
		check(t, say(c, "get|a|0"+eol, "YES|3"))
		check(t, say(c, eol, "abc"))
	}
	server.Stop(t, os.Interrupt)
}

func TestNames(t *testing.T) {
	outside := testkit.TempDir(t)
	dir := filepath.Join(outside, "dir")
	check(t, os.Mkdir(dir, 0o777))
	write(t, outside, "secret", []byte("secret"))
	check(t, os.Mkdir(filepath.Join(dir, "sub"), 0o777))
	server, addr := start(t, dir)
	write(t, dir, ".ftp-half", []byte("half a file"))
	c := progtest.Dial(t, addr)
	for _, name := range []string{
		"", ".", "..", "../secret", "./file", "sub/file", "/etc/passwd", filepath.Join(outside, "secret"), `..\secret`,
		"secret\x00", "\x00", "a\nb", ".ftp-half",
	} {
		check(t, say(c, "get|"+name+"|0", "NO|0"))
		c := progtest.Dial(t, addr)
		_, err := io.WriteString(c, "put|"+name+"|1")
		check(t, err)
		refused(t, c)

		for _, command := range []string{"get", "put"} {
			if strings.Contains(name, "\x00") || command == "put" && filepath.Base(name) != name {
				continue // which the system does not pass on, and which the client may have
			}
			status, stdout, stderr := progtest.Start(t, command, "-connect", addr, name).End(t)
			if want := fmt.Sprintf("ftp: %q is no name ", name); status != 1 || stdout != "" || !strings.HasPrefix(stderr, want) {
				t.Errorf("%s %q: status %d, stdout %q, stderr %q", command, name, status, stdout, stderr)
			}
		}
	}
	check(t, say(c, "get|sub|0", "NO|0")) // which is no file
	holds(t, filepath.Join(dir, "sub"), "", nil)
	if data, err := os.ReadFile(filepath.Join(outside, "secret")); string(data) != "secret" {
		t.Errorf("the file outside has become %q, %v", data, err)
	}
	server.Stop(t, os.Interrupt)
}

func TestGarbage(t *testing.T) {
	dir := testkit.TempDir(t)
	server, addr := start(t, dir)
	for _, head := range []string{
		"put|file|-1", "put|file|+1", "put|file|x", "put|file|1099511627777", "put|file|99999999999999999999", "put|file||",
		"put||1", "put|a|b|1", "get|file|-", "get|file|99999999999999999999", "delete|file|0", "PUT|file|1", "putt", "hello", "\n", "|",
		"GET / HTTP/1.1\r\n\r\n", "put|" + strings.Repeat("x", maxHead),
		"put|" + strings.Repeat("x", maxHead-6) + "|1", string(progtest.Random(10 << 20)),
	} {
		c := progtest.Dial(t, addr)
		sent := progtest.Send(c, []byte(head), func() error { return nil })
		refused(t, c)
		c.Close() // Wine does not always end a Write whose peer has gone
		<-sent
	}
	holds(t, dir, "", nil)
	server.Stop(t, os.Interrupt)
}

// Of an upload that is not complete, nothing stays, and the file that it was to replace is what it was.
func TestBrokenUploads(t *testing.T) {
	testkit.NotOnWine(t, removesNone)
	for _, test := range []struct {
		name    string
		breakIt func(server *progtest.Program, c *net.TCPConn)
	}{
		{"end", func(_ *progtest.Program, c *net.TCPConn) { c.CloseWrite() }},
		{"reset", func(_ *progtest.Program, c *net.TCPConn) { progtest.Reset(c) }},
		{"stall", func(_ *progtest.Program, c *net.TCPConn) {}},
		{"interrupt", func(server *progtest.Program, _ *net.TCPConn) { server.Stop(t, os.Interrupt) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := testkit.TempDir(t)
			old := []byte("old")
			write(t, dir, "file", old)
			server, addr := start(t, dir, "-timeout", "100ms")
			c := progtest.Dial(t, addr)
			check(t, say(c, "put|file|1000000", "OK"))
			_, err := c.Write(progtest.Random(100_000))
			check(t, err)
			test.breakIt(server, c)
			io.Copy(io.Discard, c) // until the server has closed it
			testkit.Eventually(t, "the half file to go", func() bool {
				entries, err := os.ReadDir(dir)
				return err == nil && len(entries) == 1
			})
			holds(t, dir, "file", old)
			if server.ProcessState == nil {
				server.Stop(t, os.Interrupt)
			}
		})
	}
}

// What is left of a server that was killed goes when the next one starts, and nothing else.
func TestKilled(t *testing.T) {
	testkit.NotOnWine(t, removesNone)
	dir := testkit.TempDir(t)
	sub := filepath.Join(dir, ".ftp-sub")
	check(t, os.Mkdir(sub, 0o777))
	write(t, sub, ".ftp-file", []byte("data"))
	write(t, dir, "a.ftp-file", []byte("data"))
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	check(t, say(c, "put|file|10", "OK"))
	server.Process.Kill()
	server.Wait()
	files := func() int {
		entries, err := os.ReadDir(dir)
		check(t, err)
		return len(entries)
	}
	if n := files(); n != 3 {
		t.Fatalf("with the file that is not complete, there are %d", n)
	}
	server, _ = start(t, dir)
	if n := files(); n != 2 {
		t.Errorf("without the file that is not complete, there are %d", n)
	}
	holds(t, sub, ".ftp-file", []byte("data"))
	server.Stop(t, os.Interrupt)
}

// What the server cannot do looks like no success.
func TestFailedUpload(t *testing.T) {
	dir := testkit.TempDir(t)
	check(t, os.Mkdir(filepath.Join(dir, "sub"), 0o777))
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	check(t, upload(c, "sub", []byte("data")))
	c.CloseWrite()
	if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, socket.ErrConnectionReset) {
		t.Errorf("after the upload: %d, %v, want %v", n, err, socket.ErrConnectionReset)
	}
	if line, err := server.Stderr.ReadString('\n'); !strings.HasPrefix(line, "ftp: rename") {
		t.Errorf("the server complains %q, %v", line, err)
	}
	server.Stop(t, os.Interrupt)
	testkit.NotOnWine(t, removesNone)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
}

func TestTruncatedDownload(t *testing.T) {
	dir := testkit.TempDir(t)
	write(t, dir, "file", progtest.Random(2000))
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	check(t, say(c, "get|file|0", "YES|2000"))
	check(t, os.Truncate(filepath.Join(dir, "file"), 1500))
	check(t, say(c, "next", string(progtest.Random(1024))))
	_, err := io.WriteString(c, "next")
	check(t, err)
	refused(t, c)
	if line, err := server.Stderr.ReadString('\n'); !strings.HasSuffix(line, "file: unexpected EOF\n") {
		t.Errorf("the server complains %q, %v", line, err)
	}
	server.Stop(t, os.Interrupt)
}

func TestIdle(t *testing.T) {
	const timeout = 300 * time.Millisecond
	dir := testkit.TempDir(t)
	write(t, dir, "file", progtest.Random(2000))
	server, addr := start(t, dir, "-timeout", timeout.String())
	begin := time.Now()
	var conns []net.Conn
	for _, request := range []string{"", "put|file|", "put|file|10", "get|file|0"} {
		c := progtest.Dial(t, addr)
		_, err := io.WriteString(c, request)
		check(t, err)
		conns = append(conns, c)
	}
	for _, c := range conns {
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d < timeout {
			t.Errorf("closed after %v", d)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestNoTimeout(t *testing.T) {
	server, addr := start(t, testkit.TempDir(t), "-timeout", "0")
	c := progtest.Dial(t, addr)
	check(t, upload(c, "file", []byte("data")))
	time.Sleep(tick) // until the server looks for connections that are idle, at the latest after the next answer
	for range 2 {
		check(t, fetch(c, "file", []byte("data")))
	}
	server.Stop(t, os.Interrupt)
}

// A connection with something to send waits only until that is possible: it would spin if what the client sends woke it.
func TestUnsent(t *testing.T) {
	sel, err := selectors.NewDefaultSelector()
	check(t, err)
	defer sel.Close()
	client, sock, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	check(t, err)
	defer client.Close()
	defer sock.Close()
	sock.Setblocking(false)
	data := progtest.Random(4 << 20)
	s := &server{sel: sel, buf: make([]byte, 64<<10), connections: make(map[*connection]bool)}
	c := &connection{Socket: sock, unsent: data}
	_, err = sel.Register(c, selectors.EventRead, callback(s.serviceConnection))
	check(t, err)
	check(t, client.Settimeout(testkit.Patience))
	check(t, client.Sendall([]byte("put|")))
	service := func() bool {
		events, err := sel.Select(0)
		check(t, err)
		for _, ready := range events {
			s.serviceConnection(ready.Key, ready.Events)
		}
		return len(events) > 0
	}
	for last := len(data) + 1; service(); last = len(c.unsent) {
		if len(c.unsent) == last {
			t.Fatal("the connection is ready, although nothing can be sent")
		}
	}
	var received []byte
	for buf := make([]byte, 64<<10); len(received) < len(data); service() {
		n, err := client.Recv(buf)
		check(t, err)
		received = append(received, buf[:n]...)
	}
	if !bytes.Equal(received, data) {
		t.Error("something else came")
	}
	if service(); string(c.head) != "put|" {
		t.Errorf("after that, the server has received %q", c.head)
	}
}

// Clients that stall, in every way, keep nobody waiting.
func TestStalledClients(t *testing.T) {
	dir := testkit.TempDir(t)
	data := progtest.Random(64 << 20)
	write(t, dir, "big", data)
	server, addr := start(t, dir)
	other := progtest.Dial(t, addr)
	var greedy net.Conn
	asked := 0 // pieces, at least
	for _, stall := range []func(c *net.TCPConn){
		func(c *net.TCPConn) {},
		func(c *net.TCPConn) { io.WriteString(c, "put|half") },
		func(c *net.TCPConn) { check(t, say(c, "put|half|10", "OK")) },
		func(c *net.TCPConn) { check(t, say(c, "get|big|0", "YES|67108864")) },
		func(c *net.TCPConn) { // wants it all, but does not read it
			check(t, say(c, "get|big|0", "YES|67108864"))
			asked = len(progtest.SendUntilStuck(t, c)) / pieceSize
			greedy = c
		},
	} {
		stall(progtest.Dial(t, addr))
		check(t, upload(other, "small", data[:10_000]))
		check(t, fetch(other, "small", data[:10_000]))
	}
	check(t, say(greedy, "", string(data[:min(asked*pieceSize, 1<<20)])))
	server.Stop(t, os.Interrupt)
	check(t, os.Remove(filepath.Join(dir, "small")))
	testkit.NotOnWine(t, removesNone)
	holds(t, dir, "big", data)
}

// More connections are reset than the server can have, at every stage, and another one lives through it all.
func TestReset(t *testing.T) {
	dir := testkit.TempDir(t)
	data := progtest.Random(10_000)
	write(t, dir, "file", data)
	server, addr := startWith(t, fewFds, dir)
	other := progtest.Dial(t, addr)
	for i := range 60 {
		c := progtest.Dial(t, addr)
		switch i % 4 {
		case 1:
			io.WriteString(c, "put|half")
		case 2:
			check(t, say(c, "put|half|10", "OK"))
			io.WriteString(c, "12345")
		case 3:
			check(t, say(c, "get|file|0", "YES|10000"))
			check(t, say(c, "next", string(data[:100])))
		}
		progtest.Reset(c)
		check(t, fetch(other, "file", data))
	}
	server.Stop(t, os.Interrupt)
	testkit.NotOnWine(t, removesNone)
	holds(t, dir, "file", data)
}

func TestConcurrent(t *testing.T) {
	testkit.NotOnWine(t, "a file that is open cannot be replaced")
	const clients = 200
	dir := testkit.TempDir(t)
	common := progtest.Random(50_000)
	write(t, dir, "common", common)
	server, addr := start(t, dir)
	stalled := progtest.Dial(t, addr)
	check(t, say(stalled, "put|stalled|10", "OK"))
	var conns [clients]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
	}
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			name, own := fmt.Sprint("file", i), common[i:20_000+i]
			err := upload(c, name, own)
			if err == nil {
				err = fetch(c, "common", common)
			}
			if err == nil {
				err = fetch(c, name, own)
			}
			if err == nil {
				err = upload(c, "common", common)
			}
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	server.Stop(t, os.Interrupt)
	for i := range conns {
		if data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("file", i))); !bytes.Equal(data, common[i:20_000+i]) {
			t.Errorf("the file of client %d is another: %v", i, err)
		}
	}
}

func TestManyClients(t *testing.T) {
	testkit.NotOnWine(t, "so many files take too long")
	const clients, fds = 1000, 2100
	testkit.NeedFds(t, fds)
	dir := testkit.TempDir(t)
	server, addr := startWith(t, fds, dir)
	var conns [clients]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
		check(t, say(conns[i], fmt.Sprintf("put|file%d|4", i), "OK"))
	}
	for i, c := range conns {
		data := fmt.Appendf(nil, "%04d", i)
		_, err := c.Write(data)
		check(t, err)
		check(t, fetch(c, fmt.Sprint("file", i), data))
	}
	server.Stop(t, os.Interrupt)
}

// More clients than the server can have wait until others are gone. All of those that it has can open files.
func TestMoreClientsThanDescriptors(t *testing.T) {
	dir := testkit.TempDir(t)
	server, addr := startWith(t, fewFds, dir)
	var conns [30]*net.TCPConn
	for i := range conns {
		conns[i] = progtest.Dial(t, addr)
		_, err := io.WriteString(conns[i], "put|file|3")
		check(t, err)
	}
	for _, c := range conns {
		check(t, say(c, "", "OK"))
		_, err := io.WriteString(c, "abc")
		check(t, err)
		check(t, fetch(c, "file", []byte("abc")))
		c.Close()
	}
	server.Stop(t, os.Interrupt)
	holds(t, dir, "file", []byte("abc"))
}

func TestInterrupt(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		server, addr := start(t, testkit.TempDir(t))
		c := progtest.Dial(t, addr)
		check(t, upload(c, "file", []byte("data")))
		check(t, fetch(c, "file", []byte("data")))
		if out := server.Stop(t, sig); out != "" {
			t.Errorf("the output goes on with %q", out)
		}
		refused(t, c)
	}
}

// The client against the server.
func TestClient(t *testing.T) {
	here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
	server, addr := start(t, there)
	for size, steps := range map[int]int{0: 1, 10: 2, 1000: 2, 1_000_000: 11} {
		data := progtest.Random(size)
		write(t, here, "file", data)
		for _, args := range [][]string{
			{"put", "-connect", addr, filepath.Join(here, "file")},
			{"get", "-connect", addr, "-dir", back, "file"},
		} {
			status, stdout, stderr := progtest.Start(t, args...).End(t)
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

// A client that fails says so, and leaves nothing behind.
func TestClientFails(t *testing.T) {
	data := []byte("some bytes")
	answer := func(c net.Conn, request, answer string) {
		io.ReadFull(c, make([]byte, len(request)))
		io.WriteString(c, answer)
	}
	const putRequest, getRequest = "put|file|10", "get|file|0"
	for _, test := range []struct {
		name, command, stderr string
		serve                 func(client *progtest.Program, c *net.TCPConn)
	}{
		{"refused", "put", "file: unexpected EOF\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, putRequest, "") }},
		{"no", "put", "file: the answer is \"ON\"\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, putRequest, "ON") }},
		{"reset", "put", socket.ErrConnectionReset.Error() + "\n", func(_ *progtest.Program, c *net.TCPConn) {
			answer(c, putRequest, "OK")
			answer(c, "some byte", "")
			c.SetLinger(0)
		}},
		{"interrupted", "put", "interrupt signal received\n", func(client *progtest.Program, c *net.TCPConn) {
			answer(c, putRequest, "O")
			client.Signal(t, os.Interrupt)
			io.Copy(io.Discard, c)
		}},
		{"missing", "get", "file: the server has no such file\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, getRequest, "NO|0") }},
		{"garbage", "get", "file: the answer is \"YES|x\"\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, getRequest, "YES|x") }},
		{"negative", "get", "file: the answer is \"YES|-1\"\n", func(_ *progtest.Program, c *net.TCPConn) { answer(c, getRequest, "YES|-1") }},
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
			if test.name == "reset" {
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
			if status, _, stderr := client.End(t); status != 1 || !strings.HasSuffix(stderr, test.stderr) {
				t.Errorf("status %d, stderr %q", status, stderr)
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
		{"delete file", "usage: ftp serve", 2},
		{"serve more", "ftp: 1 arguments, want 0\nusage: ", 2},
		{"put", "ftp: 0 arguments, want 1\nusage: ", 2},
		{"get a b", "ftp: 2 arguments, want 1\nusage: ", 2},
		{"serve -connect x", "flag provided but not defined: -connect\nusage: ", 2},
		{"serve -listen nowhere", "ftp: socket.create_server: ", 1},
		{"serve -listen 127.0.0.1:0 -dir /nowhere", fmt.Sprintf("ftp: %v\n", openFails), 1},
		{"put -connect nowhere /nowhere", fmt.Sprintf("ftp: %v\n", statFails), 1},
		{"put -connect nowhere /", fmt.Sprintf("ftp: %q is no name that can be uploaded\n", filepath.Base("/")), 1},
		{"put -connect nowhere " + dir, "ftp: " + dir + " is no regular file\n", 1},
		{"get -connect nowhere file", "ftp: dial tcp: ", 1},
	} {
		status, stdout, stderr := progtest.Start(t, strings.Fields(test.args)...).End(t)
		if status != test.status || stdout != "" || !strings.HasPrefix(stderr, test.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.args, status, stdout, stderr)
		}
	}
}

func TestPythonClient(t *testing.T) {
	const script = `
import os, socket, sys
host, port, here, back = sys.argv[1:]
for name in sorted(os.listdir(here)):
    with open(os.path.join(here, name), "rb") as f:
        data = f.read()
    with socket.create_connection((host, port)) as s:
        s.sendall(f"put|{name}|{len(data)}".encode())
        assert s.recv(1024) == b"OK"
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1024) == b""
    with socket.create_connection((host, port)) as s:
        s.sendall(f"get|{name}|0".encode())
        answer, size = s.recv(1024).decode().split("|")
        assert answer == "YES"
        received = bytearray()
        while len(received) < int(size):
            s.sendall(b"more")
            received += s.recv(1024)
    with open(os.path.join(back, name), "wb") as f:
        f.write(received)
with socket.create_connection((host, port)) as s:
    s.sendall(b"get|missing|0")
    assert s.recv(1024) == b"NO|0"
`
	there := testkit.TempDir(t)
	server, addr := start(t, there)
	host, port, _ := net.SplitHostPort(addr)
	for _, size := range []int{0, 1024, 4<<20 + 1} {
		here, back := testkit.TempDir(t), testkit.TempDir(t)
		data := progtest.Random(size)
		write(t, here, "file", data)
		python := progtest.Run(t, "python3", "-c", script, host, port, here, back)
		if status, stdout, stderr := python.End(t); status != 0 {
			t.Fatalf("status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
		holds(t, there, "file", data)
		holds(t, back, "file", data)
	}
	server.Stop(t, os.Interrupt)
}

func TestPythonServer(t *testing.T) {
	const script = `
import os, selectors, socket, sys
sel = selectors.DefaultSelector()
uploads, downloads = {}, {}

def finish(conn):
    if conn in uploads and uploads[conn][1] == 0:
        uploads.pop(conn)[0].close()

def accept(listener):
    conn, _ = listener.accept()
    sel.register(conn, selectors.EVENT_READ, read)

def read(conn):
    data = conn.recv(1024)
    if not data:
        sel.unregister(conn)
        conn.close()
    elif conn in uploads:
        uploads[conn][0].write(data)
        uploads[conn][1] -= len(data)
        finish(conn)
    elif conn in downloads:
        conn.sendall(downloads[conn].read(1024))
    else:
        command, name, size = data.decode().split("|")
        path = os.path.join(sys.argv[1], name)
        if command == "put":
            uploads[conn] = [open(path, "wb"), int(size)]
            conn.sendall(b"OK")
            finish(conn)
        elif os.path.isfile(path):
            downloads[conn] = open(path, "rb")
            conn.sendall(f"YES|{os.path.getsize(path)}".encode())
        else:
            conn.sendall(b"NO|0")

listener = socket.create_server(("127.0.0.1", 0))
sel.register(listener, selectors.EVENT_READ, accept)
print("%s:%d" % listener.getsockname(), flush=True)
while True:
    for key, _ in sel.select():
        key.data(key.fileobj)
`
	here, there, back := testkit.TempDir(t), testkit.TempDir(t), testkit.TempDir(t)
	addr := progtest.Run(t, "python3", "-c", script, there).Line(t)
	for _, size := range []int{0, 1024, 4<<20 + 1} {
		data := progtest.Random(size)
		write(t, here, "file", data)
		for _, args := range [][]string{
			{"put", "-connect", addr, filepath.Join(here, "file")},
			{"get", "-connect", addr, "-dir", back, "file"},
		} {
			if status, stdout, stderr := progtest.Start(t, args...).End(t); status != 0 {
				t.Fatalf("%s of %d bytes: status %d, stdout %q, stderr %q", args[0], size, status, stdout, stderr)
			}
		}
		holds(t, there, "file", data)
		holds(t, back, "file", data)
	}
	if status, _, stderr := progtest.Start(t, "get", "-connect", addr, "-dir", back, "missing").End(t); status != 1 {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}
