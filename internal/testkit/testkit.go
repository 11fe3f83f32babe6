//go:build unix || windows

// Package testkit has what the tests of several packages need. They do not run in parallel.
package testkit

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/wait"
)

// Patience is how long a test waits for something that is expected to happen at once.
const Patience = slowness * 30 * time.Second

// NoLeaks fails the test if, at its end, more descriptors are open or more goroutines are alive than now. What the test
// itself cleans up must be registered after this call.
func NoLeaks(t testing.TB) {
	t.Helper()
	// Go's poller opens descriptors of its own with the first one that it watches or with the first timer, and so does package wait.
	time.AfterFunc(time.Hour, func() {}).Stop()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	wait.Prepare()
	fds, goroutines := OpenFds(), runtime.NumGoroutine()
	t.Cleanup(func() {
		defer debug.SetGCPercent(debug.SetGCPercent(-1)) // or it closes what has been forgotten
		Eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= goroutines })
		var left []int
		for deadline := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) { // another test may have left a goroutine that was ending
			left = slices.DeleteFunc(OpenFds(), func(fd int) bool { return slices.Contains(fds, fd) })
			if len(left) == 0 || time.Now().After(deadline) {
				break
			}
		}
		if len(left) > 0 {
			t.Errorf("descriptors %d are left behind", left)
		}
	})
}

// Force lets all waits of the test block in one way, as far as they can.
func Force(t testing.TB, way wait.Way) {
	if wait.Force.Swap(int32(way)) == 0 && way != 0 {
		t.Cleanup(func() { wait.Force.Store(0) })
	}
}

// Check ends the test if there is an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// WantError checks what an error of the library is, and that its text has all of the words.
func WantError(t testing.TB, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
		return
	}
	if _, ok := err.(*pyselect.OpError); !ok {
		t.Errorf("error %q is a %T", err, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error is %q, want %q in it", err, word)
		}
	}
}

// Equal checks the elements of a list and their order.
func Equal[E comparable](t testing.TB, what string, got []E, want ...E) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
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

// TempDir returns a directory that is removed at the end of the test, also under Wine, which lacks what t.TempDir needs for that.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pyselect")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var paths []string
		filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
			paths = append(paths, path)
			return nil
		})
		for _, path := range slices.Backward(paths) {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
	})
	return dir
}

// File returns an open regular file with something to read, closed at the end of the test.
func File(t testing.TB) *os.File {
	t.Helper()
	f, err := os.CreateTemp(TempDir(t), "file")
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
		blocked = slices.ContainsFunc([]string{"IO wait", "syscall", "select", "chan receive", "sleep", "sync.WaitGroup.Wait"}, func(s string) bool {
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

// NeedProcesses skips the test under an emulator of another processor, where to start a process may deadlock.
func NeedProcesses(t testing.TB) {
	t.Helper()
	NotEmulated(t, "safe way to start a process")
}

// Itself returns a command that runs the test binary anew, with one more setting in its environment.
func Itself(t testing.TB, setting string, args ...string) *exec.Cmd {
	t.Helper()
	NeedProcesses(t)
	exe, err := os.Executable()
	if err != nil {
		t.Skipf("the system does not say what this program is: %v", err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), setting)
	return cmd
}

// NotEmulated skips the test under an emulator of another processor, which lacks something. It cannot be found out in a
// clean way whether that is so: the environment variable PYSELECT_EMULATED says it.
func NotEmulated(t testing.TB, lacks string) {
	t.Helper()
	if os.Getenv("PYSELECT_EMULATED") != "" {
		t.Skipf("the emulator has no %s", lacks)
	}
}

// NotOn skips the test on a system that lacks something.
func NotOn(t testing.TB, goos, lacks string) {
	t.Helper()
	if runtime.GOOS == goos {
		t.Skipf("%s has no %s", goos, lacks)
	}
}

// CollectGarbage returns when the cleanups of what was unreachable before have run.
func CollectGarbage(t testing.TB) {
	t.Helper()
	for range 3 {
		var done atomic.Bool
		runtime.AddCleanup(new([64]byte), func(done *atomic.Bool) { done.Store(true) }, &done)
		Eventually(t, "the garbage collector", func() bool {
			runtime.GC()
			return done.Load()
		})
	}
}

// BytesAllocated returns how much memory f allocates.
func BytesAllocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// WantAllocs checks how many times f allocates memory.
func WantAllocs(t testing.TB, what string, want float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, f); got != want {
		t.Errorf("%s: %v allocations, want %v", what, got, want)
	}
}

// RaceDetector reports whether the race detector is on. It lets a sync.Pool lose some of what is put there.
func RaceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
