package socketserver_test

import (
	"log"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// A server that cannot accept pauses, which Shutdown ends.
func TestAcceptFails(t *testing.T) {
	testkit.NoLeaks(t)
	server := threadingTCP.start(t, newUpper)
	complaints := make(complaints, 10)
	log.SetOutput(complaints)
	defer log.SetOutput(os.Stderr)
	shutdown := serve(t, server)
	c := threadingTCP.connect(t, server)
	c.send("spam\n")
	c.want("SPAM\n")
	sock, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	check(t, err)
	defer sock.Close()
	testkit.NoMoreFds(t, 10)
	check(t, sock.Connect(server.ServerAddress()))
	if complaint := <-complaints; !strings.HasSuffix(complaint, ": too many open files; next try in 1s\n") {
		t.Errorf("the server complains %q", complaint)
	}
	shutdown()
}

// A server that cannot start a process keeps the request, tries again, and leaves nothing behind.
func TestForkFails(t *testing.T) {
	testkit.NoLeaks(t)
	complaints := make(complaints, 10)
	log.SetOutput(complaints)
	defer log.SetOutput(os.Stderr)
	server := forkingTCP.start(t, newUpper)
	for _, left := range []int{0, 2} { // descriptors
		c := forkingTCP.connect(t, server)
		var handling *testkit.Call
		limited(t, 1+left, func() { // one is for the connection
			handling = testkit.Go(t, func() { check(t, server.HandleRequest()) })
			if complaint := <-complaints; !strings.HasSuffix(complaint, ": too many open files; next try in 1s\n") {
				t.Errorf("with %d descriptors, the server complains %q", left, complaint)
			}
		})
		c.send("spam\n")
		c.want("SPAM\n")
		handling.Wait()
		check(t, c.Close())
	}
}

// limited calls f while no more than n descriptors can be opened.
func limited(t *testing.T, n int, f func()) {
	t.Helper()
	t.Run("limited", func(t *testing.T) {
		var free []int
		for range n {
			fd, err := unix.Dup(0)
			check(t, err)
			free = append(free, fd)
		}
		last := slices.Max(free)
		for fd := range last { // fill what is below
			if !testkit.IsOpen(fd) {
				_, err := unix.Dup(0)
				check(t, err)
			}
		}
		testkit.NoMoreFds(t, last+1)
		for _, fd := range free {
			unix.Close(fd)
		}
		f()
	})
}

// complaints are what is logged.
type complaints chan string

func (c complaints) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}
