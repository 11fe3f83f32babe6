package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/progtest"
)

// A server that may open no more descriptors says so once in a while, and goes on.
func TestOutOfDescriptors(t *testing.T) {
	begin := time.Now()
	server, addr := start(t, t.TempDir())
	c := progtest.Dial(t, addr)
	check(t, upload(c, "file", []byte("data")))
	check(t, fetch(c, "file", []byte("data")))
	server.Limit(t, 5)
	_, err := io.WriteString(c, "get|file|0")
	check(t, err)
	refused(t, c)
	server.Limit(t, 1) // as the connection has left its number
	waits := progtest.Dial(t, addr)
	const openFails, acceptFails = "openat file: too many open files; closed\n", "too many open files; next try in 1s\n"
	for _, want := range []string{openFails, acceptFails, acceptFails} {
		if line, err := server.Stderr.ReadString('\n'); !strings.HasSuffix(line, want) {
			t.Fatalf("the server complains %q, want %q: %v", line, want, err)
		}
	}
	server.Limit(t, 1000)
	check(t, fetch(waits, "file", []byte("data")))
	server.Signal(t, os.Interrupt)
	status, _, stderr := server.End(t)
	complaints := 2 + strings.Count(stderr, acceptFails)
	if most := 1 + int(time.Since(begin)/tick); status != 0 || complaints > most {
		t.Errorf("status %d, %d complaints, want at most %d, stderr %q", status, complaints, most, stderr)
	}
}
