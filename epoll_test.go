//go:build linux

package pyselect_test

import (
	"fmt"
	"io/fs"
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
	"github.com/pyselect/pyselect/internal/wait"
)

func TestEpollErrors(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	null, err := os.Open(os.DevNull)
	check(t, err)
	defer null.Close()
	closedFile := file(t, r)
	check(t, closedFile.Close())
	e := testkit.NewEpoll(t, 0, r)
	exclusive := testkit.Dup(t, r, 0)
	check(t, e.Register(exclusive, pyselect.EPOLLIN|pyselect.EPOLLEXCLUSIVE))
	regular := testkit.File(t)
	closed := testkit.ClosedFd(t, 0)

	register := func(obj any) error { return e.Register(obj, pyselect.EPOLLIN) }
	modify := func(obj any) error { return e.Modify(obj, pyselect.EPOLLIN) }
	for _, test := range []struct {
		name string
		op   func(obj any) error
		obj  any
		want error
		text string
	}{
		{"epoll.register", register, r, unix.EEXIST, fmt.Sprintf("fd %d:", r)},
		{"epoll.register", register, r, fs.ErrExist, ""},
		{"epoll.register", register, closed, unix.EBADF, fmt.Sprintf("fd %d:", closed)},
		{"epoll.register", register, 1 << 30, unix.EBADF, "fd 1073741824:"},
		{"epoll.register", register, regular, unix.EPERM, "fd"},
		{"epoll.register", register, null, unix.EPERM, "fd"},
		{"epoll.register", register, e, unix.EINVAL, "fd"},
		{"epoll.register", register, -1, os.ErrInvalid, "-1"},
		{"epoll.register", register, ^uintptr(0), os.ErrInvalid, ""},
		{"epoll.register", register, (*pyselect.Epoll)(nil), os.ErrInvalid, "nil *pyselect.Epoll"},
		{"epoll.register", register, closedFile, os.ErrClosed, "*os.File"},
		{"epoll.register", register, "stdin", pyselect.ErrNotWaitable, "string"},
		{"epoll.modify", modify, w, unix.ENOENT, fmt.Sprintf("fd %d:", w)},
		{"epoll.modify", modify, w, fs.ErrNotExist, ""},
		{"epoll.modify", modify, closed, unix.EBADF, "fd"},
		{"epoll.modify", modify, exclusive, unix.EINVAL, "fd"},
		{"epoll.modify", modify, -1, os.ErrInvalid, "-1"},
		{"epoll.modify", modify, nil, pyselect.ErrNotWaitable, "nil"},
		{"epoll.unregister", e.Unregister, w, unix.ENOENT, fmt.Sprintf("fd %d:", w)},
		{"epoll.unregister", e.Unregister, w, fs.ErrNotExist, ""},
		{"epoll.unregister", e.Unregister, closed, unix.EBADF, "fd"},
		{"epoll.unregister", e.Unregister, -1, os.ErrInvalid, "-1"},
		{"epoll.unregister", e.Unregister, 1.5, pyselect.ErrNotWaitable, "float64"},
	} {
		wantError(t, test.op(test.obj), test.want, test.name, test.text)
	}
	for _, maxevents := range []int{0, -2, math.MinInt} {
		_, err := e.Poll(pyselect.Forever, maxevents)
		wantError(t, err, os.ErrInvalid, "epoll.poll", "maxevents", fmt.Sprint(maxevents))
	}
	for _, buf := range [][]pyselect.EpollEvent{nil, {}} {
		_, err := e.PollInto(buf, pyselect.Forever)
		wantError(t, err, os.ErrInvalid, "epoll.poll", "buffer")
	}
	testkit.WantEpoll(t, e)
}

