//go:build unix || windows

package sys_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

func TestWaker(t *testing.T) {
	testkit.NoLeaks(t)
	var wakers [2]*sys.Waker
	var fds []sys.PollFd
	for i := range wakers {
		w, err := sys.NewWaker()
		check(t, err)
		defer w.Close()
		wakers[i], fds = w, append(fds, sys.Entry(w.Fd(), sys.In))
	}
	w := wakers[1]
	for _, ask := range asks {
		for _, wakes := range []int{0, 1, 2, 1000} {
			for range wakes {
				w.Wake()
			}
			if wakes > 0 {
				ask.found(t, fds, 0, sys.In)
				ask.found(t, fds, 0, sys.In) // until Drain
			}
			testkit.Eventually(t, "all that was sent to be drained", func() bool { // on Windows, some may still be under way
				w.Drain()
				n, err := ask.call(fds, sys.Now)
				check(t, err)
				return n == 0
			})
		}
		call := testkit.Go(t, func() { ask.found(t, fds, 0, sys.In) }).Blocked()
		w.Wake()
		call.Wait()
		w.Drain()
	}
}

// Nor is one closed again that has been closed, when another one has its descriptor.
func TestUnreachableWakerIsClosed(t *testing.T) {
	testkit.NoLeaks(t)
	newWaker := func() *sys.Waker {
		w, err := sys.NewWaker()
		check(t, err)
		return w
	}
	newWaker().Close()
	kept := newWaker()
	defer kept.Close()
	before := testkit.OpenFds()
	newWaker()
	testkit.Eventually(t, "the end of a waker", func() bool {
		runtime.GC()
		return slices.Equal(testkit.OpenFds(), before)
	})
}
