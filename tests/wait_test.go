//go:build linux

package tests

import (
	"errors"
	"math"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

// A waitFunc waits and returns how many descriptors are ready.
type waitFunc func(timeout time.Duration) (n int, err error)

// A way to wait, with a function that prepares to wait until fd is readable.
type way struct {
	name    string
	prepare func(t *testing.T, fd int) waitFunc
}

var ways = slices.Concat(
	blocking("", 0, selectWay, pollWay, epollWay, secondWay),
	blocking(", in the kernel", wait.InKernel, selectWay, pollWay, epollWay, secondWay),
	blocking(", parked", wait.Parked, epollWay, secondWay),
	blocking(", together", wait.Together, selectWay, pollWay, epollWay, secondWay),
)

var (
	selectWay = way{"Select", func(_ *testing.T, fd int) waitFunc { return selectWait(fd) }}
	pollWay   = way{"Poll", func(t *testing.T, fd int) waitFunc { return pollWait(testkit.NewPoll(t, fd)) }}
	epollWay  = way{"Epoll", func(t *testing.T, fd int) waitFunc { return epollWait(testkit.NewEpoll(t, 0, fd)) }}
	secondWay = way{"Epoll, second waiter", secondWait}
)

// blocking returns the ways with all waits blocking in one of package wait's.
func blocking(name string, how wait.Way, ways ...way) (forced []way) {
	for _, w := range ways {
		forced = append(forced, way{w.name + name, func(t *testing.T, fd int) waitFunc {
			testkit.Force(t, how)
			return w.prepare(t, fd)
		}})
	}
	return forced
}

var waysToSleep = []way{
	{"Select of nothing", func(*testing.T, int) waitFunc { return selectWait() }},
	{"Poll of nothing", func(t *testing.T, _ int) waitFunc { return pollWait(testkit.NewPoll(t)) }},
	{"Epoll of nothing", func(t *testing.T, _ int) waitFunc { return epollWait(testkit.NewEpoll(t, 0)) }},
}

func selectWait(fds ...int) waitFunc {
	return func(timeout time.Duration) (int, error) {
		r, w, x, err := pyselect.Select(fds, nil, fds, timeout)
		return len(r) + len(w) + len(x), err
	}
}

func pollWait(p *pyselect.Poll) waitFunc {
	return func(timeout time.Duration) (int, error) {
		events, err := p.Poll(timeout)
		return len(events), err
	}
}

func epollWait(e *pyselect.Epoll) waitFunc {
	return func(timeout time.Duration) (int, error) {
		events, err := e.Poll(timeout, -1)
		return len(events), err
	}
}

// secondWait prepares to wait while another goroutine waits with the same Epoll.
func secondWait(t *testing.T, fd int) waitFunc {
	e := testkit.NewEpoll(t, 0, fd)
	first := testkit.StartPoll(t, e, pyselect.Forever)
	t.Cleanup(func() {
		check(t, e.Close())
		first.Wait()
	})
	return epollWait(e)
}

// lateness returns how much longer than the timeout a wait takes, and checks that it is not shorter and finds nothing.
func lateness(t *testing.T, wait waitFunc, timeout time.Duration) time.Duration {
	t.Helper()
	return testkit.Duration(t, timeout, func() {
		if n, err := wait(timeout); n != 0 || err != nil {
			t.Errorf("%v: %d ready, %v", timeout, n, err)
		}
	}) - timeout
}

func TestWaitTakesItsTime(t *testing.T) {
	for _, way := range slices.Concat(ways, waysToSleep) {
		t.Run(way.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, _ := testkit.Pipe(t)
			wait := way.prepare(t, r)
			for _, timeout := range []time.Duration{
				0, 1, 50 * time.Microsecond, 300 * time.Microsecond, time.Millisecond,
				1700 * time.Microsecond, 2300 * time.Microsecond, 20 * time.Millisecond,
			} {
				// With Go's timers alone all would be nearly a millisecond late. On a busy machine most are anyway.
				const exact, least, most = 500 * time.Microsecond, 10, 1000
				best := time.Duration(math.MaxInt64)
				for i := 0; i < least || best >= exact && i < most; i++ {
					best = min(best, lateness(t, wait, timeout))
				}
				if best >= exact {
					t.Errorf("%v: all waits are at least %v late", timeout, best)
				}
			}
		})
	}
}