func TestEpollClosed(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		r := testkit.Readable(t)
		for _, hasWaited := range []bool{false, true} {
			e := testkit.NewEpoll(t, 0, r)
			fd := testkit.EpollFd(t, e)
			if hasWaited {
				check(t, e.Unregister(r))
				_, err := e.Poll(time.Nanosecond, -1)
				check(t, err)
			}
			if e.Closed() {
				t.Error("Closed before Close")
			}
			for range 2 {
				check(t, e.Close())
				if !e.Closed() || testkit.IsOpen(fd) {
					t.Errorf("Closed is %t, descriptor open is %t", e.Closed(), testkit.IsOpen(fd))
				}
			}
			for _, obj := range []any{r, -1, "stdin", nil, e} {
				wantError(t, e.Register(obj, pyselect.EPOLLIN), os.ErrClosed, "epoll.register")
				wantError(t, e.Modify(obj, pyselect.EPOLLIN), os.ErrClosed, "epoll.modify")
				wantError(t, e.Unregister(obj), os.ErrClosed, "epoll.unregister")
			}
			for _, maxevents := range []int{-1, 1, 0, -2} {
				for _, timeout := range []time.Duration{0, time.Hour, pyselect.Forever, -1} {
					_, err := e.Poll(timeout, maxevents)
					wantError(t, err, os.ErrClosed, "epoll.poll")
					_, err = e.PollInto(make([]pyselect.EpollEvent, max(0, maxevents)), timeout)
					wantError(t, err, os.ErrClosed, "epoll.poll")
				}
			}
			_, err := e.Fileno()
			wantError(t, err, os.ErrClosed, "epoll.fileno")
			_, err = pyselect.Fileno(e)
			wantError(t, err, os.ErrClosed)
		}
	})
}

func TestEpollDescriptor(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		e := testkit.NewEpoll(t, 0)
		fd := testkit.EpollFd(t, e)
		for range 2 {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			check(t, err)
			if flags&unix.FD_CLOEXEC == 0 {
				t.Error("not close-on-exec")
			}
			if again, err := pyselect.Fileno(e); again != fd || err != nil {
				t.Errorf("Fileno of the Epoll is %d, %v, want %d", again, err, fd)
			}
			_, err = e.Poll(time.Nanosecond, -1) // makes it what it is after a wait
			check(t, err)
		}
	})
}

func TestEpollKeepsBlockingMode(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		e := testkit.NewEpoll(t, 0)
		blockingModes(t, func(obj any) error {
			if err := e.Register(obj, pyselect.EPOLLIN); err != nil {
				return err
			}
			if _, err := e.Poll(time.Nanosecond, -1); err != nil {
				return err
			}
			return e.Modify(obj, 0)
		})
	})
}

// A Fileno method may use the Epoll or the Poll that calls it.
func TestFilenoMethodsAreCalledUnlocked(t *testing.T) {
	testkit.NoLeaks(t)
	r := testkit.Readable(t)
	e, p := testkit.NewEpoll(t, 0), testkit.NewPoll(t)
	obj := filenoCall{func() int {
		testkit.WantEpoll(t, e)
		testkit.WantPoll(t, p)
		return r
	}}
	check(t, e.Register(obj, 0))
	check(t, e.Modify(obj, 0))
	check(t, e.Unregister(obj))
	check(t, p.Register(obj, 0))
	check(t, p.Modify(obj, 0))
	check(t, p.Unregister(obj))
}

func TestEpollMaxEvents(t *testing.T) {
	testkit.NoLeaks(t)
	const ready, idle = 2000, 3000
	testkit.NeedFds(t, ready+idle+100)
	full := testkit.Readable(t)
	empty, _ := testkit.Pipe(t)
	e := testkit.NewEpoll(t, 0)
	var want []pyselect.EpollEvent
	for i := range ready + idle {
		of := empty
		if i%5 < 2 {
			of = full
		}
		fd := testkit.Dup(t, of, 0)
		check(t, e.Register(fd, pyselect.EPOLLIN))
		if of == full {
			want = append(want, testkit.EpollIn(fd)...)
		}
	}
	for _, test := range []struct{ maxevents, want int }{
		{1, 1}, {7, 7}, {-1, 1023}, {1024, 1024}, {ready - 1, ready - 1}, {ready, ready}, {5000, ready}, {1 << 30, ready}, {math.MaxInt, ready},
	} {
		var events []pyselect.EpollEvent
		allocated := testkit.BytesAllocated(func() {
			var err error
			events, err = e.Poll(pyselect.Forever, test.maxevents)
			check(t, err)
		})
		if len(events) != test.want {
			t.Errorf("maxevents %d: %d events, want %d", test.maxevents, len(events), test.want)
		}
		if allocated > 1<<20 {
			t.Errorf("maxevents %d: %d bytes allocated", test.maxevents, allocated)
		}
		testkit.SortByFd(events)
		if test.want == ready {
			testkit.Equal(t, "ready", events, want...)
		}
	}
	buf := make([]pyselect.EpollEvent, 5000)
	n, err := e.PollInto(buf, pyselect.Forever)
	check(t, err)
	slices.SortFunc(buf[:n], func(a, b pyselect.EpollEvent) int { return a.Fd - b.Fd })
	testkit.Equal(t, "PollInto", buf[:n], want...)
}

