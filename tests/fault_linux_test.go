package tests

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/socket"
)

func TestNewEpollFails(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			testkit.NoLeaks(t)
			testkit.Fault{Call: unix.SYS_EPOLL_CREATE1, Errno: errno}.Run(t, func() {
				e, err := pyselect.NewEpoll()
				wantError(t, err, errno, "select.epoll:")
				if e != nil {
					t.Errorf("returned %v beside the error", e)
				}
			})
		})
	}
}

// What the kernel refuses is not done, and can be done later.
func TestEpollChangeFails(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOMEM, unix.ENOSPC} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			testkit.NoLeaks(t)
			a, b := testkit.Socketpair(t)
			testkit.Write(t, b, "x")
			testkit.Write(t, a, "x")
			e := testkit.NewEpoll(t, 0)
			// fails calls op under a fault that concerns a, and lets it pass with b.
			fails := func(ctl int, name string, op func(fd any) error) {
				t.Helper()
				fault := testkit.Fault{
					Call: unix.SYS_EPOLL_CTL, Args: testkit.Args{0: testkit.EpollFd(t, e), 1: ctl, 2: a}, Errno: errno,
				}
				fault.Run(t, func() {
					wantError(t, op(a), errno, name, fmt.Sprintf("fd %d:", a))
					if err := op(b); err != nil {
						t.Error(err)
					}
				})
			}
			register := func(fd any) error { return e.Register(fd, pyselect.EPOLLIN) }
			modify := func(fd any) error { return e.Modify(fd, pyselect.EPOLLOUT) }

			fails(unix.EPOLL_CTL_ADD, "epoll.register", register)
			testkit.WantEpoll(t, e, testkit.EpollIn(b)...)
			wantError(t, e.Unregister(a), unix.ENOENT)
			check(t, register(a))
			testkit.WantEpoll(t, e, testkit.EpollIn(a, b)...)

			fails(unix.EPOLL_CTL_MOD, "epoll.modify", modify)
			out := pyselect.EpollEvent{Fd: b, Events: pyselect.EPOLLOUT}
			testkit.WantEpoll(t, e, testkit.EpollIn(a)[0], out)
			check(t, modify(a))

			fails(unix.EPOLL_CTL_DEL, "epoll.unregister", e.Unregister)
			testkit.WantEpoll(t, e, pyselect.EpollEvent{Fd: a, Events: pyselect.EPOLLOUT})
			check(t, e.Unregister(a))
			testkit.WantEpoll(t, e)
		})
	}
}

// A wait that can open no descriptor of its own goes on without: the program may have forbidden itself more, as sandboxes do.
// epoll_wait(2) and select(2) do not look at this limit, other than poll(2).
func TestWaitsWithoutDescriptors(t *testing.T) {
	for _, way := range slices.Concat(ways, waysToSleep) {
		if strings.HasPrefix(way.name, "Poll") || strings.HasPrefix(way.name, "Devpoll") {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, w := testkit.Pipe(t)
			wait := way.prepare(t, r)
			testkit.NoMoreFds(t, 0)
			for _, timeout := range []time.Duration{50 * time.Microsecond, 3 * time.Millisecond} {
				lateness(t, wait, timeout)
			}
			if strings.HasSuffix(way.name, "of nothing") {
				return
			}
			call := testkit.Go(t, func() {
				if n, err := wait(pyselect.Forever); n != 1 || err != nil {
					t.Errorf("%d ready, %v, want 1", n, err)
				}
			})
			testkit.Write(t, w, "x")
			call.Wait()
		})
	}
	for _, test := range contextWaits {
		if strings.HasPrefix(test.name, "Poll") || strings.HasPrefix(test.name, "Devpoll") {
			continue
		}
		t.Run(test.name+", context", func(t *testing.T) {
			testkit.NoLeaks(t)
			r, _ := testkit.Pipe(t)
			wait := test.wait(t, r)
			testkit.NoMoreFds(t, 0)
			ctx, cancel := context.WithCancel(context.Background())
			call := testkit.Go(t, func() {
				if n, err := wait(ctx); n != 0 || err != context.Canceled {
					t.Errorf("%d ready, %v, want the context's error", n, err)
				}
			}).Blocked()
			cancel()
			call.Wait()
		})
	}
}

