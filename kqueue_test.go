//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package pyselect_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

func newKqueue(t *testing.T) *pyselect.Kqueue {
	t.Helper()
	k, err := pyselect.NewKqueue()
	check(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

// eachWay runs a test with all waits blocking in each of the ways that they can.
func eachWay(t *testing.T, test func(t *testing.T)) {
	for name, way := range map[string]wait.Way{"in the kernel": wait.InKernel, "together": wait.Together} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			testkit.Force(t, way)
			test(t)
		})
	}
}

// kevent returns a change.
func kevent(t testing.TB, ident any, filter pyselect.KqFilter, flags pyselect.KqFlags) pyselect.Kevent {
	t.Helper()
	k, err := pyselect.NewKevent(ident, filter, flags)
	check(t, err)
	return k
}

// apply applies changes.
func apply(t testing.TB, k *pyselect.Kqueue, changes ...pyselect.Kevent) {
	t.Helper()
	events, err := k.Control(changes, 0, 0)
	if err != nil || len(events) != 0 {
		t.Fatalf("Control returned %v, %v", events, err)
	}
}

// add makes the kqueue watch a descriptor.
func add(t testing.TB, k *pyselect.Kqueue, fd any, filter pyselect.KqFilter) {
	t.Helper()
	apply(t, k, kevent(t, fd, filter, pyselect.KQ_EV_ADD))
}

// next returns the next event, for which it waits without end.
func next(t testing.TB, k *pyselect.Kqueue) pyselect.Kevent {
	t.Helper()
	events, err := k.Control(nil, 1, pyselect.Forever)
	if err != nil || len(events) != 1 {
		t.Fatalf("Control returned %v, %v, want one event", events, err)
	}
	return events[0]
}

// silent checks that there is no event.
func silent(t testing.TB, k *pyselect.Kqueue) {
	t.Helper()
	events, err := k.Control(nil, 10, 0)
	if err != nil || len(events) != 0 {
		t.Fatalf("Control returned %v, %v, want nothing", events, err)
	}
}

