//go:build unix

// Package testkit has what the tests of several packages need. They do not run in parallel.
package testkit

import (
	"bytes"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a test waits for something that is expected to happen at once.
const Patience = 30 * time.Second

// NoLeaks fails the test if, at its end, more descriptors are open or more goroutines are alive than now. What the test
// itself cleans up must be registered after this call.
func NoLeaks(t testing.TB) {
	t.Helper()
	// Go's poller opens descriptors of its own with the first one that it watches.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	fds, goroutines := openFds(), runtime.NumGoroutine()
	t.Cleanup(func() {
		Eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= goroutines })
		for _, fd := range openFds() {
			if !slices.Contains(fds, fd) {
				t.Errorf("descriptor %d is left behind", fd)
			}
		}
	})
}

func openFds() (fds []int) {
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	for fd := range int(min(limit.Cur, 1<<16)) {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}

// Eventually waits until ok returns true, and fails the test if that takes too long.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("waited in vain for %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
	}
}

// Pipe returns the descriptors of a pipe, which are non-blocking and closed at the end of the test.
func Pipe(t testing.TB) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	return own(t, p[0]), own(t, p[1])
}

// Socketpair returns two connected stream sockets, which are non-blocking and closed at the end of the test.
func Socketpair(t testing.TB) (a, b int) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	return own(t, p[0]), own(t, p[1])
}

// Dup returns a duplicate of a descriptor, with the lowest free number from least up. It is closed at the end of the test.
func Dup(t testing.TB, fd, least int) int {
	t.Helper()
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, least)
	if err != nil {
		t.Fatal(err)
	}
	return own(t, dup)
}

// closed says for each number whether the descriptor that last had it has been closed by the test itself.
var closed = map[int]*bool{}

func own(t testing.TB, fd int) int {
	t.Helper()
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	mine := new(bool)
	closed[fd] = mine
	t.Cleanup(func() {
		if !*mine {
			unix.Close(fd)
		}
	})
	return fd
}

// Close closes a descriptor that one of the functions above has returned, before the end of the test.
func Close(t testing.TB, fd int) {
	t.Helper()
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	*closed[fd] = true
}

// Write writes s to a descriptor.
func Write(t testing.TB, fd int, s string) {
	t.Helper()
	if n, err := unix.Write(fd, []byte(s)); n != len(s) || err != nil {
		t.Fatalf("write to fd %d: %d, %v", fd, n, err)
	}
}

// Drain reads all that can be read from a descriptor.
func Drain(t testing.TB, fd int) string {
	t.Helper()
	var all []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 {
			if err != nil && err != unix.EAGAIN {
				t.Fatalf("read from fd %d: %v", fd, err)
			}
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

// Fill writes to a descriptor until it is not writable any more.
func Fill(t testing.TB, fd int) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for size := len(buf); size > 0; {
		if _, err := unix.Write(fd, buf[:size]); err == unix.EAGAIN {
			size /= 2
		} else if err != nil {
			t.Fatalf("write to fd %d: %v", fd, err)
		}
	}
}

// TCPPair returns the two ends of a TCP connection, which are closed at the end of the test.
func TCPPair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// File returns an open regular file with something to read, closed at the end of the test.
func File(t testing.TB) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "file")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString("content"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

// NeedFds skips the test if the process may not have n descriptors open.
func NeedFds(t testing.TB, n int) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if uint64(limit.Cur) < uint64(n) {
		t.Skipf("the limit of open descriptors is %d, this needs %d", limit.Cur, n)
	}
}

// A Call is a function that runs in a goroutine of its own.
type Call struct {
	t    testing.TB
	id   []byte // of the goroutine, as in "goroutine 7 ["
	done chan struct{}
}

// Go calls f in a goroutine.
func Go(t testing.TB, f func()) *Call {
	c := &Call{t: t, done: make(chan struct{})}
	id := make(chan []byte)
	go func() {
		defer close(c.done)
		stack := make([]byte, 64)
		stack = stack[:runtime.Stack(stack, false)]
		id <- stack[:bytes.IndexByte(stack, '[')+1]
		f()
	}()
	c.id = <-id
	return c
}

// Blocked waits until the goroutine waits for something, in Go's poller, in a system call or for another goroutine.
func (c *Call) Blocked() *Call {
	c.t.Helper()
	if !c.BlockedOrDone() {
		c.t.Fatal("a goroutine did not block but end")
	}
	return c
}

// BlockedOrDone waits until the goroutine waits for something or has ended, and reports whether it waits.
func (c *Call) BlockedOrDone() (blocked bool) {
	c.t.Helper()
	buf := make([]byte, 1<<20)
	Eventually(c.t, "a goroutine to block", func() bool {
		stacks := buf[:runtime.Stack(buf, true)]
		_, state, found := bytes.Cut(stacks, c.id)
		if !found {
			return true
		}
		state, _, _ = bytes.Cut(state, []byte("]"))
		blocked = slices.ContainsFunc([]string{"IO wait", "syscall", "select"}, func(s string) bool {
			return strings.HasPrefix(string(state), s)
		})
		return blocked
	})
	return blocked
}

// Wait waits until the function has returned.
func (c *Call) Wait() {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(Patience):
		buf := make([]byte, 1<<20)
		c.t.Fatalf("a goroutine did not end\n%s", buf[:runtime.Stack(buf, true)])
	}
}

// Duration returns how long f takes, and checks that it is at least least.
func Duration(t testing.TB, least time.Duration, f func()) time.Duration {
	t.Helper()
	begin := time.Now()
	f()
	d := time.Since(begin)
	if d < least {
		t.Errorf("took %v, want at least %v", d, least)
	}
	return d
}

// Signals sends a signal to the process all the time until the end of the test, which Go's runtime ignores.
func Signals(t testing.TB) {
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				unix.Kill(os.Getpid(), unix.SIGURG)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}
