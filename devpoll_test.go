//go:build solaris || emulated_devpoll

package pyselect_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// wantDevpoll checks what is ready now, in any order.
func wantDevpoll(t *testing.T, d *pyselect.Devpoll, want ...pyselect.DevpollEvent) {
	t.Helper()
	events, err := d.Poll(0)
	check(t, err)
	wantEvents(t, "ready", events, want...)
}

func wantEvents(t *testing.T, what string, got []pyselect.DevpollEvent, want ...pyselect.DevpollEvent) {
	t.Helper()
	for _, events := range [][]pyselect.DevpollEvent{got, want} {
		slices.SortFunc(events, func(a, b pyselect.DevpollEvent) int { return cmp.Compare(a.Fd, b.Fd) })
	}
	testkit.Equal(t, what, got, want...)
}

// A devpollWaiter is a Poll in a goroutine of its own.
type devpollWaiter struct {
	*testkit.Call
	events []pyselect.DevpollEvent
	err    error
}

// startDevpoll returns when the goroutine is blocked.
func startDevpoll(t *testing.T, d *pyselect.Devpoll, timeout time.Duration) *devpollWaiter {
	t.Helper()
	w := new(devpollWaiter)
	w.Call = testkit.Go(t, func() { w.events, w.err = d.Poll(timeout) })
	w.Blocked()
	return w
}

func (w *devpollWaiter) want(t *testing.T, want ...pyselect.DevpollEvent) {
	t.Helper()
	w.Wait()
	check(t, w.err)
	wantEvents(t, "Poll returned", w.events, want...)
}

func TestDevpollEvents(t *testing.T) {
	testkit.NoLeaks(t)
	testPollEvents(t, func() poller { return testkit.NewDevpoll(t) }, unix.EBADF)
}

func TestDevpollErrors(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	closedFile, closed := file(t, r), testkit.ClosedFd(t, 500)
	check(t, closedFile.Close())
	d := testkit.NewDevpoll(t)
	for _, test := range []struct {
		obj  any
		want error
		text string
	}{
		{-1, os.ErrInvalid, "-1"},
		{uintptr(1) << 31, os.ErrInvalid, "2147483648"},
		{"stdin", pyselect.ErrNotWaitable, "string"},
		{closedFile, os.ErrClosed, "*os.File"},
		{closed, unix.EBADF, fmt.Sprintf("fd %d:", closed)},
		{math.MaxInt32, unix.EBADF, "fd 2147483647:"},
	} {
		wantError(t, d.Register(test.obj, pyselect.POLLIN), test.want, "devpoll.register", test.text)
		wantError(t, d.Modify(test.obj, pyselect.POLLIN), test.want, "devpoll.modify", test.text)
		if test.want == unix.EBADF {
			check(t, d.Unregister(test.obj))
		} else {
			wantError(t, d.Unregister(test.obj), test.want, "devpoll.unregister", test.text)
		}
	}
	for _, buf := range [][]pyselect.DevpollEvent{nil, {}} {
		_, err := d.PollInto(buf, pyselect.Forever)
		wantError(t, err, os.ErrInvalid, "devpoll.poll", "buffer")
	}
	wantDevpoll(t, d)
}

// The kernel adds events to those that it has. Here, the new ones take their place.
func TestDevpollChanges(t *testing.T) {
	const in, out = pyselect.POLLIN, pyselect.POLLOUT
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	testkit.Write(t, b, "x")
	d := testkit.NewDevpoll(t)
	for _, step := range []struct {
		name string
		do   func() error
		want pyselect.PollMask
	}{
		{"register", func() error { return d.Register(a, in) }, in},
		{"register again", func() error { return d.Register(a, out) }, out},
		{"modify to more", func() error { return d.Modify(a, in|out) }, in | out},
		{"modify to less", func() error { return d.Modify(a, in) }, in},
		{"modify to nothing", func() error { return d.Modify(a, 0) }, 0},
		{"register all", func() error { return d.Register(a, in|out) }, in | out},
		{"unregister", func() error { return d.Unregister(a) }, 0},
		{"unregister again", func() error { return d.Unregister(a) }, 0},
		{"modify what is not registered", func() error { return d.Modify(a, out) }, out},
	} {
		t.Run(step.name, func(t *testing.T) {
			check(t, step.do())
			if step.want == 0 {
				wantDevpoll(t, d)
			} else {
				wantDevpoll(t, d, pyselect.DevpollEvent{a, step.want})
			}
		})
	}
}