func TestWaitOutlastsSignals(t *testing.T) {
	for _, way := range slices.Concat(ways, waysToSleep) {
		t.Run(way.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, _ := testkit.Pipe(t)
			wait := way.prepare(t, r)
			testkit.Signals(t)
			for _, timeout := range []time.Duration{50 * time.Microsecond, time.Millisecond, 2300 * time.Microsecond, 20 * time.Millisecond} {
				for range 5 {
					lateness(t, wait, timeout)
				}
			}
		})
	}
}

func TestWaitEndsWhenReadyDespiteSignals(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, w := testkit.Pipe(t)
			wait := way.prepare(t, r)
			testkit.Signals(t)
			var n int
			var err error
			call := testkit.Go(t, func() { n, err = wait(pyselect.Forever) }).Blocked()
			testkit.Write(t, w, "x")
			call.Wait()
			if n != 1 || err != nil {
				t.Errorf("%d ready, %v, want 1", n, err)
			}
		})
	}
}

func TestWaitEndsWhenReady(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			for _, timeout := range []time.Duration{
				time.Hour, pyselect.Forever / 2, pyselect.Forever - 1, pyselect.Forever, -1, -time.Hour, math.MinInt64,
			} {
				if timeout < 0 && strings.HasPrefix(way.name, "Select") {
					continue // which refuses it
				}
				r, w := testkit.Pipe(t)
				wait := way.prepare(t, r)
				var n int
				var err error
				call := testkit.Go(t, func() { n, err = wait(timeout) }).Blocked()
				testkit.Write(t, w, "x")
				call.Wait()
				if n != 1 || err != nil {
					t.Errorf("%v: %d ready, %v, want 1", timeout, n, err)
				}
			}
		})
	}
}

// A goroutine that waits occupies no thread.
func TestEpollWaitersOccupyNoThreads(t *testing.T) {
	const waiters, newThreads = 10_000, 16
	testkit.NeedFds(t, waiters+200)
	for _, test := range []struct {
		name     string
		timeout  time.Duration
		together bool // all have the same deadline
		want     error
	}{
		{"Close", pyselect.Forever, false, os.ErrClosed},
		{"timeout of 1 ms", time.Millisecond, false, nil},
		{"timeout of 50 ms", 50 * time.Millisecond, false, nil},
		{"one deadline", 500 * time.Millisecond, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			epolls := make([]*pyselect.Epoll, waiters)
			for i := range epolls {
				epolls[i] = testkit.NewEpoll(t, 0)
			}
			threads := pprof.Lookup("threadcreate").Count()
			begin := make(chan struct{})
			var start time.Time
			var all sync.WaitGroup
			for _, e := range epolls {
				all.Go(func() {
					<-begin
					timeout, called := test.timeout, time.Now()
					if test.together {
						timeout = max(0, timeout-called.Sub(start))
					}
					events, err := e.Poll(timeout, -1)
					took := time.Since(called)
					if len(events) > 0 || !errors.Is(err, test.want) || err == nil && took < timeout {
						t.Errorf("after %v: %v, %v", took, events, err)
					}
				})
			}
			start = time.Now()
			close(begin)
			if test.want != nil {
				testkit.Eventually(t, "the goroutines to wait", func() bool { return testkit.Parked() >= waiters })
				for _, e := range epolls {
					check(t, e.Close())
				}
			}
			all.Wait()
			if created := pprof.Lookup("threadcreate").Count() - threads; created > newThreads {
				t.Errorf("%d threads were created, want no more than %d", created, newThreads)
			}
		})
	}
}

