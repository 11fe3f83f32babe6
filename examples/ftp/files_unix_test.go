//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
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
