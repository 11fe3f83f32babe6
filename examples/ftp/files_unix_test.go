//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/progtest"
)

// No link leads out of the directory, and nothing that is no file makes the server wait.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "dir")
	check(t, os.Mkdir(dir, 0o777))
	write(t, outside, "secret", []byte("secret"))
	check(t, os.Symlink("../secret", filepath.Join(dir, "link")))
	check(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	server, addr := start(t, dir)
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
