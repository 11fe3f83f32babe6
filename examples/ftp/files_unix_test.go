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

// What the server cannot do is refused before the data come, too, and the server says why, once.
func TestNoDirectory(t *testing.T) {
	for _, flag := range []string{"-overwrite", "-v"} {
		dir := filepath.Join(t.TempDir(), "dir")
		check(t, os.Mkdir(dir, 0o777))
		server, addr := start(t, dir, flag)
		check(t, os.Remove(dir))
		c := progtest.Dial(t, addr)
		_, err := io.WriteString(c, "put|file|4")
		check(t, err)
		refused(t, c)
		server.Signal(t, os.Interrupt)
		_, _, stderr := server.End(t)
		if want := fmt.Sprintf("ftp: %v: openat .ftp-", c.LocalAddr()); strings.Count(stderr, want) != 1 {
			t.Errorf("%s: the server complains %q, want %q... once", flag, stderr, want)
		}
	}
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
	if signal.Ignored(unix.SIGHUP) {
		t.Skip("this process ignores SIGHUP, as by nohup, and so would the program")
	}
	for _, test := range []struct {
		shell, stderr, stays string
		status               int
	}{
		{"", "ftp: file: hangup signal received\n", "", 1},
		{"trap '' HUP; ", "file: 4 of 4 bytes\n", "file", 0},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		defer listener.Close()
		dir := t.TempDir()
		cmd := progtest.Command(t, 100, "get", "-connect", listener.Addr().String(), "-dir", dir, "file")
		cmd.Args = append([]string{"sh", "-c", test.shell + `exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		var stderr strings.Builder
		cmd.Stderr = &stderr
		check(t, cmd.Start())
		c, err := listener.Accept()
		check(t, err)
		defer c.Close()
		check(t, say(c, "", "get|file|1"))
		check(t, say(c, "YES|4", "OK"))
		check(t, cmd.Process.Signal(unix.SIGHUP))
		if test.status == 0 {
			check(t, say(c, "data", ""))
		}
		cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != test.status || !strings.HasSuffix(stderr.String(), test.stderr) {
			t.Errorf("status %d, stderr %q, want %d, %q", status, stderr.String(), test.status, test.stderr)
		}
		holds(t, dir, test.stays, []byte("data"))
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

// A file that is replaced keeps its permissions.
func TestPermissions(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	server, addr := start(t, there, "-overwrite")
	write(t, here, "file", []byte("data"))
	write(t, there, "file", []byte("data"))
	for dir, args := range map[string][]string{
		there: {"put", "-connect", addr, filepath.Join(here, "file")},
		here:  {"get", "-connect", addr, "-overwrite", "-dir", here, "file"},
	} {
		for _, mode := range []os.FileMode{0o600, 0o666, 0o444} {
			check(t, os.Chmod(filepath.Join(dir, "file"), mode))
			if status, _, stderr := runClient(t, args...); status != 0 {
				t.Fatalf("status %d, stderr %q", status, stderr)
			}
			info, err := os.Stat(filepath.Join(dir, "file"))
			check(t, err)
			if info.Mode() != mode {
				t.Errorf("%s: a file with %v has %v now", args[0], mode, info.Mode())
			}
		}
	}
	server.Stop(t, os.Interrupt)
}
