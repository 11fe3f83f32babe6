//go:build unix

package pyselect_test

import (
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
)

var (
	check     = testkit.Check
	wantError = testkit.WantError
)

// dup returns a duplicate of a descriptor that its caller has to close.
func dup(t testing.TB, fd int) int {
	t.Helper()
	n, err := unix.Dup(fd)
	check(t, err)
	unix.CloseOnExec(n)
	return n
}

// file returns an *os.File with a duplicate of a descriptor.
func file(t testing.TB, fd int) *os.File {
	t.Helper()
	f := os.NewFile(uintptr(dup(t, fd)), "file")
	t.Cleanup(func() { f.Close() })
	return f
}

// conn returns a net.Conn with a duplicate of a socket.
func conn(t testing.TB, fd int) net.Conn {
	t.Helper()
	f := os.NewFile(uintptr(dup(t, fd)), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// descriptor returns the descriptor of c, by other means than this package's.
func descriptor(t testing.TB, c syscall.Conn) (fd int) {
	t.Helper()
	raw, err := c.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(v uintptr) { fd = int(v) }))
	return fd
}

func nonblocking(t testing.TB, fd int) bool {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	check(t, err)
	return flags&unix.O_NONBLOCK != 0
}

// blockingModes calls take with a blocking and two non-blocking objects, and checks that they stay as they are.
func blockingModes(t *testing.T, take func(obj any) error) {
	t.Helper()
	fd, _ := testkit.Pipe(t)
	check(t, unix.SetNonblock(fd, false))
	blocking := file(t, fd)
	pollable, w, err := os.Pipe()
	check(t, err)
	defer pollable.Close()
	defer w.Close()
	client, _ := testkit.TCPPair(t)
	for _, test := range []struct {
		obj         syscall.Conn
		nonblocking bool
	}{{blocking, false}, {pollable, true}, {client, true}} {
		fd := descriptor(t, test.obj)
		if nonblocking(t, fd) != test.nonblocking {
			t.Fatalf("%T begins with the wrong blocking mode", test.obj)
		}
		check(t, take(test.obj))
		if nonblocking(t, fd) != test.nonblocking {
			t.Errorf("O_NONBLOCK of %T is %t, want it as it was", test.obj, !test.nonblocking)
		}
	}
}

// idleSocket returns a socket that is neither readable nor writable, which the reading end of a pipe is on some systems.
func idleSocket(t testing.TB) int {
	t.Helper()
	fd, _ := testkit.Socketpair(t)
	testkit.Fill(t, fd)
	return fd
}

// closeDuringWaits lets several goroutines wait again and again, until several others have closed what they wait for.
func closeDuringWaits(t *testing.T, wait, closing func() error) {
	t.Helper()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				if err := wait(); err != nil {
					wantError(t, err, os.ErrClosed)
					return
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			if err := closing(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
