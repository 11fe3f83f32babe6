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
	"unicode/utf8"

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
	server, addr := start(t, dir, "-overwrite")
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
	server, addr := start(t, dir, "-overwrite")
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

	check(t, say(c, "put|a|1\nxput|b|2\r\nyzput|c|0\nget|c|0\nget|missing|0", "OKOKOKYES|0NO|0"))
	check(t, fetch(c, "a", []byte("x")))
	check(t, fetch(c, "b", []byte("yz")))
	check(t, say(c, "get|a|0\nnext", "YES|1x"))
	check(t, say(c, "put|x|5\nhello"+strings.Repeat("put|y|0\n", 100), "OK"+strings.Repeat("OK", 100)))
	check(t, fetch(c, "x", []byte("hello")))

	check(t, say(c, "get|by bytes|0", "YES|5"))
	check(t, say(c, strings.Repeat("m", 1024), "hello"))
	server.Stop(t, os.Interrupt)
}

// As many OKs as one recv returns are as many messages, wherever they are cut.
func TestManyMessages(t *testing.T) {
	dir := testkit.TempDir(t)
	data := progtest.Random(600*pieceSize + 1)
	write(t, dir, "file", data)
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	check(t, say(c, "get|file|0", fmt.Sprintf("YES|%d", len(data))))
	rest := data
	for _, step := range []struct {
		messages string
		n        int
	}{{"OK", 1}, {"OKOKOK", 3}, {"O", 1}, {"KOKO", 2}, {"K", 0}, {"next", 1}, {"OOKOK", 1}, {strings.Repeat("OK", 500), 500}} {
		check(t, say(c, step.messages, string(rest[:step.n*pieceSize])))
		rest = rest[step.n*pieceSize:]
	}
	check(t, say(c, "second_active", string(rest)))

	check(t, say(c, "get|file|1", fmt.Sprintf("YES|%d", len(data))))
	check(t, say(c, "OK", string(data)))
	server.Stop(t, os.Interrupt)
}

func TestCountMessages(t *testing.T) {
	for _, test := range []struct {
		data      string
		afterHalf bool
		n         int64
		half      bool
	}{
		{"OK", false, 1, false}, {"O", false, 1, true}, {"OKO", false, 2, true}, {"OKOK", false, 2, false},
		{"K", true, 0, false}, {"KO", true, 1, true}, {"KOK", true, 1, false}, {"OK", true, 1, false},
		{"K", false, 1, false}, {"OKK", false, 1, false}, {"next", true, 1, false}, {"\n", false, 1, false},
	} {
		if n, half := countMessages([]byte(test.data), test.afterHalf); n != test.n || half != test.half {
			t.Errorf("%q after half of one: %t: %d, %t, want %d, %t", test.data, test.afterHalf, n, half, test.n, test.half)
		}
	}
}

// Messages that come after a download are not the next command.
func TestTooManyMessages(t *testing.T) {
	server, addr := start(t, testkit.TempDir(t))
	c := progtest.Dial(t, addr)
	check(t, upload(c, "empty", nil))
	check(t, upload(c, "file", []byte("data")))
	for _, message := range []string{"OK", "next", "second_active", "p", "get", "K"} {
		check(t, say(c, "get|empty|0", "YES|0"))
		check(t, say(c, message, ""))
		check(t, fetch(c, "file", []byte("data")))
		for range 50 {
			check(t, say(c, message, ""))
		}
		check(t, say(c, message+"get|file|0", "YES|4"))
		check(t, say(c, message+message, "data"))
	}
	check(t, say(c, "OKOK", ""))
	check(t, upload(c, "another", []byte("data")))
	check(t, fetch(c, "another", []byte("data")))
	sent := progtest.Send(c, bytes.Repeat([]byte("OK"), 4096), func() error { return nil }) // more than there can be
	refused(t, c)
	c.Close()
	<-sent
	server.Stop(t, os.Interrupt)
}

