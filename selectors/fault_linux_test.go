package selectors_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

func TestNewSelectorFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		number uintptr
		create func() (selectors.BaseSelector, error)
	}{
		{"SelectSelector", unix.SYS_EVENTFD2, func() (selectors.BaseSelector, error) { return selectors.NewSelectSelector() }},
		{"PollSelector", unix.SYS_EVENTFD2, func() (selectors.BaseSelector, error) { return selectors.NewPollSelector() }},
		{"EpollSelector", unix.SYS_EPOLL_CREATE1, func() (selectors.BaseSelector, error) { return selectors.NewEpollSelector() }},
		{"EpollSelector", unix.SYS_EPOLL_CREATE1, func() (selectors.BaseSelector, error) { return selectors.NewDefaultSelector() }},
	} {
		for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
			t.Run(test.name+"/"+unix.ErrnoName(errno), func(t *testing.T) {
				testkit.NoLeaks(t)
				testkit.Fault{Call: test.number, Errno: errno}.Run(t, func() {
					_, err := test.create()
					wantError(t, err, errno, "selectors."+test.name+": ")
				})
			})
		}
	}
}

func newEpollSelector(t *testing.T) *selectors.EpollSelector {
	t.Helper()
	testkit.NoLeaks(t)
	sel, err := selectors.NewEpollSelector()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sel.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return sel
}

// epollOf returns the number of the selector's epoll.
func epollOf(t *testing.T, sel *selectors.EpollSelector) int {
	t.Helper()
	fd, err := sel.Fileno()
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// isUnregistered checks that the selector knows no more than the other descriptor, and that neither does the kernel.
func isUnregistered(t *testing.T, sel selectors.BaseSelector, fd, other int) {
	t.Helper()
	_, err := sel.Key(fd)
	wantError(t, err, selectors.ErrNotRegistered)
	_, err = sel.Unregister(fd)
	wantError(t, err, selectors.ErrNotRegistered)
	if keys := slices.Collect(sel.Keys()); sel.Len() != 1 || len(keys) != 1 || keys[0].Fd != other {
		t.Errorf("Len is %d, Keys are %v, want fd %d alone", sel.Len(), keys, other)
	}
	const timeout = 3 * time.Millisecond
	testkit.Duration(t, timeout, func() { selects(t, sel, timeout) })
}

var changeErrnos = []unix.Errno{unix.ENOMEM, unix.ENOSPC}

func TestRegisterFails(t *testing.T) {
	for _, errno := range changeErrnos {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			sel := newEpollSelector(t)
			a, b := testkit.Socketpair(t)
			testkit.Write(t, b, "x")
			testkit.Fault{
				Call: unix.SYS_EPOLL_CTL, Args: testkit.Args{0: epollOf(t, sel), 1: unix.EPOLL_CTL_ADD, 2: a}, Errno: errno,
			}.Run(t, func() {
				_, err := sel.Register(a, read, nil)
				wantError(t, err, errno, "selectors.register", fmt.Sprintf("fd %d:", a))
				if _, err := sel.Register(b, read, nil); err != nil {
					t.Error(err)
				}
			})
			isUnregistered(t, sel, a, b)
			register(t, sel, a, read, nil)
			selects(t, sel, pyselect.Forever, a, read)
		})
	}
}

func TestModifyFails(t *testing.T) {
	for _, test := range []struct {
		name string
		args testkit.Args
	}{
		{"MOD", testkit.Args{1: unix.EPOLL_CTL_MOD}},
		{"MOD and DEL", testkit.Args{}}, // the kernel's set has it still
	} {
		for _, errno := range changeErrnos {
			t.Run(test.name+"/"+unix.ErrnoName(errno), func(t *testing.T) {
				sel := newEpollSelector(t)
				a, b := testkit.Socketpair(t)
				register(t, sel, a, read, nil)
				register(t, sel, b, read, nil)
				test.args[0], test.args[2] = epollOf(t, sel), a
				testkit.Fault{Call: unix.SYS_EPOLL_CTL, Args: test.args, Errno: errno}.Run(t, func() {
					if _, err := sel.Modify(a, read, "data"); err != nil {
						t.Errorf("the kernel need not know new data: %v", err)
					}
					key, err := sel.Modify(a, read|write, nil)
					wantError(t, err, errno, "selectors.modify", fmt.Sprintf("fd %d:", a))
					if key != nil {
						t.Errorf("a key beside the error: %v", *key)
					}
				})
				testkit.Write(t, b, "x")
				isUnregistered(t, sel, a, b)
				register(t, sel, a, write, nil)
				selects(t, sel, pyselect.Forever, a, write)
			})
		}
	}
}

