package selectors_test

import (
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// Every event of a file of every kind arrives.
func TestSpecialFiles(t *testing.T) {
	for _, file := range testkit.Specials {
		t.Run(file.Name, func(t *testing.T) {
			each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
				idle, _ := testkit.Pipe(t)
				register(t, sel, idle, read, nil)
				selects(t, sel, 1) // an epoll has parked, and cannot any more
				f := file.Open(t)
				if f.Events != unix.POLLIN {
					return // Python's selectors have no event for it
				}
				register(t, sel, f.Fd, read, nil)
				rounds := 3
				if f.Reset == nil {
					rounds = 1
				}
				for range rounds {
					if f.Reset != nil {
						f.Reset()
					}
					if f.Thread {
						f.Cause()
						selects(t, sel, testkit.Patience, f.Fd, read)
						continue
					}
					s := beginSelect(t, sel, testkit.Patience)
					f.Cause()
					s.ends(t, f.Fd, read)
				}
				unregister(t, sel, f.Fd)
			})
		})
	}
}

// What a small buffer had no room for is not asked for again: the file may answer once only.
func TestSmallBufferLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		var files []*testkit.Once
		var fds []int
		for range 3 {
			f := testkit.OpenOnce(t)
			register(t, sel, f.Fd, read, nil)
			files, fds = append(files, f), append(fds, f.Fd)
		}
		for _, f := range files {
			f.Cause()
		}
		var got []int
		for range files {
			var buf [1]selectors.Ready
			n, err := sel.SelectInto(buf[:], pyselect.Forever)
			if n != 1 || err != nil {
				t.Fatalf("%d ready, %v", n, err)
			}
			got = append(got, buf[0].Key.Fd)
		}
		if slices.Sort(got); !slices.Equal(got, fds) {
			t.Errorf("%v were ready, want %v", got, fds)
		}
		selects(t, sel, 0)
	})
}

// What the kernel has reported arrives although something else has been changed since.
func TestChangeDuringReport(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		other, _ := testkit.Pipe(t)
		var ready atomic.Bool
		changes := make(chan *testkit.Call, 1)
		f := testkit.OpenFuse(t, func() bool {
			if !ready.Swap(false) {
				return false
			}
			change := testkit.Go(t, func() { register(t, sel, other, read, nil) })
			if !k.kernel { // a change of the kernel's set waits for the answer
				change.Wait()
			}
			changes <- change
			return true
		})
		first, _ := testkit.Pipe(t)
		register(t, sel, first, read, nil)
		key := register(t, sel, f.Fd, read, nil)
		s := beginSelect(t, sel, testkit.Patience)
		unregister(t, sel, first) // others move up
		s.Blocked()
		ready.Store(true)
		f.Notify()
		s.ends(t, key.Fd, read)
		(<-changes).Wait()
	})
}
