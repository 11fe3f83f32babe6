//go:build unix || windows

package sys_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

var check = testkit.Check

// An ask is a call that waits for a list of entries.
type ask struct {
	name string
	call func([]sys.PollFd, sys.Deadline) (int, error)
}

var asks = []ask{{"Select", sys.Select}}

// found checks what is ready now, after the entries have said something else.
func (a ask) found(t *testing.T, fds []sys.PollFd, want ...uint16) {
	t.Helper()
	ready := 0
	for i := range fds {
		if sys.SetFound(&fds[i], 1<<15); want[i] != 0 {
			ready++
		}
	}
	if n, err := a.call(fds, sys.After(testkit.Patience)); n != ready || err != nil {
		t.Fatalf("%s: %d ready, %v, want %d", a.name, n, err, ready)
	}
	for i, f := range fds {
		if uint16(f.Revents) != want[i] {
			t.Errorf("%s: entry %d: found %#x, want %#x", a.name, i, f.Revents, want[i])
		}
	}
}

// sockets returns one that is readable and writable, and one that is neither.
func sockets(t *testing.T) (ready, idle int) {
	ready, peer := testkit.Socketpair(t)
	testkit.Write(t, peer, "x")
	idle, _ = testkit.Socketpair(t)
	testkit.Fill(t, idle)
	return ready, idle
}

func closed(t *testing.T, fd, least int) int {
	fd = testkit.Dup(t, fd, least)
	testkit.Close(t, fd)
	return fd
}

func needFds(t *testing.T, n int) {
	if testkit.NeedFds(t, n+100); n > 1000 {
		testkit.NotEmulated(t, "select above 1024 descriptors")
	}
}

func TestFinds(t *testing.T) {
	const in, out, pri = sys.In, sys.Out, sys.Pri
	for _, least := range []int{0, 63, 64, 1023, 1024, 2500} {
		t.Run(fmt.Sprint("from ", least), func(t *testing.T) {
			testkit.NoLeaks(t)
			needFds(t, least)
			ready, idle := sockets(t)
			a, b := testkit.Dup(t, ready, least), testkit.Dup(t, idle, least)
			for _, ask := range asks {
				ask.found(t, []sys.PollFd{ // the same descriptors again and again
					sys.Entry(b, in|out), sys.Entry(a, in), sys.Entry(a, out), sys.Entry(a, in|out|pri), sys.Entry(a, pri), sys.Entry(b, 0),
				}, 0, in, out, in|out, 0, 0)
				ask.found(t, []sys.PollFd{sys.Entry(a, in)}, in)

				// Nothing is left of what has been asked for.
				testkit.Duration(t, time.Millisecond, func() {
					if n, err := ask.call([]sys.PollFd{sys.Entry(idle, in), sys.Entry(b, out)}, sys.After(time.Millisecond)); n != 0 || err != nil {
						t.Errorf("%s: %d ready, %v", ask.name, n, err)
					}
				})
			}
		})
	}
}

func TestFindsAmongMany(t *testing.T) {
	testkit.NoLeaks(t)
	const n = 1100
	needFds(t, n)
	ready, idle := sockets(t)
	fds, want := make([]sys.PollFd, n), make([]uint16, n)
	for i := range fds {
		fd := idle
		if i%100 == 7 {
			fd, want[i] = ready, sys.In|sys.Out
		}
		fds[i] = sys.Entry(testkit.Dup(t, fd, 0), sys.In|sys.Out)
	}
	for _, ask := range asks {
		ask.found(t, fds, want...)
	}
}

func TestSelectClosed(t *testing.T) {
	testkit.NoLeaks(t)
	needFds(t, 1500)
	a, _ := sockets(t)
	check(t, sys.Probe(a))
	bads := []int{closed(t, a, 0), 1 << 20, math.MaxInt32}
	if runtime.GOOS != "windows" {
		bads = append(bads, closed(t, a, 70), closed(t, a, 1500))
	}
	for _, bad := range bads {
		var errno syscall.Errno
		if !errors.As(sys.Probe(bad), &errno) || errno != syscall.EBADF && runtime.GOOS != "windows" {
			t.Errorf("fd %d: Probe has found %v", bad, errno)
		}
		for _, fds := range [][]sys.PollFd{
			{sys.Entry(bad, sys.In)}, {sys.Entry(a, sys.In), sys.Entry(bad, sys.Out)}, {sys.Entry(bad, sys.Pri), sys.Entry(a, sys.In)},
		} {
			if n, err := sys.Select(fds, sys.After(testkit.Patience)); n != 0 || !errors.Is(err, errno) {
				t.Errorf("fd %d: %d ready, %v, want %v", bad, n, err, errno)
			}
		}
		asks[0].found(t, []sys.PollFd{sys.Entry(a, sys.In)}, sys.In)
	}
}

// sleeps checks that a wait for nothing ends with its deadline, whatever signals arrive.
func sleeps(t *testing.T, name string, wait func(sys.Deadline) (int, error)) {
	t.Helper()
	for _, signals := range []bool{false, true} {
		t.Run(fmt.Sprintf("%s, signals: %t", name, signals), func(t *testing.T) {
			testkit.NoLeaks(t)
			all := []time.Duration{0, 50, 999, 1000, 1001, 5000}
			if signals {
				testkit.Signals(t)
				all = append(all, 200_000) // longer than the time between two signals
			}
			for _, usec := range all {
				timeout := usec*time.Microsecond + 1
				took := testkit.Duration(t, timeout, func() {
					if n, err := wait(sys.After(timeout)); n != 0 || err != nil {
						t.Errorf("%v: %d ready, %v", timeout, n, err)
					}
				})
				if took > generous {
					t.Errorf("%v: took %v", timeout, took)
				}
			}
		})
	}
}

// In a bubble of testing/synctest, no time passes for package time as long as a goroutine is in a system call.
func TestSleepsInABubble(t *testing.T) {
	_, idle := sockets(t)
	for _, ask := range asks {
		t.Run(ask.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, w := testkit.Socketpair(t)
			testkit.Go(t, func() {
				synctest.Test(t, func(t *testing.T) {
					go ask.call([]sys.PollFd{sys.Entry(r, sys.In)}, sys.Never)
					for _, timeout := range []time.Duration{5 * time.Millisecond, 500 * time.Microsecond} { // the first lets the other one begin
						if n, err := ask.call([]sys.PollFd{sys.Entry(idle, sys.In)}, sys.After(timeout)); n != 0 || err != nil {
							t.Errorf("%d ready, %v", n, err)
						}
					}
					testkit.Write(t, w, "x")
				})
			}).Wait()
		})
	}
}

func TestSleeps(t *testing.T) {
	_, idle := sockets(t)
	for _, ask := range asks {
		sleeps(t, ask.name+" of nothing", func(d sys.Deadline) (int, error) { return ask.call(nil, d) })
		sleeps(t, ask.name, func(d sys.Deadline) (int, error) { return ask.call([]sys.PollFd{sys.Entry(idle, sys.In|sys.Out)}, d) })
	}
}