// What does not fit the buffer comes with the next calls.
func TestEpollSmallBuffer(t *testing.T) {
	testkit.NoLeaks(t)
	fds := []int{testkit.Readable(t), testkit.Readable(t), testkit.Readable(t), testkit.Readable(t), testkit.Readable(t)}
	want := testkit.EpollIn(fds...)
	testkit.SortByFd(want)
	for _, flags := range []pyselect.EpollMask{pyselect.EPOLLET, pyselect.EPOLLONESHOT} {
		e := testkit.NewEpoll(t, flags, fds...)
		var got []pyselect.EpollEvent
		for _, size := range []int{2, 2, 1, 0} { // each event once
			buf := make([]pyselect.EpollEvent, 2)
			n, err := e.PollInto(buf, 0)
			check(t, err)
			if n != size {
				t.Errorf("%v: %d events, want %d", flags, n, size)
			}
			got = append(got, buf[:n]...)
		}
		testkit.SortByFd(got)
		testkit.Equal(t, flags.String(), got, want...)
	}

	e := testkit.NewEpoll(t, 0, fds...)
	var got []pyselect.EpollEvent
	for range 5 { // level-triggered: each in its turn, again and again
		buf := make([]pyselect.EpollEvent, 2)
		n, err := e.PollInto(buf, pyselect.Forever)
		check(t, err)
		got = append(got, buf[:n]...)
	}
	for i, first := range [][]pyselect.EpollEvent{got[:5], got[5:]} {
		testkit.SortByFd(first)
		testkit.Equal(t, fmt.Sprintf("round %d, level-triggered", i), first, want...)
	}
}

func TestEpollEdgeTriggered(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		r, w := testkit.Pipe(t)
		testkit.Write(t, w, "x")
		e := testkit.NewEpoll(t, pyselect.EPOLLET, r)
		testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
		testkit.WantEpoll(t, e)
		testkit.Write(t, w, "x") // a new edge although there was data already
		testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
		testkit.WantEpoll(t, e)
		check(t, e.Modify(r, pyselect.EPOLLIN|pyselect.EPOLLET)) // looks at the state once more
		testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
		for range 3 {
			call := testkit.StartPoll(t, e, pyselect.Forever)
			testkit.Write(t, w, "x")
			call.Want(t, testkit.EpollIn(r)...)
			testkit.WantEpoll(t, e)
		}
	})
}

func TestEpollOneShot(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		r, w := testkit.Pipe(t)
		testkit.Write(t, w, "x")
		e := testkit.NewEpoll(t, pyselect.EPOLLONESHOT, r)
		testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
		testkit.Write(t, w, "x")
		testkit.WantEpoll(t, e)
		for range 3 {
			call := testkit.StartPoll(t, e, pyselect.Forever)
			check(t, e.Modify(r, pyselect.EPOLLIN|pyselect.EPOLLONESHOT))
			call.Want(t, testkit.EpollIn(r)...)
			testkit.WantEpoll(t, e)
		}
	})
}

func TestEpollEvents(t *testing.T) {
	const in, out, hup, rdhup = pyselect.EPOLLIN, pyselect.EPOLLOUT, pyselect.EPOLLHUP, pyselect.EPOLLRDHUP
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	a, b := testkit.Socketpair(t)
	e := testkit.NewEpoll(t, 0)
	for _, step := range []struct {
		name string
		do   func() error
		want []pyselect.EpollEvent
	}{
		{"nothing", func() error { return nil }, nil},
		{"writable", func() error { return e.Register(a, in|out|rdhup) }, []pyselect.EpollEvent{{a, out}}},
		{"only data", func() error { return e.Modify(a, in|rdhup) }, nil},
		{"half closed", func() error { return unix.Shutdown(b, unix.SHUT_WR) }, []pyselect.EpollEvent{{a, in | rdhup}}},
		{"not asked", func() error { return e.Modify(a, in) }, []pyselect.EpollEvent{{a, in}}},
		{"closed", func() error { return unix.Shutdown(b, unix.SHUT_RD) }, []pyselect.EpollEvent{{a, in | hup}}},
		{"unregistered", func() error { return e.Unregister(a) }, nil},
		{"exclusive", func() error { return e.Register(r, in|pyselect.EPOLLEXCLUSIVE) }, nil},
		{"exclusive, ready", func() error { testkit.Write(t, w, "x"); return nil }, []pyselect.EpollEvent{{r, in}}},
		{"exclusive, unregistered", func() error { return e.Unregister(r) }, nil},
		{"keeps awake", func() error { return e.Register(r, in|pyselect.EPOLLWAKEUP) }, []pyselect.EpollEvent{{r, in}}},
		{"hung up, no mask", func() error { testkit.Close(t, w); return e.Modify(r, 0) }, []pyselect.EpollEvent{{r, hup}}},
		{"closed, out of the set", func() error { testkit.Close(t, r); return nil }, nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			check(t, step.do())
			testkit.WantEpoll(t, e, step.want...)
		})
	}
}