func TestKevent(t *testing.T) {
	k := kevent(t, 7, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD)
	if want := (pyselect.Kevent{Ident: 7, Filter: pyselect.KQ_FILTER_READ, Flags: pyselect.KQ_EV_ADD}); k != want {
		t.Errorf("NewKevent returned %v, want %v", k, want)
	}
	type id uint64
	for want, ident := range map[uint64]any{1 << 30: 1 << 30, 1 << 40: uint64(1 << 40), math.MaxUint64: id(math.MaxUint64), 200: uint8(200)} {
		if k := kevent(t, ident, pyselect.KQ_FILTER_TIMER, 0); k.Ident != want {
			t.Errorf("NewKevent of %T %v is for %d", ident, ident, k.Ident)
		}
	}
	_, err := pyselect.NewKevent(time.Second, pyselect.KQ_FILTER_TIMER, 0)
	wantError(t, err, pyselect.ErrNotWaitable, "select.kevent", "time.Duration")
	_, err = pyselect.NewKevent(-1, pyselect.KQ_FILTER_READ, 0)
	wantError(t, err, os.ErrInvalid, "select.kevent", "-1")
	_, err = pyselect.NewKevent("7", pyselect.KQ_FILTER_READ, 0)
	wantError(t, err, pyselect.ErrNotWaitable, "select.kevent", "string")

	// In the order of the fields.
	ascending := []pyselect.Kevent{
		{}, {Udata: 1}, {Data: 1}, {Data: 1, Udata: 1}, {Fflags: 1}, {Fflags: 1, Data: math.MaxInt64}, {Flags: 1},
		{Filter: 1}, {Ident: 1}, {Ident: math.MaxUint64},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("Compare of %v and %v is %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestKqueueStrings(t *testing.T) {
	for got, want := range map[fmt.Stringer]string{
		pyselect.KQ_FILTER_READ:                              "KQ_FILTER_READ",
		pyselect.KQ_FILTER_TIMER:                             "KQ_FILTER_TIMER",
		pyselect.KqFilter(-1000):                             "KqFilter(-1000)",
		pyselect.KQ_EV_ADD | pyselect.KQ_EV_ONESHOT:          "KQ_EV_ADD|KQ_EV_ONESHOT",
		pyselect.KQ_EV_EOF | pyselect.KQ_EV_ERROR:            "KQ_EV_EOF|KQ_EV_ERROR",
		pyselect.KqFlags(0):                                  "0x0",
		pyselect.KQ_EV_CLEAR | pyselect.KqFlags(uint16(512)): "KQ_EV_CLEAR|0x200",
	} {
		if got.String() != want {
			t.Errorf("String is %q, want %q", got, want)
		}
	}
}

func TestKqueuePipe(t *testing.T) {
	testkit.NoLeaks(t)
	k := newKqueue(t)
	r, w := testkit.Pipe(t)
	change := kevent(t, r, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD)
	change.Udata = 42
	apply(t, k, change)
	add(t, k, w, pyselect.KQ_FILTER_WRITE)
	if e := next(t, k); e.Ident != uint64(w) || e.Filter != pyselect.KQ_FILTER_WRITE || e.Data <= 0 {
		t.Errorf("the event is %v", e)
	}
	apply(t, k, kevent(t, w, pyselect.KQ_FILTER_WRITE, pyselect.KQ_EV_DELETE))
	silent(t, k)
	testkit.Write(t, w, "hello")
	for range 2 { // level-triggered
		if e := next(t, k); e.Ident != uint64(r) || e.Filter != pyselect.KQ_FILTER_READ || e.Data != 5 || e.Udata != 42 {
			t.Errorf("the event is %v", e)
		}
	}
	testkit.Drain(t, r)
	silent(t, k)
	testkit.Close(t, w)
	if e := next(t, k); e.Flags&pyselect.KQ_EV_EOF == 0 {
		t.Errorf("the event is %v, want KQ_EV_EOF", e.Flags)
	}
	testkit.Close(t, r)
	silent(t, k)
}

func TestKqueueSocketpair(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		k := newKqueue(t)
		a, b := testkit.Socketpair(t)
		testkit.Write(t, b, "x")
		events, err := k.Control([]pyselect.Kevent{
			kevent(t, a, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD|pyselect.KQ_EV_ONESHOT),
			kevent(t, a, pyselect.KQ_FILTER_WRITE, pyselect.KQ_EV_ADD|pyselect.KQ_EV_CLEAR),
		}, 10, pyselect.Forever)
		if err != nil || len(events) != 2 || events[0].Ident != uint64(a) || events[1].Ident != uint64(a) {
			t.Fatalf("Control returned %v, %v, want both filters", events, err)
		}
		silent(t, k) // once is enough for both
		apply(t, k, kevent(t, a, pyselect.KQ_FILTER_WRITE, pyselect.KQ_EV_DISABLE))
		testkit.Drain(t, a)
		silent(t, k)
		_, err = k.Control([]pyselect.Kevent{kevent(t, a, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_DELETE)}, 0, 0)
		wantError(t, err, unix.ENOENT, "kqueue.control")
	})
}