// Nor does one of a crowd that waits in select or poll, or one of more epolls than Go's poller may watch for one file.
func TestCrowdsOccupyNoThreads(t *testing.T) {
	for _, test := range []struct {
		name    string
		size    int
		threads int
		prepare func(t *testing.T, own, common int) waitFunc
	}{
		{"Select", 3000, 16, func(_ *testing.T, own, common int) waitFunc { return selectWait(own, common) }},
		{"Poll", 3000, 16, func(t *testing.T, own, common int) waitFunc { return pollWait(testkit.NewPoll(t, own, common)) }},
		{"Epoll", 3000, 16, func(t *testing.T, own, _ int) waitFunc { return epollWait(testkit.NewEpoll(t, 0, own)) }},
		{"Epoll, with one file of all", 2000, 32, func(t *testing.T, own, common int) waitFunc { return epollWait(testkit.NewEpoll(t, 0, own, common)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			testkit.Crowd(t, test.size, test.threads, func(own, common int) func() (int, error) {
				wait := test.prepare(t, own, common)
				return func() (int, error) { return wait(pyselect.Forever) }
			})
		})
	}
}

// Somebody who waits for a hang-up alone is not passed over when somebody else is woken.
func TestTogetherForHangUp(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Force(t, wait.Together)
	a, b := testkit.Socketpair(t)
	silent, reader := pyselect.NewPoll(), testkit.NewPoll(t, a)
	check(t, silent.Register(a, 0))
	wants := func(p *pyselect.Poll, events pyselect.PollMask) *testkit.Call {
		return testkit.Go(t, func() {
			found, err := p.Poll(pyselect.Forever)
			check(t, err)
			testkit.Equal(t, "ready", found, pyselect.PollEvent{Fd: a, Events: events})
		}).Blocked()
	}
	hangup, read := wants(silent, pyselect.POLLHUP), wants(reader, pyselect.POLLIN)
	testkit.Write(t, b, "x")
	read.Wait()
	hangup.Blocked()
	testkit.Close(t, b)
	hangup.Wait()
}

// A descriptor that has hung up is not exceptional. Many who ask only for that wait without threads all the same.
func TestHungUpOccupiesNoThreads(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	testkit.Close(t, b)
	testkit.Crowd(t, 200, 16, func(own, common int) func() (int, error) {
		return func() (int, error) {
			r, _, x, err := pyselect.Select([]int{own, common}, nil, []int{a}, pyselect.Forever)
			return len(r) + len(x), err
		}
	})
}

// A loop that has been alone is one of many later.
func TestLonersOccupyNoThreads(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Crowd(t, 200, 16, func(own, common int) func() (int, error) {
		e := testkit.NewEpoll(t, 0, own, common)
		for range 40 {
			if _, err := e.Poll(time.Microsecond, -1); err != nil {
				t.Error(err)
			}
		}
		return func() (int, error) { return epollWait(e)(pyselect.Forever) }
	})
}

// In a bubble of testing/synctest, the clock of package time stands still while a goroutine is in a system call. A wait is for
// the kernel's clock, and leaves nothing running that the bubble would have to wait for.
func TestBubble(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			r, w := testkit.Pipe(t)
			wait := way.prepare(t, r)
			testkit.Go(t, func() {
				synctest.Test(t, func(t *testing.T) {
					for _, timeout := range []time.Duration{time.Microsecond, 300 * time.Microsecond, 5 * time.Millisecond} {
						realDuration(t, timeout, func() {
							if n, err := wait(timeout); n != 0 || err != nil {
								t.Errorf("%v: %d ready, %v", timeout, n, err)
							}
						})
					}
					testkit.Write(t, w, "x")
					if n, err := wait(time.Hour); n != 1 || err != nil {
						t.Errorf("%d ready, %v, want 1", n, err)
					}
				})
			}).Wait()
		})
	}
}

// realDuration is testkit.Duration by the kernel's clock.
func realDuration(t *testing.T, least time.Duration, f func()) {
	t.Helper()
	var begin, end unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &begin)
	f()
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &end)
	if took := time.Duration(end.Nano() - begin.Nano()); took < least {
		t.Errorf("took %v, want at least %v", took, least)
	}
}