// The kernel's set is one of numbers. It does not look at what was idle before that file has an event, whatever happens to the number.
func TestDevpollClosedWhileRegistered(t *testing.T) {
	const farAway = 500 // from the numbers that the process gets for other files
	testkit.NoLeaks(t)
	ready := testkit.Readable(t)
	idle, _ := testkit.Pipe(t)
	_, w := testkit.Pipe(t)
	fd := testkit.Dup(t, idle, farAway)
	reopen := func(of int) {
		t.Helper()
		if again := testkit.Dup(t, of, farAway); again != fd {
			t.Fatalf("descriptor is %d, want %d again", again, fd)
		}
	}
	d := testkit.NewDevpoll(t, fd)
	wantDevpoll(t, d)
	testkit.Close(t, fd)
	wantDevpoll(t, d)
	reopen(ready)
	wantDevpoll(t, d)
	check(t, d.Modify(fd, pyselect.POLLIN))
	wantDevpoll(t, d, testkit.PollIn(fd)...)

	testkit.Close(t, fd)
	for range 2 {
		wantDevpoll(t, d, pyselect.DevpollEvent{fd, pyselect.POLLNVAL})
	}
	reopen(ready)
	wantDevpoll(t, d, testkit.PollIn(fd)...)
	testkit.Close(t, fd)
	check(t, d.Unregister(fd))
	wantDevpoll(t, d)

	// What was refused is not watched when it is opened, and leaves nothing behind.
	for range 2 {
		wantError(t, d.Register(fd, pyselect.POLLOUT), unix.EBADF)
		reopen(w)
		wantDevpoll(t, d)
		check(t, d.Register(fd, pyselect.POLLIN))
		wantDevpoll(t, d)
		testkit.Close(t, fd)
	}
	wantError(t, d.Modify(fd, pyselect.POLLIN), unix.EBADF)
	wantDevpoll(t, d)
}

// What does not fit the buffer comes with the next calls, and takes turns.
func TestDevpollSmallBuffer(t *testing.T) {
	testkit.NoLeaks(t)
	var fds []int
	for range 5 {
		fds = append(fds, testkit.Readable(t))
	}
	d := testkit.NewDevpoll(t, fds...)
	for size := 1; size <= 6; size++ {
		var got []pyselect.DevpollEvent
		for len(got) < 5*size { // rounds
			buf := make([]pyselect.DevpollEvent, size)
			n, err := d.PollInto(buf, pyselect.Forever)
			check(t, err)
			if n != min(size, 5) {
				t.Fatalf("room for %d: %d events", size, n)
			}
			got = append(got, buf[:n]...)
		}
		for len(got) > 0 {
			wantEvents(t, fmt.Sprintf("room for %d, a round", size), got[:5], testkit.PollIn(fds...)...)
			got = got[5:]
		}
	}
}

func TestDevpollManyDescriptors(t *testing.T) {
	testkit.NoLeaks(t)
	d := testkit.NewDevpoll(t)
	want := registerMany(t, 3000, 10, d.Register)
	wantDevpoll(t, d, testkit.PollIn(want...)...)
}

// A change takes effect on a wait in progress.
func TestDevpollChangesDuringWait(t *testing.T) {
	testkit.NoLeaks(t)
	idle, w := testkit.Pipe(t)
	ready := testkit.Readable(t)
	d := testkit.NewDevpoll(t, idle)

	call := startDevpoll(t, d, pyselect.Forever)
	check(t, d.Register(ready, pyselect.POLLIN))
	call.want(t, testkit.PollIn(ready)...)

	check(t, d.Modify(ready, 0))
	call = startDevpoll(t, d, time.Hour)
	check(t, d.Modify(ready, pyselect.POLLIN))
	call.want(t, testkit.PollIn(ready)...)

	check(t, d.Modify(ready, 0))
	call = startDevpoll(t, d, -1)
	check(t, d.Unregister(idle))
	testkit.Write(t, w, "x")
	wantDevpoll(t, d)
	call.Blocked()
	check(t, d.Modify(ready, pyselect.POLLIN))
	call.want(t, testkit.PollIn(ready)...)
}

// Each of several waiters has its own timeout, and a level-triggered event wakes all.
func TestDevpollWaiters(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	d := testkit.NewDevpoll(t, r)
	var calls []*devpollWaiter
	for range 10 {
		calls = append(calls, startDevpoll(t, d, pyselect.Forever))
	}
	for _, timeout := range []time.Duration{0, time.Nanosecond, time.Millisecond, 20 * time.Millisecond} {
		testkit.Duration(t, timeout, func() {
			events, err := d.Poll(timeout)
			check(t, err)
			wantEvents(t, "a short one", events)
		})
	}
	testkit.Write(t, w, "x")
	for _, call := range calls {
		call.want(t, testkit.PollIn(r)...)
	}
}