// Where Go's poller cannot take the descriptor, a thread waits.
func TestEpollRefusedByPoller(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOMEM, unix.ENOSPC, unix.EINVAL} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			testkit.NoLeaks(t)
			r, w := testkit.Pipe(t)
			e := testkit.NewEpoll(t, 0, r)
			wait := epollWait(e)
			refused := testkit.Fault{
				Call: unix.SYS_EPOLL_CTL, Args: testkit.Args{1: unix.EPOLL_CTL_ADD, 2: testkit.EpollFd(t, e)}, Errno: errno,
			}
			refused.Run(t, func() { lateness(t, wait, 300*time.Microsecond) })
			lateness(t, wait, 3*time.Millisecond)
			first, second := testkit.StartPoll(t, e, pyselect.Forever), testkit.StartPoll(t, e, time.Hour)
			testkit.Write(t, w, "x")
			first.Want(t, testkit.EpollIn(r)...)
			second.Want(t, testkit.EpollIn(r)...)
			testkit.Drain(t, r)
			last := testkit.StartPoll(t, e, pyselect.Forever)
			check(t, e.Close())
			last.WantClosed(t)
		})
	}
}

// A wait whose system call fails neither spins nor hangs, and does no harm to the next one.
func TestWaitFails(t *testing.T) {
	for _, way := range slices.Concat(ways, waysToSleep) {
		call, name := uintptr(unix.SYS_PPOLL), "poll.poll: "
		timeouts := []time.Duration{time.Millisecond, 20 * time.Millisecond, pyselect.Forever}
		switch {
		case strings.Contains(way.name, "second waiter"):
			continue // its wait is not for the kernel
		case strings.HasPrefix(way.name, "Select"):
			call, name = unix.SYS_PSELECT6, "select.select: "
		case strings.HasPrefix(way.name, "Epoll"):
			call, name = unix.SYS_EPOLL_PWAIT, "epoll.poll: "
		}
		if strings.HasSuffix(way.name, "together") && !strings.HasPrefix(way.name, "Epoll") {
			timeouts = timeouts[:2] // it calls when something is ready or the time is over
		}
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM, unix.ENOMEM} {
			t.Run(way.name+"/"+unix.ErrnoName(errno), func(t *testing.T) {
				testkit.NoLeaks(t)
				r, w := testkit.Pipe(t)
				wait := way.prepare(t, r)
				testkit.Fault{Call: call, Errno: errno}.Run(t, func() {
					for _, timeout := range timeouts {
						n, err := wait(timeout)
						wantError(t, err, errno, name)
						if n != 0 {
							t.Errorf("%v: %d ready beside the error", timeout, n)
						}
					}
				})
				lateness(t, wait, time.Millisecond)
				if strings.HasSuffix(way.name, "of nothing") {
					return
				}
				testkit.Write(t, w, "x")
				if n, err := wait(pyselect.Forever); n != 1 || err != nil {
					t.Errorf("%d ready, %v, want 1", n, err)
				}
			})
		}
	}
}

func TestEpollLookFails(t *testing.T) {
	testkit.EachWay(t, func(t *testing.T) {
		r, w := testkit.Pipe(t)
		e := testkit.NewEpoll(t, 0, r)
		wait := epollWait(e)
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
			// Go's poller has another descriptor.
			fault := testkit.Fault{Call: unix.SYS_EPOLL_PWAIT, Args: testkit.Args{0: testkit.EpollFd(t, e)}, Errno: errno}
			testkit.Write(t, w, "x")
			fault.Run(t, func() {
				for _, timeout := range []time.Duration{0, pyselect.Forever} { // others may use epoll_pwait2
					n, err := wait(timeout)
					wantError(t, err, errno, "epoll.poll")
					if n != 0 {
						t.Errorf("%v: %d ready beside the error", timeout, n)
					}
				}
			})
			testkit.WantEpoll(t, e, testkit.EpollIn(r)...)
			testkit.Drain(t, r)
			lateness(t, wait, time.Millisecond)
		}
	})
}