// A change takes effect on a wait in progress.
func TestEpollChangesDuringWait(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		idle, w := testkit.Pipe(t)
		ready := testkit.Readable(t)
		e := testkit.NewEpoll(t, 0, idle)

		call := testkit.StartPoll(t, e, pyselect.Forever)
		check(t, e.Register(ready, pyselect.EPOLLIN))
		call.Want(t, testkit.EpollIn(ready)...)

		check(t, e.Modify(ready, 0))
		call = testkit.StartPoll(t, e, time.Hour)
		check(t, e.Modify(ready, pyselect.EPOLLIN))
		call.Want(t, testkit.EpollIn(ready)...)

		check(t, e.Modify(ready, 0))
		call = testkit.StartPoll(t, e, pyselect.Forever)
		check(t, e.Unregister(idle))
		testkit.Write(t, w, "x")
		check(t, e.Modify(ready, pyselect.EPOLLIN))
		call.Want(t, testkit.EpollIn(ready)...)
	})
}

// Each of several waiters has its own timeout, whoever of them began first.
func TestEpollWaitersTimeout(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		r, w := testkit.Pipe(t)
		e := testkit.NewEpoll(t, 0, r)
		long := testkit.StartPoll(t, e, pyselect.Forever)
		for _, timeout := range []time.Duration{time.Nanosecond, time.Millisecond, 20 * time.Millisecond} {
			testkit.Duration(t, timeout, func() {
				events, err := e.Poll(timeout, -1)
				check(t, err)
				testkit.Equal(t, "short one", events)
			})
		}
		long.Blocked()
		testkit.Write(t, w, "x")
		long.Want(t, testkit.EpollIn(r)...)
		testkit.Drain(t, r)

		begin := time.Now()
		var short testkit.Waiter
		short.Call = testkit.Go(t, func() { short.Events, short.Err = e.Poll(50*time.Millisecond, -1) })
		short.BlockedOrDone()
		long = testkit.StartPoll(t, e, time.Hour)
		short.Want(t)
		if took := time.Since(begin); took < 50*time.Millisecond {
			t.Errorf("short one took %v", took)
		}
		long.Blocked()
		testkit.Write(t, w, "x")
		long.Want(t, testkit.EpollIn(r)...)
	})
}

func TestEpollWaitersEvents(t *testing.T) {
	const n = 10
	testkit.EachWay(t, func(t *testing.T) {
		for _, flags := range []pyselect.EpollMask{pyselect.EPOLLET, pyselect.EPOLLONESHOT} {
			r, w := testkit.Pipe(t)
			e := testkit.NewEpoll(t, flags, r)
			ended := make(chan *testkit.Waiter, n)
			for range n {
				call := new(testkit.Waiter)
				call.Call = testkit.Go(t, func() {
					defer func() { ended <- call }()
					call.Events, call.Err = e.Poll(pyselect.Forever, -1)
				})
				call.Blocked()
			}
			next := func() *testkit.Waiter {
				testkit.Eventually(t, "a waiter to end", func() bool { return len(ended) > 0 })
				return <-ended
			}
			for range n - 3 { // each event wakes one
				testkit.Write(t, w, "x")
				next().Want(t, testkit.EpollIn(r)...)
				testkit.Drain(t, r)
				check(t, e.Modify(r, pyselect.EPOLLIN|flags))
			}
			check(t, e.Close())
			for range 3 {
				next().WantClosed(t)
			}
		}

		r, w := testkit.Pipe(t)
		e := testkit.NewEpoll(t, 0, r)
		var calls []*testkit.Waiter
		for range n {
			calls = append(calls, testkit.StartPoll(t, e, pyselect.Forever))
		}
		testkit.Write(t, w, "x")
		for _, call := range calls { // a level-triggered event wakes all
			call.Want(t, testkit.EpollIn(r)...)
		}
	})
}