func TestDevpollClose(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	d := testkit.NewDevpoll(t, r)
	fd, err := pyselect.Fileno(d)
	check(t, err)
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the flags of the descriptor are %#x, %v, want FD_CLOEXEC", flags, err)
	}
	if d.Closed() {
		t.Error("closed from the beginning")
	}
	var calls []*devpollWaiter
	for i := range 10 {
		calls = append(calls, startDevpoll(t, d, []time.Duration{pyselect.Forever, time.Hour, -1}[i%3]))
	}
	for range 2 {
		check(t, d.Close())
	}
	for _, call := range calls {
		call.Wait()
		wantError(t, call.err, os.ErrClosed, "devpoll.poll")
	}
	if !d.Closed() || testkit.IsOpen(fd) {
		t.Errorf("Closed is %t, descriptor open is %t", d.Closed(), testkit.IsOpen(fd))
	}
	for _, obj := range []any{r, -1, "stdin"} {
		wantError(t, d.Register(obj, pyselect.POLLIN), os.ErrClosed, "devpoll.register")
		wantError(t, d.Modify(obj, pyselect.POLLIN), os.ErrClosed, "devpoll.modify")
		wantError(t, d.Unregister(obj), os.ErrClosed, "devpoll.unregister")
	}
	for _, size := range []int{0, 1} {
		_, err := d.PollInto(make([]pyselect.DevpollEvent, size), 0)
		wantError(t, err, os.ErrClosed, "devpoll.poll")
	}
	_, err = d.Fileno()
	wantError(t, err, os.ErrClosed, "devpoll.fileno")
}

// The descriptors of a Devpoll itself are nobody else's, even if a caller has their numbers from files that were closed.
func TestDevpollOwnDescriptors(t *testing.T) {
	testkit.NoLeaks(t)
	before := testkit.OpenFds()
	d := testkit.NewDevpoll(t)
	fd, err := d.Fileno()
	check(t, err)
	own := slices.DeleteFunc(testkit.OpenFds(), func(n int) bool { return n == fd || slices.Contains(before, n) })
	refused := 0
	for _, n := range own {
		if err := d.Register(n, 0); err != nil {
			wantError(t, err, unix.EBADF, "devpoll.register")
			refused++
		}
		check(t, d.Unregister(n))
	}
	if refused != 1 {
		t.Errorf("%d of the descriptors %d are refused, want the one that ends waits", refused, own)
	}
	call := startDevpoll(t, d, pyselect.Forever)
	check(t, d.Close())
	call.Wait()
	wantError(t, call.err, os.ErrClosed)
}

func TestDevpollUnreachable(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	before := testkit.OpenFds()
	func() {
		d, err := pyselect.NewDevpoll()
		check(t, err)
		check(t, d.Register(r, pyselect.POLLIN))
	}()
	testkit.Eventually(t, "the garbage collector to close the Devpoll", func() bool {
		runtime.GC()
		return slices.Equal(testkit.OpenFds(), before)
	})
}

// What is registered is not closed by the garbage collector.
func TestDevpollKeepsObjectsAlive(t *testing.T) {
	testkit.NoLeaks(t)
	d := testkit.NewDevpoll(t)
	fd := dup(t, testkit.Readable(t))
	check(t, d.Register(os.NewFile(uintptr(fd), "pipe"), pyselect.POLLIN))
	testkit.CollectGarbage(t)
	wantDevpoll(t, d, testkit.PollIn(fd)...)
	check(t, d.Unregister(fd))
	testkit.Eventually(t, "the garbage collector to close the file", func() bool {
		runtime.GC()
		return !testkit.IsOpen(fd)
	})
}

// Everything at once, for the race detector.
func TestDevpollConcurrently(t *testing.T) {
	testkit.NoLeaks(t)
	d := testkit.NewDevpoll(t)
	var all sync.WaitGroup
	for i := range 4 {
		r, w := testkit.Pipe(t)
		all.Go(func() {
			for k := range 200 {
				d.Register(r, pyselect.POLLIN)
				unix.Write(w, []byte("x"))
				d.Modify(r, pyselect.POLLIN|pyselect.POLLPRI)
				buf := make([]pyselect.DevpollEvent, 1+k%3)
				if _, err := d.PollInto(buf, time.Duration(k*i)*time.Microsecond); err != nil {
					t.Error(err)
				}
				d.Unregister(r)
			}
		})
	}
	all.Wait()
	closeDuringWaits(t, func() error {
		_, err := d.Poll(time.Millisecond)
		return err
	}, d.Close)
}
