//go:build unix

package socket_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// The kernel does not say that a Unix socket is writable when its sending side is shut down.
func TestShutdownEndsSending(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := pair(t)
	call := testkit.Go(t, func() { wantError(t, a.Sendall(make([]byte, tooMuch)), socket.ErrBrokenPipe, "socket.send") }).Blocked()
	check(t, a.Shutdown(socket.SHUT_WR))
	call.Wait()
}

// The runtime ends a program that writes to a broken pipe by means of package os, on descriptor 1 or 2.
func TestSIGPIPE(t *testing.T) {
	const child = "PYSELECT_SIGPIPE"
	if os.Getenv(child) != "" {
		a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
		check(t, err)
		b.Close()
		_, err = a.Send([]byte("spam"))
		wantError(t, err, socket.ErrBrokenPipe)
		stderr := must[*socket.Socket](t)(socket.Adopt(2))
		_, err = stderr.Send([]byte("spam"))
		wantError(t, err, socket.ErrBrokenPipe)
		_, err = stderr.Send([]byte("spam"), socket.MSG_DONTWAIT)
		wantError(t, err, socket.ErrBrokenPipe)
		return
	}
	cmd := testkit.Itself(t, child+"=1", "-test.run=^TestSIGPIPE$")
	fd, peer := testkit.Socketpair(t)
	testkit.Close(t, peer)
	stderr := os.NewFile(uintptr(must[int](t)(unix.Dup(fd))), "stderr")
	defer stderr.Close()
	cmd.Stderr = stderr
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