// As people who type a command send the end of the line with it, this is no data, and no message.
func TestLines(t *testing.T) {
	server, addr := start(t, testkit.TempDir(t), "-overwrite")
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
	c := progtest.Dial(t, addr)
	for _, name := range []string{
		"", ".", "..", "../secret", "./file", "sub/file", "/etc/passwd", filepath.Join(outside, "secret"), `..\secret`,
		"secret\x00", "\x00", "a\nb",
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

// What is no command closes the connection, and changes nothing: a size is digits and nothing else.
func TestGarbage(t *testing.T) {
	dir := testkit.TempDir(t)
	old := []byte("old")
	write(t, dir, "file", old)
	server, addr := start(t, dir, "-overwrite")
	for _, head := range []string{
		"put|file|-1", "put|file|+1", "put|file|x", "put|file|1099511627777", "put|file|99999999999999999999", "put|file||",
		"put|file|1e9", "put|file|0x10", "put|file|3,000", "put|file|1.5", "put|file|1 ", "put|file| 1", "put|file|1_0",
		"put|file|5hello", "get|file|0next", "get|file|0x10",
		"put||1", "put|a|b|1", "get|file|-", "get|file|99999999999999999999", "delete|file|0", "PUT|file|1", "putt", "hello", "\n", "|",
		"GET / HTTP/1.1\r\n\r\n", "put|" + strings.Repeat("x", maxHead), string(progtest.Random(10 << 20)),
	} {
		c := progtest.Dial(t, addr)
		sent := progtest.Send(c, []byte(head), func() error { return nil })
		refused(t, c)
		c.Close() // Wine does not always end a Write whose peer has gone
		<-sent
	}
	holds(t, dir, "file", old)
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
			server, addr := start(t, dir, "-overwrite", "-timeout", "100ms")
			c := progtest.Dial(t, addr)
			check(t, say(c, "put|file|1000000", "OK"))
			_, err := c.Write(progtest.Random(100_000))
			check(t, err)
			test.breakIt(server, c)
			if _, err := io.Copy(io.Discard, c); test.name != "reset" && !errors.Is(err, socket.ErrConnectionReset) {
				t.Errorf("the connection ends with %v, want %v", err, socket.ErrConnectionReset)
			}
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

// A server removes nothing when it starts, whatever the name: what a killed one has left may be the user's.
func TestKilled(t *testing.T) {
	testkit.NotOnWine(t, removesNone)
	dir := testkit.TempDir(t)
	write(t, dir, ".ftp-notes", []byte("data"))
	write(t, dir, ".ftp-"+strings.Repeat("A", 26), []byte("data"))
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	check(t, say(c, "put|file|10", "OK"))
	server.Process.Kill()
	server.Wait()
	server, addr = start(t, dir)
	c = progtest.Dial(t, addr)
	check(t, upload(c, "file", []byte("complete")))
	check(t, fetch(c, "file", []byte("complete")))
	check(t, fetch(c, ".ftp-notes", []byte("data")))
	entries, err := os.ReadDir(dir)
	check(t, err)
	if len(entries) != 4 {
		t.Errorf("there are %v, want two files of the user, one that was uploaded and half of one", entries)
	}
	server.Stop(t, os.Interrupt)
}

// What cannot be uploaded is refused before it comes: the connection ends in the place of the OK.
func TestRefusedUploads(t *testing.T) {
	dir := testkit.TempDir(t)
	tooLong := strings.Repeat("x", 300)
	write(t, dir, "file", []byte("old"))
	check(t, os.Mkdir(filepath.Join(dir, "sub"), 0o777))
	for _, test := range []struct{ name, why, flag string }{
		{"file", "file exists, and there is no -overwrite", "-v"},
		{"sub", "sub is a directory", "-v"},
		{"sub", "sub is a directory", "-overwrite"},
		{tooLong, "", "-v"},
		{tooLong, "", "-overwrite"},
	} {
		if test.name == tooLong && testkit.OnWine() {
			continue // which says that there is no such file
		}
		server, addr := start(t, dir, test.flag)
		c := progtest.Dial(t, addr)
		_, err := fmt.Fprintf(c, "put|%s|4", test.name)
		check(t, err)
		refused(t, c)
		server.Signal(t, os.Interrupt)
		status, _, stderr := server.End(t)
		line := fmt.Sprintf("ftp: %v: put refused: %s", c.LocalAddr(), test.why)
		if logged := strings.Contains(stderr, line); status != 0 || logged != (test.flag == "-v") || !logged && stderr != "" {
			t.Errorf("%.10s, %s: status %d, stderr %q, want %q", test.name, test.flag, status, stderr, line)
		}
	}
	check(t, os.Remove(filepath.Join(dir, "sub")))
	holds(t, dir, "file", []byte("old"))
}

// Of two uploads of one name, the second is refused while the first is under way, as one would fail at its end.
func TestUploadUnderWay(t *testing.T) {
	testkit.NotOnWine(t, removesNone)
	dir := testkit.TempDir(t)
	server, addr := start(t, dir)
	first, second := progtest.Dial(t, addr), progtest.Dial(t, addr)
	check(t, say(first, "put|file|4", "OK"))
	_, err := io.WriteString(second, "put|file|4")
	check(t, err)
	refused(t, second)
	check(t, say(first, "data", ""))
	check(t, fetch(first, "file", []byte("data")))
	holds(t, dir, "file", []byte("data"))
	server.Stop(t, os.Interrupt)
}

// What goes wrong at the end of an upload looks like no success, and nobody's file is replaced.
func TestFailedUpload(t *testing.T) {
	dir := testkit.TempDir(t)
	server, addr := start(t, dir)
	c := progtest.Dial(t, addr)
	check(t, say(c, "put|file|4", "OK"))
	write(t, dir, "file", []byte("somebody else's"))
	_, err := io.WriteString(c, "data")
	check(t, err)
	c.CloseWrite()
	if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, socket.ErrConnectionReset) {
		t.Errorf("after the upload: %d, %v, want %v", n, err, socket.ErrConnectionReset)
	}
	if line, err := server.Stderr.ReadString('\n'); !strings.HasPrefix(line, fmt.Sprintf("ftp: %v: linkat .ftp-", c.LocalAddr())) {
		t.Errorf("the server complains %q, %v", line, err)
	}
	server.Stop(t, os.Interrupt)
	testkit.NotOnWine(t, removesNone)
	holds(t, dir, "file", []byte("somebody else's"))
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
	if n, err := io.Copy(io.Discard, c); n > 1500-1024 || err != nil && !errors.Is(err, socket.ErrConnectionReset) {
		t.Errorf("instead of the end came %d bytes, %v", n, err)
	}
	want := fmt.Sprintf("ftp: %v: file: unexpected EOF; closed\n", c.LocalAddr())
	if line, err := server.Stderr.ReadString('\n'); line != want {
		t.Errorf("the server complains %q, want %q: %v", line, want, err)
	}
	server.Stop(t, os.Interrupt)
}

// A client that stalls is closed. One that is between two commands may be somebody who thinks.
func TestIdle(t *testing.T) {
	const timeout = 300 * time.Millisecond
	dir := testkit.TempDir(t)
	write(t, dir, "file", progtest.Random(2000))
	write(t, dir, "small", []byte("data"))
	server, addr := start(t, dir, "-timeout", timeout.String())
	thinker := progtest.Dial(t, addr)
	check(t, fetch(thinker, "small", []byte("data")))
	check(t, say(thinker, "OK", "")) // which is too many
	begin := time.Now()
	var conns []net.Conn
	for request, answer := range map[string]string{"p": "", "put|file|": "", "put|another|10": "OK", "get|file|0": "YES|2000"} {
		c := progtest.Dial(t, addr)
		check(t, say(c, request, answer))
		conns = append(conns, c)
	}
	for _, c := range conns {
		refused(t, c)
		if d := time.Since(begin); d < timeout {
			t.Errorf("closed after %v", d)
		}
	}
	check(t, fetch(thinker, "small", []byte("data")))
	server.Stop(t, os.Interrupt)
}

// When there is no room for others, whoever is idle has to go.
func TestIdleWhenFull(t *testing.T) {
	testkit.NotOn(t, "windows", "limit of open descriptors")
	const timeout = 300 * time.Millisecond
	dir := testkit.TempDir(t)
	write(t, dir, "file", []byte("data"))
	server, addr := startWith(t, ownDescriptors+2, dir, "-timeout", timeout.String())
	begin := time.Now()
	thinker := progtest.Dial(t, addr)
	check(t, fetch(thinker, "file", []byte("data")))
	check(t, fetch(progtest.Dial(t, addr), "file", []byte("data")))
	if d := time.Since(begin); d < timeout {
		t.Errorf("closed after %v", d)
	}
	refused(t, thinker)
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
	server, addr := start(t, dir, "-overwrite")
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
	server, addr := start(t, dir, "-overwrite")
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
	if data, err := os.ReadFile(filepath.Join(dir, "common")); !bytes.Equal(data, common) {
		t.Errorf("the common file is another: %v", err)
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
	server, addr := startWith(t, fewFds, dir, "-overwrite")
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

// With -v, the server says who comes, who goes and what is transferred.
func TestVerbose(t *testing.T) {
	server, addr := start(t, testkit.TempDir(t), "-v")
	c := progtest.Dial(t, addr)
	check(t, upload(c, "file", []byte("data")))
	check(t, fetch(c, "file", []byte("data")))
	check(t, say(c, "get|missing|0", "NO|0"))
	c.CloseWrite()
	io.Copy(io.Discard, c)
	server.Signal(t, os.Interrupt)
	_, _, stderr := server.End(t)
	for _, what := range []string{
		"connected", "put file: 4 bytes", "get file: 4 bytes", `get "missing": `, "the client has gone; closed",
	} {
		if !strings.Contains(stderr, fmt.Sprintf("ftp: %v: %s", c.LocalAddr(), what)) {
			t.Errorf("nothing says %q of %v in %q", what, c.LocalAddr(), stderr)
		}
	}
}

// What a client calls a file does nothing to the terminal where that is logged.
func TestUnprintableNames(t *testing.T) {
	server, addr := start(t, testkit.TempDir(t), "-v")
	c := progtest.Dial(t, addr)
	const name = "a\u202eb"
	check(t, upload(c, name, []byte("data")))
	check(t, fetch(c, name, []byte("data")))
	check(t, say(c, "get|a\x9bb|0", "NO|0"))
	server.Signal(t, os.Interrupt)
	_, _, stderr := server.End(t)
	if !strings.Contains(stderr, "put a?b: 4 bytes\n") || strings.Contains(stderr, "\u202e") || !utf8.ValidString(stderr) {
		t.Errorf("the server says %q", stderr)
	}
}
