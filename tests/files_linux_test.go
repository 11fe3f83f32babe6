package tests

import (
	"runtime"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

// Every event of a file of every kind arrives, in every facility, as with the bare system calls.
func TestSpecialFiles(t *testing.T) {
	for _, kind := range testkit.Specials {
		t.Run(kind.Name, func(t *testing.T) {
			for _, facility := range []struct {
				name    string
				prepare func(t *testing.T, s testkit.Special) waitFunc
			}{
				{"ppoll", func(_ *testing.T, s testkit.Special) waitFunc {
					fds := []unix.PollFd{{Fd: int32(s.Fd), Events: int16(s.Events)}}
					return func(timeout time.Duration) (n int, err error) {
						for err = unix.EINTR; err == unix.EINTR; { // a signal of Go's runtime may come
							n, err = unix.Poll(fds, int(timeout/time.Millisecond))
						}
						return n, err
					}
				}},
				{"Select", func(_ *testing.T, s testkit.Special) waitFunc {
					return func(timeout time.Duration) (int, error) {
						lists := [2][]int{}
						if s.Events&unix.POLLPRI != 0 {
							lists[1] = []int{s.Fd}
						} else {
							lists[0] = []int{s.Fd}
						}
						r, _, x, err := pyselect.Select(lists[0], nil, lists[1], timeout)
						return len(r) + len(x), err
					}
				}},
				{"Poll", func(t *testing.T, s testkit.Special) waitFunc {
					p := pyselect.NewPoll()
					check(t, p.Register(s.Fd, pyselect.PollMask(s.Events)))
					return pollWait(p)
				}},
				{"Epoll", func(t *testing.T, s testkit.Special) waitFunc {
					e := testkit.NewEpoll(t, 0)
					idle, _ := testkit.Pipe(t)
					check(t, e.Register(idle, pyselect.EPOLLIN))
					_, err := e.Poll(time.Millisecond, -1) // it has parked, and cannot any more
					check(t, err)
					check(t, e.Register(s.Fd, pyselect.EpollMask(s.Events)))
					return epollWait(e)
				}},
			} {
				t.Run(facility.name, func(t *testing.T) {
					s := kind.Open(t)
					wait := facility.prepare(t, s)
					rounds := 5
					if s.Reset == nil {
						rounds = 1
					}
					for round := range rounds {
						if s.Reset != nil {
							s.Reset()
						}
						var n int
						var err error
						if s.Thread {
							s.Cause() // this thread has to wait, and is the only one that the signal is for
							n, err = wait(testkit.Patience)
						} else {
							call := testkit.Go(t, func() { n, err = wait(testkit.Patience) })
							call.BlockedOrDone() // another process may have caused it
							s.Cause()
							call.Wait()
						}
						if n == 0 || err != nil {
							t.Fatalf("round %d: %d ready, %v", round, n, err)
						}
					}
				})
			}
		})
	}
}

// Nor does one get lost of a file that is registered while a goroutine waits in another way than is right for this file, or is
// closed before the first wait and lives on in a duplicate.
func TestSpecialFilesDuringWait(t *testing.T) {
	for name, way := range map[string]wait.Way{"parked": wait.Parked, "together": wait.Together} {
		t.Run(name, func(t *testing.T) {
			testkit.Force(t, way)
			var n int
			var err error
			f, idle := testkit.OpenOnce(t), testkit.Readable(t)
			testkit.Drain(t, idle)
			for range 20 {
				e := testkit.NewEpoll(t, 0, idle)
				call := testkit.Go(t, func() { n, err = epollWait(e)(testkit.Patience) }).Blocked()
				check(t, e.Register(f.Fd, pyselect.EPOLLIN))
				f.Cause()
				call.Wait()
				if n != 1 || err != nil {
					t.Fatalf("%d ready, %v", n, err)
				}
				check(t, e.Close())
			}

			e, fd := testkit.NewEpoll(t, 0, idle), testkit.Dup(t, f.Fd, 0)
			check(t, e.Register(fd, pyselect.EPOLLIN))
			testkit.Close(t, fd)
			call := testkit.Go(t, func() { n, err = epollWait(e)(testkit.Patience) }).Blocked()
			f.Cause()
			call.Wait()
			if n != 1 || err != nil {
				t.Fatalf("after close: %d ready, %v", n, err)
			}
		})
	}
}

// A set is parked again when the file for which it could not be has been unregistered or closed, and its number used again.
func TestSteadyAgain(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	const waiters, newThreads = 100, 16
	var epolls [waiters]*pyselect.Epoll
	for i := range epolls {
		e := testkit.NewEpoll(t, 0)
		fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		check(t, err)
		check(t, e.Register(fd, pyselect.EPOLLPRI))
		if i%2 == 0 {
			check(t, e.Unregister(fd))
			unix.Close(fd)
		} else {
			check(t, unix.Dup2(r, fd)) // closes it
			defer unix.Close(fd)
			check(t, e.Register(fd, pyselect.EPOLLIN))
		}
		epolls[i] = e
	}
	before := pprof.Lookup("threadcreate").Count()
	var calls []*testkit.Call
	for _, e := range epolls {
		calls = append(calls, testkit.Go(t, func() { e.Poll(pyselect.Forever, -1) }).Blocked())
	}
	if created := pprof.Lookup("threadcreate").Count() - before; created > newThreads {
		t.Errorf("%d threads were created, want no more than %d", created, newThreads)
	}
	for i, e := range epolls {
		check(t, e.Close())
		calls[i].Wait()
	}
}

// What a small buffer had no room for is not asked for again.
func TestSmallBufferLosesNothing(t *testing.T) {
	testkit.NoLeaks(t)
	idle, _ := testkit.Pipe(t)
	var files []*testkit.Once
	var fds []int
	for range 4 {
		f := testkit.OpenOnce(t)
		files, fds = append(files, f), append(fds, f.Fd)
	}
	e, p := testkit.NewEpoll(t, 0), pyselect.NewPoll()
	for _, test := range []struct {
		name     string
		register func(fd int) error
		next     func() (fd int, n int, err error)
	}{
		{"Poll", func(fd int) error { return p.Register(fd, pyselect.POLLIN) }, func() (int, int, error) {
			var buf [1]pyselect.PollEvent
			n, err := p.PollInto(buf[:], 0)
			return buf[0].Fd, n, err
		}},
		{"Epoll", func(fd int) error { return e.Register(fd, pyselect.EPOLLIN) }, func() (int, int, error) {
			var buf [1]pyselect.EpollEvent
			n, err := e.PollInto(buf[:], 0)
			return buf[0].Fd, n, err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, fd := range append(fds, idle) {
				check(t, test.register(fd))
			}
			for _, f := range files {
				f.Cause()
			}
			var got []int
			for range files {
				fd, n, err := test.next()
				if n != 1 || err != nil {
					t.Fatalf("%d ready, %v", n, err)
				}
				got = append(got, fd)
			}
			if slices.Sort(got); !slices.Equal(got, fds) {
				t.Errorf("%v are ready, want %v", got, fds)
			}
			if fd, n, err := test.next(); n != 0 || err != nil {
				t.Errorf("fd %d is ready, %v", fd, err)
			}
		})
	}
}

// A call that looks at a file may take long, which must not keep others from running, nor the garbage collector from stopping
// them.
func TestSlowFile(t *testing.T) {
	procs := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(procs)
	f := testkit.OpenFuse(t, func() bool {
		runtime.GC()
		return true
	})
	e, p := testkit.NewEpoll(t, 0), testkit.NewPoll(t, f.Fd)
	check(t, e.Register(f.Fd, pyselect.EPOLLIN))
	check(t, e.Modify(f.Fd, pyselect.EPOLLIN|pyselect.EPOLLRDNORM))
	for _, timeout := range []time.Duration{0, time.Microsecond, pyselect.Forever} {
		for name, wait := range map[string]waitFunc{"Select": selectWait(f.Fd), "Poll": pollWait(p), "Epoll": epollWait(e)} {
			if n, err := wait(timeout); n == 0 || err != nil {
				t.Errorf("%s, %v: %d ready, %v", name, timeout, n, err)
			}
		}
	}
	check(t, e.Unregister(f.Fd))
}

// With EPOLLEXCLUSIVE, the kernel wakes one of those who wait, which it takes only a thread in epoll_wait for.
func TestExclusive(t *testing.T) {
	const waiters = 8
	testkit.NoLeaks(t)
	fd := testkit.Eventfds(t, 1, 0)[0]
	var woken atomic.Int32
	var calls [waiters]*testkit.Call
	var epolls [waiters]*pyselect.Epoll
	for i := range calls {
		e := testkit.NewEpoll(t, 0)
		check(t, e.Register(fd, pyselect.EPOLLIN|pyselect.EPOLLET|pyselect.EPOLLEXCLUSIVE))
		epolls[i] = e
		calls[i] = testkit.Go(t, func() {
			if events, _ := e.Poll(pyselect.Forever, -1); len(events) > 0 {
				woken.Add(1)
			}
		}).Blocked()
	}
	for i := range int32(3) {
		unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		testkit.Eventually(t, "one to wake", func() bool { return woken.Load() > i })
		for _, c := range calls {
			c.BlockedOrDone()
		}
		if n := woken.Load(); n > i+2 { // a thread that is still on its way into the kernel may be passed over
			t.Errorf("%d events have woken %d of %d", i+1, n, waiters)
		}
	}
	for _, e := range epolls {
		check(t, e.Close())
	}
	for _, c := range calls {
		c.Wait()
	}
}