func TestKqueueTCP(t *testing.T) {
	testkit.NoLeaks(t)
	k := newKqueue(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	add(t, k, l, pyselect.KQ_FILTER_READ)
	silent(t, k)
	client, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	defer client.Close()
	if e := next(t, k); e.Data != 1 {
		t.Errorf("the event of the listener is %v", e)
	}
	server, err := l.Accept()
	check(t, err)
	defer server.Close()
	silent(t, k)
	add(t, k, server, pyselect.KQ_FILTER_READ)
	_, err = client.Write([]byte("hello"))
	check(t, err)
	if e := next(t, k); e.Data != 5 {
		t.Errorf("the event of the connection is %v", e)
	}
	check(t, client.Close())
	testkit.Eventually(t, "the end of the connection", func() bool { return next(t, k).Flags&pyselect.KQ_EV_EOF != 0 })
}

func TestKqueueTimer(t *testing.T) {
	testkit.NoLeaks(t)
	k := newKqueue(t)
	change := kevent(t, 1, pyselect.KQ_FILTER_TIMER, pyselect.KQ_EV_ADD|pyselect.KQ_EV_ONESHOT)
	change.Data = 10 // milliseconds
	apply(t, k, change)
	if e := next(t, k); e.Ident != 1 || e.Filter != pyselect.KQ_FILTER_TIMER || e.Data < 1 {
		t.Errorf("the event is %v", e)
	}
	silent(t, k)
}

func TestKqueueVnode(t *testing.T) {
	testkit.NoLeaks(t)
	k := newKqueue(t)
	f := testkit.File(t)
	change := kevent(t, f, pyselect.KQ_FILTER_VNODE, pyselect.KQ_EV_ADD|pyselect.KQ_EV_CLEAR)
	change.Fflags = pyselect.KQ_NOTE_WRITE | pyselect.KQ_NOTE_DELETE | pyselect.KQ_NOTE_RENAME
	apply(t, k, change)
	silent(t, k)
	_, err := f.WriteString("more")
	check(t, err)
	if e := next(t, k); e.Fflags != pyselect.KQ_NOTE_WRITE {
		t.Errorf("after a write, the notes are %#x", e.Fflags)
	}
	renamed := filepath.Join(filepath.Dir(f.Name()), "renamed")
	check(t, os.Rename(f.Name(), renamed))
	if e := next(t, k); e.Fflags != pyselect.KQ_NOTE_RENAME {
		t.Errorf("after a rename, the notes are %#x", e.Fflags)
	}
	check(t, os.Remove(renamed))
	if e := next(t, k); e.Fflags&pyselect.KQ_NOTE_DELETE == 0 {
		t.Errorf("after the removal, the notes are %#x", e.Fflags)
	}
}

func TestKqueueProcess(t *testing.T) {
	testkit.NoLeaks(t)
	self, err := os.Executable()
	if err != nil {
		t.Skipf("the system does not say what this program is: %v", err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	if err := cmd.Start(); err != nil {
		t.Skipf("no child can be started: %v", err)
	}
	k := newKqueue(t)
	change := kevent(t, cmd.Process.Pid, pyselect.KQ_FILTER_PROC, pyselect.KQ_EV_ADD|pyselect.KQ_EV_ONESHOT)
	change.Fflags = pyselect.KQ_NOTE_EXIT
	// It may have exited already: the kernel says ESRCH, or reports the exit at once.
	events, err := k.Control([]pyselect.Kevent{change}, 1, pyselect.Forever)
	check(t, err)
	if len(events) != 1 || events[0].Ident != uint64(cmd.Process.Pid) {
		t.Fatalf("Control returned %v", events)
	}
	if e := events[0]; e.Flags&pyselect.KQ_EV_ERROR != 0 {
		if e.Data != int64(unix.ESRCH) {
			t.Errorf("the error is %v", unix.Errno(e.Data))
		}
	} else if e.Fflags&pyselect.KQ_NOTE_EXIT == 0 {
		t.Errorf("the notes are %#x", e.Fflags)
	}
	check(t, cmd.Wait())
}

func TestKqueueChangeErrors(t *testing.T) {
	testkit.NoLeaks(t)
	k := newKqueue(t)
	r, w := testkit.Pipe(t)
	testkit.Write(t, w, "x")
	closed, _ := testkit.Pipe(t)
	testkit.Close(t, closed)
	bad := kevent(t, closed, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD)
	good := kevent(t, r, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD)

	// With room, as events; the changes that follow are applied.
	events, err := k.Control([]pyselect.Kevent{bad, good}, 5, pyselect.Forever)
	check(t, err)
	if len(events) == 0 || events[0].Flags&pyselect.KQ_EV_ERROR == 0 || events[0].Data != int64(unix.EBADF) || events[0].Ident != uint64(closed) {
		t.Fatalf("Control returned %v, want an error for fd %d", events, closed)
	}
	if e := next(t, k); e.Ident != uint64(r) {
		t.Errorf("the event is %v, want fd %d", e, r)
	}
	// Without, as an error.
	_, err = k.Control([]pyselect.Kevent{bad}, 0, 0)
	wantError(t, err, unix.EBADF, "kqueue.control")
	_, err = k.ControlInto([]pyselect.Kevent{bad}, nil, pyselect.Forever)
	wantError(t, err, unix.EBADF, "kqueue.control")
}

func TestKqueueArguments(t *testing.T) {
	testkit.NoLeaks(t)
	k := newKqueue(t)
	r, w := testkit.Pipe(t)
	_, err := k.Control(nil, -1, 0)
	wantError(t, err, os.ErrInvalid, "kqueue.control", "-1")
	for _, timeout := range []time.Duration{-1, math.MinInt64} {
		_, err = k.Control(nil, 1, timeout)
		wantError(t, err, os.ErrInvalid, "kqueue.control", timeout.String())
	}
	// No room for events: only the changes are applied, whatever the timeout.
	events, err := k.Control([]pyselect.Kevent{kevent(t, r, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD)}, 0, pyselect.Forever)
	if err != nil || len(events) != 0 {
		t.Fatalf("Control returned %v, %v", events, err)
	}
	testkit.Write(t, w, "x")
	if n, err := k.ControlInto(nil, nil, pyselect.Forever); n != 0 || err != nil {
		t.Fatalf("ControlInto returned %d, %v", n, err)
	}
	// Room for more than there can be.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	events, err = k.Control(nil, 1<<30, pyselect.Forever)
	runtime.ReadMemStats(&after)
	if err != nil || len(events) != 1 {
		t.Errorf("Control returned %v, %v", events, err)
	}
	if d := after.TotalAlloc - before.TotalAlloc; d > 1<<20 {
		t.Errorf("Control allocates %d bytes", d)
	}
}

func TestKqueueSmallBuffer(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		k := newKqueue(t)
		const n = 5
		for range n {
			_, w := testkit.Pipe(t)
			apply(t, k, kevent(t, w, pyselect.KQ_FILTER_WRITE, pyselect.KQ_EV_ADD|pyselect.KQ_EV_ONESHOT))
		}
		seen := map[uint64]int{}
		buf := make([]pyselect.Kevent, 2)
		for len(seen) < n {
			got, err := k.ControlInto(nil, buf, pyselect.Forever)
			check(t, err)
			for _, e := range buf[:got] {
				seen[e.Ident]++
			}
		}
		for ident, times := range seen {
			if times != 1 {
				t.Errorf("fd %d is reported %d times", ident, times)
			}
		}
		silent(t, k)
	})
}

func TestKqueueThousands(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		const n = 3000
		testkit.NeedFds(t, n+100)
		k := newKqueue(t)
		r, w := testkit.Pipe(t)
		var changes []pyselect.Kevent
		for range n {
			changes = append(changes, kevent(t, testkit.Dup(t, r, 0), pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD))
		}
		apply(t, k, changes...)
		testkit.Write(t, w, "x")
		events, err := k.Control(nil, 2*n, pyselect.Forever)
		if err != nil || len(events) != n {
			t.Errorf("%d events, want %d; %v", len(events), n, err)
		}
	})
}