// What a look has found is not lost if the kernel then does not say what else there is.
func TestEpollLookFailsInTheMiddle(t *testing.T) {
	testkit.NoLeaks(t)
	const all = 100
	e := testkit.NewEpoll(t, 0)
	for _, fd := range testkit.Eventfds(t, all, all) {
		check(t, e.Register(fd, pyselect.EPOLLIN))
	}
	fault := testkit.Fault{Call: unix.SYS_EPOLL_PWAIT, Args: testkit.Args{2: all - sys.Few}, Errno: unix.ENOSYS}
	fault.Run(t, func() {
		events, err := e.Poll(0, -1)
		check(t, err)
		if len(events) != sys.Few {
			t.Errorf("%d are ready, want %d", len(events), sys.Few)
		}
	})
}

// Old or small kernels lack some system calls, and sandboxes refuse them. Waits do without.
func TestWaitsWithoutSystemCalls(t *testing.T) {
	const env, name = "PYSELECT_TEST_WITHOUT", "TestWaitsWithoutSystemCalls"
	faults := map[string]testkit.Fault{}
	for call, number := range map[string]uintptr{
		"epoll_pwait2": unix.SYS_EPOLL_PWAIT2, "timerfd_create": unix.SYS_TIMERFD_CREATE, "timerfd_settime": unix.SYS_TIMERFD_SETTIME,
	} {
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
			faults[call+" "+unix.ErrnoName(errno)] = testkit.Fault{Call: number, Errno: errno}
		}
	}
	fault, inChild := faults[os.Getenv(env)]
	if !inChild { // Go's runtime and the package have threads of their own, which must not have it either
		for setting := range faults {
			t.Run(setting, func(t *testing.T) { runItself(t, name, env+"="+setting) })
		}
		return
	}
	fault.RunEverywhere(t, func() {
		testkit.Go(t, func() {
			if _, _, errno := unix.Syscall6(fault.Call, 0, 0, 0, 0, 0, 0); errno != fault.Errno {
				t.Errorf("the call is not refused: %v", errno)
			}
		}).Wait()
		if fault.Call == unix.SYS_EPOLL_PWAIT2 { // which is not needed to wait less than a millisecond
			TestWaitTakesItsTime(t)
			return
		}
		for _, way := range slices.Concat(ways, waysToSleep) {
			r, w := testkit.Pipe(t)
			wait := way.prepare(t, r)
			testkit.Go(t, func() {
				for _, timeout := range []time.Duration{300 * time.Microsecond, 3 * time.Millisecond} {
					lateness(t, wait, timeout)
				}
				if strings.HasSuffix(way.name, "of nothing") {
					return
				}
				testkit.Write(t, w, "x")
				if n, err := wait(pyselect.Forever); n != 1 || err != nil {
					t.Errorf("%s: %d ready, %v, want 1", way.name, n, err)
				}
			}).Wait()
		}
		wait.Force.Store(0)
		testkit.Crowd(t, 300, 16, func(own, common int) func() (int, error) {
			wait := selectWait(own, common)
			return func() (int, error) { return wait(pyselect.Forever) }
		})
		a, _, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0)
		check(t, err)
		check(t, a.Settimeout(3*time.Millisecond))
		testkit.Go(t, func() {
			_, err := a.Recv(make([]byte, 1))
			wantError(t, err, os.ErrDeadlineExceeded)
		}).Wait()
	})
}

// runItself runs a test in a process of its own, with a setting in its environment.
func runItself(t *testing.T, name, setting string) {
	t.Helper()
	out, err := testkit.Itself(t, setting, "-test.v", "-test.run=^"+name+"$").CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Skipf("no program can be started: %v", err)
	}
	switch {
	case err != nil:
		t.Errorf("%v:\n%s", err, out)
	case bytes.Contains(out, []byte("\n--- SKIP")):
		t.Skipf("in a process of its own:\n%s", out)
	case !bytes.Contains(out, []byte("\n--- PASS: "+name)):
		t.Errorf("the test did not run:\n%s", out)
	}
}