func TestEpollCloseWakes(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		idle, _ := testkit.Pipe(t)
		for _, waiters := range []int{1, 2, 50} {
			e := testkit.NewEpoll(t, 0, idle)
			fd := testkit.EpollFd(t, e)
			var calls []*testkit.Waiter
			for i := range waiters {
				calls = append(calls, testkit.StartPoll(t, e, []time.Duration{pyselect.Forever, time.Hour, -1}[i%3]))
			}
			check(t, e.Close())
			if testkit.IsOpen(fd) {
				t.Error("descriptor is open after Close")
			}
			for _, call := range calls {
				call.WantClosed(t)
			}
		}
	})
}

// Everything at once, for the race detector.
func TestEpollConcurrently(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		e := testkit.NewEpoll(t, 0)
		var all sync.WaitGroup
		for i := range 4 {
			r, w := testkit.Pipe(t)
			all.Go(func() {
				for k := range 200 {
					e.Register(r, pyselect.EPOLLIN)
					unix.Write(w, []byte("x"))
					e.Modify(r, pyselect.EPOLLIN|pyselect.EPOLLET)
					if events, err := e.Poll(time.Duration(k*i)*time.Microsecond, 1+k%3); len(events) > 1+k%3 || err != nil {
						t.Errorf("got %v, %v", events, err)
					}
					e.Unregister(r)
				}
			})
		}
		all.Wait()
		closeDuringWaits(t, func() error {
			_, err := e.Poll(time.Millisecond, -1)
			return err
		}, e.Close)
	})
}

func TestEpollNested(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		for depth := 2; depth <= 5; depth++ { // Go's poller refuses the outermost one of five
			r, w := testkit.Pipe(t)
			outermost, inside := testkit.NewEpoll(t, 0, r), r
			for range depth - 1 {
				inner := outermost
				inside = testkit.EpollFd(t, inner)
				outermost = testkit.NewEpoll(t, 0)
				check(t, outermost.Register(inner, pyselect.EPOLLIN))
			}
			testkit.WantEpoll(t, outermost)
			for _, timeout := range []time.Duration{time.Microsecond, 5 * time.Millisecond} {
				testkit.Duration(t, timeout, func() {
					events, err := outermost.Poll(timeout, -1)
					check(t, err)
					testkit.Equal(t, "ready", events)
				})
			}
			first, second := testkit.StartPoll(t, outermost, pyselect.Forever), testkit.StartPoll(t, outermost, pyselect.Forever)
			testkit.Write(t, w, "x")
			first.Want(t, testkit.EpollIn(inside)...)
			second.Want(t, testkit.EpollIn(inside)...)
			testkit.Drain(t, r)
			first, second = testkit.StartPoll(t, outermost, pyselect.Forever), testkit.StartPoll(t, outermost, time.Hour)
			check(t, outermost.Close())
			first.WantClosed(t)
			second.WantClosed(t)
		}
	})
}

// Go's poller does not count where no wait had to block.
func TestEpollNestedWithoutBlocking(t *testing.T) {
	testkit.NoLeaks(t)
	r := testkit.Readable(t)
	e := testkit.NewEpoll(t, 0, r)
	for range 2 {
		events, err := e.Poll(time.Hour, -1)
		check(t, err)
		testkit.Equal(t, "ready", events, testkit.EpollIn(r)...)
	}
	for range 4 {
		inner := testkit.NewEpoll(t, 0)
		check(t, e.Register(inner, pyselect.EPOLLIN))
		e = inner
	}
}

// The kernel limits how many epolls that are in Go's poller may watch one file. More that have waited watch it nevertheless.
func TestEpollsOfOneFileAfterWait(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Force(t, wait.Parked)
	const many = 600
	testkit.NeedFds(t, 2*many+100)
	r := testkit.Readable(t)
	for range many {
		e := testkit.NewEpoll(t, 0)
		_, err := e.Poll(time.Microsecond, -1)
		check(t, err)
		check(t, e.Register(r, pyselect.EPOLLIN))
		testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
	}
}