func TestKqueueTimeout(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		k := newKqueue(t)
		for _, timeout := range []time.Duration{0, 1, 50 * time.Microsecond, time.Millisecond, 20 * time.Millisecond} {
			testkit.Duration(t, timeout, func() {
				events, err := k.Control(nil, 1, timeout)
				if err != nil || len(events) != 0 {
					t.Errorf("Control returned %v, %v", events, err)
				}
			})
		}
		testkit.Signals(t)
		const timeout = 20 * time.Millisecond
		testkit.Duration(t, timeout, func() {
			events, err := k.Control(nil, 1, timeout)
			if err != nil || len(events) != 0 {
				t.Errorf("Control returned %v, %v", events, err)
			}
		})
	})
}

func TestKqueueClose(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		k := newKqueue(t)
		fd, err := k.Fileno()
		check(t, err)
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("the flags of the descriptor are %#x, %v, want FD_CLOEXEC", flags, err)
		}
		if k.Closed() {
			t.Error("closed from the beginning")
		}
		var errs [5]error
		var calls []*testkit.Call
		for i := range errs {
			calls = append(calls, testkit.Go(t, func() { _, errs[i] = k.Control(nil, 1, pyselect.Forever) }).Blocked())
		}
		for range 2 {
			check(t, k.Close())
		}
		for i, c := range calls {
			c.Wait()
			wantError(t, errs[i], os.ErrClosed, "kqueue.control")
		}
		if !k.Closed() {
			t.Error("not closed")
		}
		if testkit.IsOpen(fd) {
			t.Error("the descriptor is open")
		}
		_, err = k.Fileno()
		wantError(t, err, os.ErrClosed, "kqueue.fileno")
		for _, maxEvents := range []int{-1, 0, 1} {
			_, err = k.Control(nil, maxEvents, -1)
			wantError(t, err, os.ErrClosed, "kqueue.control")
		}
		_, err = k.ControlInto(nil, nil, 0)
		wantError(t, err, os.ErrClosed, "kqueue.control")
	})
}