// That the kernel does not remove a descriptor is not told, and is made good.
func TestUnregisterFails(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("registered again %t", again), func(t *testing.T) {
			sel := newEpollSelector(t)
			a, b := testkit.Socketpair(t)
			register(t, sel, a, read|write, nil)
			register(t, sel, b, read, nil)
			testkit.Fault{
				Call: unix.SYS_EPOLL_CTL, Args: testkit.Args{1: unix.EPOLL_CTL_DEL}, Errno: unix.ENOMEM,
			}.Run(t, func() {
				if _, err := sel.Unregister(a); err != nil {
					t.Error(err)
				}
			})
			if again {
				register(t, sel, a, read, nil)
				testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
				testkit.Write(t, b, "x")
				selects(t, sel, pyselect.Forever, a, read)
				return
			}
			isUnregistered(t, sel, a, b)
			testkit.Write(t, a, "x")
			selects(t, sel, pyselect.Forever, b, read)
		})
	}
}

// While the kernel's set cannot be rebuilt, the old one stays, and waits go on.
func TestRebuildFails(t *testing.T) {
	for _, test := range []struct {
		name  string
		call  uintptr
		errno unix.Errno
	}{
		{"epoll_create1", unix.SYS_EPOLL_CREATE1, unix.EMFILE},
		{"epoll_create1", unix.SYS_EPOLL_CREATE1, unix.ENOMEM},
		{"epoll_ctl", unix.SYS_EPOLL_CTL, unix.ENOMEM},
		{"epoll_ctl", unix.SYS_EPOLL_CTL, unix.ENOSPC}, // both sets count for max_user_watches
	} {
		t.Run(test.name+"/"+unix.ErrnoName(test.errno), func(t *testing.T) {
			sel := newEpollSelector(t)
			a, b := testkit.Socketpair(t)
			register(t, sel, b, read, nil)
			register(t, sel, a, read, nil)
			selects(t, sel, time.Millisecond) // opens what it needs to wait
			ghost(t, sel)
			fault := testkit.Fault{Call: test.call, Errno: test.errno}
			if test.call == unix.SYS_EPOLL_CTL {
				fault.Args = testkit.Args{1: unix.EPOLL_CTL_ADD, 2: a}
			}
			before, open := epollOf(t, sel), testkit.OpenFds()
			fault.Run(t, func() {
				for _, timeout := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
					testkit.Duration(t, timeout, func() {
						if ready, err := sel.Select(timeout); len(ready) > 0 || err != nil {
							t.Errorf("Select returned %v, %v", pairs(ready), err)
						}
					})
				}
				if _, err := unix.Write(b, []byte("x")); err != nil {
					t.Error(err)
				}
				for range 3 {
					ready, err := sel.Select(pyselect.Forever)
					if got := pairs(ready); err != nil || !sameSet(got, []any{a, read}) {
						t.Errorf("Select returned %v, %v, want fd %d", got, err, a)
					}
				}
			})
			if now := testkit.OpenFds(); !slices.Equal(now, open) || epollOf(t, sel) != before {
				t.Errorf("%v are open, want %v", now, open)
			}
			testkit.Drain(t, a)
			testkit.Eventually(t, "the set to be rebuilt", func() bool { // after a share of the time that the attempts have taken
				testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
				return epollOf(t, sel) != before
			})
			testkit.Write(t, a, "x")
			selects(t, sel, pyselect.Forever, b, read)
		})
	}
}

