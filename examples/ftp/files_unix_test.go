//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/progtest"
)

// What the server cannot do is refused before the data come, too, and the server says why.
func TestNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	check(t, os.Mkdir(dir, 0o777))
	server, addr := start(t, dir)
	check(t, os.Remove(dir))
	c := progtest.Dial(t, addr)
	_, err := io.WriteString(c, "put|file|4")
	check(t, err)
	refused(t, c)
	want := fmt.Sprintf("ftp: %v: openat .ftp-", c.LocalAddr())
	if line, err := server.Stderr.ReadString('\n'); !strings.HasPrefix(line, want) {
		t.Errorf("the server complains %q, want %q...: %v", line, want, err)
	}
	server.Stop(t, os.Interrupt)
}

// No link leads out of the directory, and nothing that is no file makes the server wait.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "dir")
	check(t, os.Mkdir(dir, 0o777))
	write(t, outside, "secret", []byte("secret"))
	check(t, os.Symlink("../secret", filepath.Join(dir, "link")))
	check(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	server, addr := start(t, dir, "-overwrite")
	c := progtest.Dial(t, addr)
	for _, name := range []string{"link", "fifo"} {
		check(t, say(c, "get|"+name+"|0", "NO|0"))
	}
	check(t, upload(c, "link", []byte("new")))
	check(t, fetch(c, "link", []byte("new")))
	if data, err := os.ReadFile(filepath.Join(outside, "secret")); string(data) != "secret" {
		t.Errorf("the file outside has become %q, %v", data, err)
	}
	server.Stop(t, os.Interrupt)
}

// Nothing stays of a download whose terminal is closed, unless the program has to go on without one.
func TestHangup(t *testing.T) {
	for _, nohup := range []bool{false, true} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		defer listener.Close()
		dir := t.TempDir()
		if nohup {
			signal.Ignore(unix.SIGHUP)
			defer signal.Reset(unix.SIGHUP)
		}
		client := progtest.Start(t, "get", "-connect", listener.Addr().String(), "-dir", dir, "file")
		c, err := listener.Accept()
		check(t, err)
		defer c.Close()
		check(t, say(c, "", "get|file|1"))
		check(t, say(c, "YES|4", "OK"))
		client.Signal(t, unix.SIGHUP)
		if nohup {
			check(t, say(c, "data", ""))
			if status, _, stderr := client.End(t); status != 0 {
				t.Errorf("status %d, stderr %q", status, stderr)
			}
			holds(t, dir, "file", []byte("data"))
			continue
		}
		if status, _, stderr := client.End(t); status != 1 || !strings.HasSuffix(stderr, "ftp: file: hangup signal received\n") {
			t.Errorf("status %d, stderr %q", status, stderr)
		}
		holds(t, dir, "", nil)
	}
}

// A program goes on when nobody reads what it says.
func TestNobodyReads(t *testing.T) {
	dir, back := t.TempDir(), t.TempDir()
	write(t, dir, "file", progtest.Random(1_000_000))
	server, addr := start(t, dir)
	r, w, err := os.Pipe()
	check(t, err)
	check(t, r.Close())
	cmd := progtest.Command(t, 100, "get", "-connect", addr, "-dir", back, "file")
	cmd.Stderr = w
	check(t, cmd.Run())
	check(t, w.Close())
	holds(t, back, "file", progtest.Random(1_000_000))
	server.Stop(t, os.Interrupt)
}