func TestKqueueCloseDuringWaits(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		k := newKqueue(t)
		closeDuringWaits(t, func() error {
			_, err := k.Control(nil, 1, time.Millisecond)
			return err
		}, k.Close)
	})
}

// A change takes effect on waits that are on, and each has its own timeout.
func TestKqueueSeveralWaiters(t *testing.T) {
	eachWay(t, func(t *testing.T) {
		k := newKqueue(t)
		r, w := testkit.Pipe(t)
		var events []pyselect.Kevent
		var err error
		waiter := testkit.Go(t, func() { events, err = k.Control(nil, 1, pyselect.Forever) }).Blocked()
		var wg sync.WaitGroup
		for i := range 4 {
			timeout := time.Duration(i+1) * 2 * time.Millisecond
			wg.Go(func() {
				testkit.Duration(t, timeout, func() {
					if events, err := k.Control(nil, 1, timeout); err != nil || len(events) != 0 {
						t.Errorf("Control returned %v, %v", events, err)
					}
				})
			})
		}
		wg.Wait()
		testkit.Write(t, w, "x")
		apply(t, k, kevent(t, r, pyselect.KQ_FILTER_READ, pyselect.KQ_EV_ADD|pyselect.KQ_EV_ONESHOT))
		waiter.Wait()
		if err != nil || len(events) != 1 || events[0].Ident != uint64(r) {
			t.Errorf("Control returned %v, %v", events, err)
		}
		silent(t, k)
	})
}

func TestKqueueFromFd(t *testing.T) {
	testkit.NoLeaks(t)
	_, err := pyselect.KqueueFromFd(-1)
	wantError(t, err, os.ErrInvalid, "kqueue.fromfd", "-1")

	fd, err := unix.Kqueue()
	check(t, err)
	k, err := pyselect.KqueueFromFd(fd)
	check(t, err)
	r, w := testkit.Pipe(t)
	add(t, k, r, pyselect.KQ_FILTER_READ)
	testkit.Write(t, w, "x")
	if e := next(t, k); e.Ident != uint64(r) {
		t.Errorf("the event is %v", e)
	}
	if got, err := k.Fileno(); got != fd || err != nil {
		t.Errorf("Fileno is %d, %v, want %d", got, err, fd)
	}
	check(t, k.Close())
	if testkit.IsOpen(fd) {
		t.Error("the descriptor is open")
	}

	no, err := pyselect.KqueueFromFd(dup(t, r))
	check(t, err)
	defer no.Close()
	if _, err := no.Control(nil, 1, 0); err == nil {
		t.Error("a pipe is no kqueue, but there is no error")
	}
}