func TestEpollFromFd(t *testing.T) {
	testkit.NoLeaks(t)
	for _, fd := range []int{-1, math.MinInt} {
		_, err := pyselect.EpollFromFd(fd)
		wantError(t, err, os.ErrInvalid, "epoll.fromfd", fmt.Sprint(fd))
	}

	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	check(t, err)
	r := testkit.Readable(t)
	check(t, unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, r, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(r)}))
	e, err := pyselect.EpollFromFd(fd)
	check(t, err)
	if testkit.EpollFd(t, e) != fd {
		t.Errorf("Fileno is %d, want %d", testkit.EpollFd(t, e), fd)
	}
	testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
	check(t, e.Unregister(r))
	testkit.Duration(t, time.Millisecond, func() {
		_, err := e.Poll(time.Millisecond, -1)
		check(t, err)
	})
	check(t, e.Close())
	if testkit.IsOpen(fd) {
		t.Error("descriptor is open after Close")
	}
}

func TestEpollFromFdOfSomethingElse(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	for _, timeout := range []time.Duration{0, time.Millisecond, pyselect.Forever} {
		fd := dup(t, r)
		e, err := pyselect.EpollFromFd(fd)
		check(t, err)
		for range 2 {
			_, err := e.Poll(timeout, -1)
			wantError(t, err, unix.EINVAL, "epoll.poll")
		}
		wantError(t, e.Register(r, pyselect.EPOLLIN), unix.EINVAL, "epoll.register")
		check(t, e.Close())
		if testkit.IsOpen(fd) {
			t.Error("descriptor is open after Close")
		}
	}
	check(t, unix.SetNonblock(r, false))
	e, err := pyselect.EpollFromFd(dup(t, r))
	check(t, err)
	_, err = e.Poll(time.Hour, -1)
	wantError(t, err, unix.EINVAL, "epoll.poll")
	flags, err := unix.FcntlInt(uintptr(r), unix.F_GETFL, 0)
	check(t, err)
	if flags&unix.O_NONBLOCK != 0 {
		t.Error("what is no epoll has become non-blocking")
	}
	check(t, e.Close())
}

func TestEpollFromFdOfNothing(t *testing.T) {
	testkit.NoLeaks(t)
	e, err := pyselect.EpollFromFd(testkit.ClosedFd(t, 0))
	check(t, err)
	_, err = e.Poll(pyselect.Forever, -1)
	wantError(t, err, unix.EBADF, "epoll.poll")
	wantError(t, e.Close(), unix.EBADF, "epoll.close")
	if !e.Closed() {
		t.Error("a Close that fails closes too")
	}
	check(t, e.Close())
}

// No descriptor is left for those that the package needs itself.
func TestOutOfDescriptors(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	e, p := testkit.NewEpoll(t, 0, r), testkit.NewPoll(t, r)
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	restore := func() { check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) }
	t.Cleanup(restore)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Max: limit.Max}))

	_, err := pyselect.NewEpoll()
	wantError(t, err, unix.EMFILE, "select.epoll:")
	for range 2 {
		_, err = p.Poll(pyselect.Forever)
		wantError(t, err, unix.EINVAL, "poll.poll", "1 descriptors, want no more than 0")
	}

	restore()
	testkit.Write(t, w, "x")
	testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
	testkit.WantPoll(t, p, testkit.PollIn(r)...)
	check(t, e.Unregister(r))
	_, err = e.Poll(time.Millisecond, -1)
	check(t, err)
}

// A descriptor of the package's own that has the number of a closed one is none of the caller's.
func TestEpollNumberOfWaker(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Force(t, wait.InKernel)
	e := testkit.NewEpoll(t, 0)
	r, w := testkit.Pipe(t)
	lowest := min(r, w)
	check(t, e.Register(lowest, 0))
	testkit.Close(t, lowest)
	_, err := e.Poll(time.Microsecond, -1)
	check(t, err)
	if name, err := os.Readlink(fmt.Sprint("/proc/self/fd/", lowest)); name != "anon_inode:[eventfd]" {
		t.Fatalf("the number belongs to %q, %v", name, err)
	}
	wantError(t, e.Modify(lowest, 0), unix.EBADF, "epoll.modify")
	wantError(t, e.Unregister(lowest), unix.EBADF, "epoll.unregister")
	p := testkit.StartPoll(t, e, pyselect.Forever).Blocked()
	check(t, e.Close())
	p.Wait()
}