// A Select that can open no descriptor of its own goes on without.
func TestSelectWithoutDescriptors(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		if k.emulated {
			t.Skip("it gives poll(2) more entries than that")
		}
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		testkit.NoMoreFds(t, sel.Len()) // for more entries than that, poll(2) returns an error
		testkit.Duration(t, 3*time.Millisecond, func() { selects(t, sel, 3*time.Millisecond) })
		s := beginSelect(t, sel, pyselect.Forever)
		if err := sel.Wakeup(); err != nil {
			t.Fatal(err)
		}
		s.ends(t)
		s = beginSelect(t, sel, pyselect.Forever)
		testkit.Write(t, b, "x")
		s.ends(t, a, read)
		testkit.Drain(t, a)
		s = beginSelect(t, sel, time.Hour)
		if err := sel.Close(); err != nil {
			t.Fatal(err)
		}
		s.Wait()
		wantError(t, s.err, os.ErrClosed)
	})
}

// Where Go's poller cannot take the descriptor, a thread waits.
func TestSelectRefusedByPoller(t *testing.T) {
	sel := newEpollSelector(t)
	a, b := testkit.Socketpair(t)
	register(t, sel, a, read, nil)
	testkit.Fault{
		Call: unix.SYS_EPOLL_CTL, Args: testkit.Args{1: unix.EPOLL_CTL_ADD, 2: epollOf(t, sel)}, Errno: unix.ENOMEM,
	}.Run(t, func() {
		const timeout = 300 * time.Microsecond
		testkit.Duration(t, timeout, func() {
			if ready, err := sel.Select(timeout); len(ready) > 0 || err != nil {
				t.Errorf("Select returned %v, %v", pairs(ready), err)
			}
		})
	})
	s := beginSelect(t, sel, pyselect.Forever)
	if err := sel.Wakeup(); err != nil {
		t.Fatal(err)
	}
	s.ends(t)
	first, second := beginSelect(t, sel, pyselect.Forever), beginSelect(t, sel, time.Hour)
	testkit.Write(t, b, "x")
	first.ends(t, a, read)
	second.ends(t, a, read)
	testkit.Drain(t, a)
	s = beginSelect(t, sel, pyselect.Forever)
	if err := sel.Close(); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	wantError(t, s.err, os.ErrClosed)
}

// A Select whose system call fails neither spins nor hangs, and does no harm to the next one.
func TestSelectFails(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		a, b := testkit.Socketpair(t)
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM, unix.ENOMEM} {
			fault := testkit.Fault{Call: unix.SYS_PPOLL, Errno: errno}
			timeouts := []time.Duration{time.Millisecond, 20 * time.Millisecond, pyselect.Forever}
			if strings.HasSuffix(k.name, "together") && !k.kernel {
				timeouts = timeouts[:2] // the system calls are made when something is ready or the time is over
			}
			if k.name == "epoll in the kernel" {
				timeouts = timeouts[2:] // the others use epoll_pwait2
			}
			register(t, sel, a, read, nil)
			epoll, isEpoll := sel.(*selectors.EpollSelector)
			switch {
			case isEpoll: // Go's poller has another descriptor
				fault = testkit.Fault{Call: unix.SYS_EPOLL_PWAIT, Args: testkit.Args{0: epollOf(t, epoll)}, Errno: errno}
				testkit.Write(t, b, "x") // the call fetches what is ready, and does not wait for it
			case k.strict:
				fault.Call = unix.SYS_PSELECT6
			}
			fault.Run(t, func() {
				for _, timeout := range timeouts {
					ready, err := sel.Select(timeout)
					wantError(t, err, errno, "selectors.select: ")
					if len(ready) > 0 {
						t.Errorf("ready beside the error: %v", pairs(ready))
					}
				}
			})
			if isEpoll {
				testkit.Drain(t, a)
			}
			testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
			s := beginSelect(t, sel, pyselect.Forever)
			testkit.Write(t, b, "x")
			s.ends(t, a, read)
			testkit.Drain(t, a)
			unregister(t, sel, a)
		}
	})
}

// What the kernel cannot watch is refused as a whole.
func TestRegisterUnwatchable(t *testing.T) {
	sel := newEpollSelector(t)
	r, _ := testkit.Pipe(t)
	register(t, sel, r, read, nil)
	for _, name := range []string{testkit.File(t).Name(), t.TempDir(), os.DevNull} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = sel.Register(f, read, nil)
		wantError(t, err, unix.EPERM, "selectors.register", "fd ")
		_, err = sel.Key(f)
		wantError(t, err, selectors.ErrNotRegistered)
		isUnregistered(t, sel, int(f.Fd()), r)
	}
}
