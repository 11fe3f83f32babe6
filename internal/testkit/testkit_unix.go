//go:build unix

package testkit

import (
	"os"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

const slowness = 1 // of the system

// OpenFds returns the descriptors that are open, up to a gap of 1,000 or more: what leaks gets a lower number.
func OpenFds() (fds []int) {
	const gap = 1000
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	entries := make([]sys.PollFd, 0, 250)
	last := 0
	for first, end := 0, int(min(limit.Cur, 1<<16)); first < end && first <= last+gap; first += len(entries) {
		entries = entries[:0]
		for fd := first; fd < end && len(entries) < cap(entries); fd++ {
			entries = append(entries, sys.Entry(fd, unix.POLLIN)) // without an event, DragonFly does not look at the descriptor
		}
		sys.Poll(entries, sys.Now)
		for _, e := range entries {
			if e.Revents&unix.POLLNVAL == 0 {
				last = int(e.Fd)
				fds = append(fds, last)
			}
		}
	}
	return fds
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

// IsOpen reports whether a descriptor is open.
func IsOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// ClosedFd returns the number of a descriptor that has been closed.
func ClosedFd(t testing.TB, least int) int {
	t.Helper()
	r, _ := Pipe(t)
	fd := Dup(t, r, least)
	Close(t, fd)
	return fd
}

// Write writes s to a descriptor.
func Write(t testing.TB, fd int, s string) {
	t.Helper()
	if n, err := unix.Write(fd, []byte(s)); n != len(s) || err != nil {
		t.Fatalf("write to fd %d: %d, %v", fd, n, err)
	}
}

// Readable returns the read end of a pipe that has data in it.
func Readable(t testing.TB) int {
	t.Helper()
	r, w := Pipe(t)
	Write(t, w, "data")
	return r
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

// Fill writes to a descriptor until it is not writable any more, and returns how much it has written.
func Fill(t testing.TB, fd int) (total int) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for size := len(buf); size > 0; {
		if n, err := unix.Write(fd, buf[:size]); err == nil {
			total += n
		} else if err == unix.EAGAIN {
			size /= 2
		} else {
			t.Fatalf("write to fd %d: %v", fd, err)
		}
	}
	return total
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

// Go's runtime starts a goroutine for signals with the first that is asked for, and that one stays.
func init() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGURG)
	signal.Stop(c)
}

// Signals sends a signal that is handled to the process, and where that can be done to each thread of it, all the time
// until the end of the test. It returns when the first has been handled.
func Signals(t testing.TB) {
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, unix.SIGURG) // which is ignored when it comes too late
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
				signalThreads(unix.SIGURG)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		signal.Stop(handled)
	})
	<-handled
}

// NotOnWine does nothing: the system is not Wine.
func NotOnWine(testing.TB, string) {}

// OnWine returns false: this is not Windows.
func OnWine() bool { return false }
