package webtest

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// OutOfDescriptors tests that a server that may open no more descriptors says so once in a while, and goes on.
func OutOfDescriptors(t *testing.T, s Server) {
	begin := time.Now()
	server, addr := start(t, site(t))
	c := s.dial(t, addr)
	served(t, c)
	server.Limit(t, 5)
	send(t, c, get("/hello.txt"))
	if response, _ := receive(t, bufio.NewReader(c), "GET"); response.StatusCode != 503 {
		t.Error(response.Status)
	}
	waits := s.dial(t, addr)
	const acceptFails = "too many open files; next try in 1s\n"
	openFails := fmt.Sprintf("%s: %v: openat hello.txt: too many open files\n", s.Name, c.LocalAddr())
	for _, want := range []string{openFails, acceptFails, acceptFails} {
		if line, err := server.Stderr.ReadString('\n'); !strings.HasSuffix(line, want) {
			t.Fatalf("the server complains %q, want %q: %v", line, want, err)
		}
	}
	server.Limit(t, 1000)
	served(t, waits)
	served(t, c)
	server.Signal(t, os.Interrupt)
	status, _, stderr := server.End(t)
	complaints := 2 + strings.Count(stderr, acceptFails)
	if most := 1 + int(time.Since(begin)/time.Second); status != 0 || complaints > most {
		t.Errorf("status %d, %d complaints, want at most %d, stderr %q", status, complaints, most, stderr)
	}
}