// Go's poller has the descriptor already, and refuses it for the second time.
func TestEpollFromFdInPoller(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	check(t, err)
	check(t, unix.SetNonblock(fd, true))
	other := os.NewFile(uintptr(fd), "epoll")
	check(t, other.SetReadDeadline(time.Time{})) // it is in Go's poller

	e, err := pyselect.EpollFromFd(fd)
	check(t, err)
	check(t, e.Register(r, pyselect.EPOLLIN))
	testkit.Duration(t, 5*time.Millisecond, func() {
		events, err := e.Poll(5*time.Millisecond, -1)
		check(t, err)
		testkit.Equal(t, "ready", events)
	})
	call := testkit.StartPoll(t, e, pyselect.Forever)
	testkit.Write(t, w, "x")
	call.Want(t, testkit.EpollIn(r)...)
	testkit.Drain(t, r)
	call = testkit.StartPoll(t, e, pyselect.Forever)
	check(t, e.Close())
	call.WantClosed(t)

	// The other owner gets something to close under its number.
	check(t, unix.Dup3(r, fd, unix.O_CLOEXEC))
	check(t, other.Close())
}

func TestEpollUnreachable(t *testing.T) {
	for _, test := range []struct {
		name string
		use  func(t *testing.T, e *pyselect.Epoll)
	}{
		{"never used", func(*testing.T, *pyselect.Epoll) {}},
		{"polled", func(t *testing.T, e *pyselect.Epoll) { testkit.WantEpoll(t, e) }},
		{"waited", func(t *testing.T, e *pyselect.Epoll) {
			_, err := e.Poll(3*time.Millisecond, -1)
			check(t, err)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.EachWay(t, func(t *testing.T) {
				r, _ := testkit.Pipe(t)
				before := testkit.OpenFds()
				func() {
					created, err := pyselect.NewEpoll()
					check(t, err)
					epollFd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
					check(t, err)
					adopted, err := pyselect.EpollFromFd(epollFd)
					check(t, err)
					for _, e := range []*pyselect.Epoll{created, adopted} {
						check(t, e.Register(r, pyselect.EPOLLIN))
						test.use(t, e)
					}
				}()
				testkit.Eventually(t, "the garbage collector to close the Epolls", func() bool {
					runtime.GC()
					return slices.Equal(testkit.OpenFds(), before)
				})
			})
		})
	}
}

// What is registered is not closed by the garbage collector.
func TestRegisteredObjectsAreKeptAlive(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	type set struct{ register, modify, release func(obj any) error }
	epoll := func() (*pyselect.Epoll, set) {
		e := testkit.NewEpoll(t, 0)
		return e, set{
			func(obj any) error { return e.Register(obj, pyselect.EPOLLIN) },
			func(obj any) error { return e.Modify(obj, pyselect.EPOLLOUT) },
			e.Unregister,
		}
	}
	for name, create := range map[string]func() set{
		"Epoll": func() set {
			_, s := epoll()
			return s
		},
		"Epoll, Close": func() set {
			e, s := epoll()
			s.release = func(any) error { return e.Close() }
			return s
		},
		"Poll": func() set {
			p := pyselect.NewPoll()
			return set{
				func(obj any) error { return p.Register(obj, pyselect.POLLIN) },
				func(obj any) error { return p.Modify(obj, pyselect.POLLOUT) },
				p.Unregister,
			}
		},
	} {
		keepsAlive := func(t *testing.T, s set, fd int, keep func(obj any) error) {
			check(t, keep(os.NewFile(uintptr(fd), "pipe")))
			testkit.CollectGarbage(t)
			if !testkit.IsOpen(fd) {
				t.Fatal("closed while registered")
			}
			check(t, s.release(fd))
			testkit.Eventually(t, "the garbage collector to close the file", func() bool {
				runtime.GC()
				return !testkit.IsOpen(fd)
			})
		}
		t.Run(name+", Register", func(t *testing.T) {
			s := create()
			keepsAlive(t, s, dup(t, r), s.register)
		})
		t.Run(name+", Modify", func(t *testing.T) {
			s, fd := create(), dup(t, r)
			check(t, s.register(fd))
			keepsAlive(t, s, fd, s.modify)
		})
	}
}