func TestKqueueUnreachable(t *testing.T) {
	k, err := pyselect.NewKqueue()
	check(t, err)
	fd, err := k.Fileno()
	check(t, err)
	k = nil
	testkit.Eventually(t, "the descriptor to be closed", func() bool {
		runtime.GC()
		_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return err != nil
	})
}

func TestKqueueAllocations(t *testing.T) {
	if testkit.RaceDetector() {
		t.Skip("under the race detector, a sync.Pool forgets at random")
	}
	testkit.NoLeaks(t)
	k := newKqueue(t)
	_, w := testkit.Pipe(t)
	add(t, k, w, pyselect.KQ_FILTER_WRITE)
	buf := make([]pyselect.Kevent, 4)
	changes := []pyselect.Kevent{kevent(t, w, pyselect.KQ_FILTER_WRITE, pyselect.KQ_EV_ADD)}
	if n := testing.AllocsPerRun(100, func() { k.ControlInto(changes, buf, pyselect.Forever) }); n != 0 {
		t.Errorf("ControlInto allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { k.Control(nil, 4, pyselect.Forever) }); n != 1 {
		t.Errorf("Control allocates %v times, want 1", n)
	}
}

// A Kqueue has no descriptors but its own, and its waits no threads of their own.
func TestKqueueCrowdOccupiesNoThreads(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Crowd(t, 300, 16, func(own, common int) func() (int, error) {
		before := len(testkit.OpenFds())
		k := newKqueue(t)
		if created := len(testkit.OpenFds()) - before; created != 1 {
			t.Errorf("%d descriptors are created", created)
		}
		add(t, k, own, pyselect.KQ_FILTER_READ)
		add(t, k, common, pyselect.KQ_FILTER_READ)
		return func() (int, error) {
			events, err := k.Control(nil, 2, pyselect.Forever)
			return len(events), err
		}
	})
}

// Two that share a set in the kernel wait for the same events, and do not wake each other.
func TestKqueueTwice(t *testing.T) {
	testkit.NotOn(t, "netbsd", "news for both of two threads that wait for one kqueue, up to version 9,")
	eachWay(t, func(t *testing.T) {
		first := newKqueue(t)
		fd, err := first.Fileno()
		check(t, err)
		second, err := pyselect.KqueueFromFd(dup(t, fd))
		check(t, err)
		third, err := pyselect.KqueueFromFd(dup(t, fd))
		check(t, err)
		r, w := testkit.Pipe(t)
		add(t, second, r, pyselect.KQ_FILTER_READ)
		ctx, cancel := context.WithCancel(context.Background())
		var calls []*testkit.Call
		for _, waiter := range []struct {
			k    *pyselect.Kqueue
			ctx  context.Context
			want error
		}{{first, ctx, context.Canceled}, {second, context.Background(), os.ErrClosed}, {third, context.Background(), nil}} {
			calls = append(calls, testkit.Go(t, func() {
				events, err := waiter.k.ControlContext(waiter.ctx, nil, 2)
				if !errors.Is(err, waiter.want) || err == nil && (len(events) != 1 || events[0].Ident != uint64(r)) {
					t.Errorf("Control returned %v, %v, want %v", events, err, waiter.want)
				}
			}).Blocked())
		}
		for i, end := range []func(){cancel, func() { check(t, second.Close()) }, func() { testkit.Write(t, w, "x") }} {
			end()
			calls[i].Wait()
			for _, later := range calls[i+1:] {
				later.Blocked()
			}
		}
		testkit.Drain(t, r)
		check(t, third.Close())
		silent(t, first)
	})
}