func TestEpollAllocations(t *testing.T) {
	if testkit.RaceDetector() {
		t.Skip("under the race detector, a sync.Pool forgets at random")
	}
	testkit.EachWay(t, func(t *testing.T) {
		idle, _ := testkit.Pipe(t)
		ready := testkit.Readable(t)
		e, waiting := testkit.NewEpoll(t, 0, ready), testkit.NewEpoll(t, 0, idle)
		buf := make([]pyselect.EpollEvent, 10)
		testkit.WantAllocs(t, "Poll", 1, func() { e.Poll(pyselect.Forever, -1) })
		testkit.WantAllocs(t, "Poll, nothing ready", 0, func() { waiting.Poll(0, -1) })
		testkit.WantAllocs(t, "PollInto", 0, func() { e.PollInto(buf, pyselect.Forever) })
		testkit.WantAllocs(t, "PollInto, nothing ready", 0, func() { waiting.PollInto(buf, 0) })
		for _, timeout := range []time.Duration{time.Nanosecond, 100 * time.Microsecond, 3 * time.Millisecond} {
			testkit.WantAllocs(t, fmt.Sprintf("PollInto, %v over", timeout), 0, func() { waiting.PollInto(buf, timeout) })
		}
		var fd any = ready
		testkit.WantAllocs(t, "Modify", 0, func() { e.Modify(fd, pyselect.EPOLLIN) })
	})
}

func TestEpollMaskString(t *testing.T) {
	testkit.NoLeaks(t)
	for _, test := range []struct {
		mask pyselect.EpollMask
		want string
	}{
		{0, "0x0"},
		{pyselect.EPOLLIN, "EPOLLIN"},
		{pyselect.EPOLLET | pyselect.EPOLLIN, "EPOLLIN|EPOLLET"},
		{pyselect.EPOLLONESHOT | pyselect.EPOLLOUT | pyselect.EPOLLPRI, "EPOLLPRI|EPOLLOUT|EPOLLONESHOT"},
		{pyselect.EPOLLEXCLUSIVE | pyselect.EPOLLWAKEUP | pyselect.EPOLLRDHUP, "EPOLLRDHUP|EPOLLEXCLUSIVE|EPOLLWAKEUP"},
		{1 << 20, "0x100000"},
		{pyselect.EPOLLHUP | pyselect.EPOLLERR | 1<<20 | 1<<21, "EPOLLERR|EPOLLHUP|0x300000"},
	} {
		if got := test.mask.String(); got != test.want {
			t.Errorf("%#x: got %q, want %q", uint32(test.mask), got, test.want)
		}
	}
}

// All that are ready are reported at once, as far as they fit, and each of them once: also when few were ready before.
func TestEpollManyAfterFew(t *testing.T) {
	const watched = 200
	for _, flags := range []pyselect.EpollMask{0, pyselect.EPOLLET, pyselect.EPOLLONESHOT} {
		for _, ready := range []int{1, 63, 64, 65, 66, 128, watched} {
			for _, room := range []int{64, 65, 100, watched} {
				t.Run(fmt.Sprintf("%v, %d ready, room for %d", flags, ready, room), func(t *testing.T) {
					testkit.NoLeaks(t)
					fds := testkit.Eventfds(t, watched, 0)
					e := testkit.NewEpoll(t, flags, fds...)
					testkit.WantEpoll(t, e)
					for _, fd := range fds[:ready] {
						testkit.Write(t, fd, "\x01\x01\x01\x01\x01\x01\x01\x01")
					}
					var all []int
					for left := ready; left > 0; left -= room {
						events, err := e.Poll(0, room)
						check(t, err)
						if len(events) != min(left, room) {
							t.Fatalf("%d of %d are reported", len(events), left)
						}
						for _, event := range events {
							all = append(all, event.Fd)
						}
						if flags == 0 {
							break // they will be reported again
						}
					}
					slices.Sort(all)
					testkit.Equal(t, "reported, each once,", all, slices.Compact(slices.Clone(all))...)
					if flags != 0 {
						testkit.Equal(t, "reported", all, fds[:ready]...)
						testkit.WantEpoll(t, e)
					}
				})
			}
		}
	}
}
