package wait_test

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

func newWatch(t *testing.T, socket int) *wait.Watch {
	t.Helper()
	w, err := wait.NewWatch(socket)
	testkit.Check(t, err)
	t.Cleanup(w.Close)
	return w
}

// await begins and ends a wait.
func await(t *testing.T, w *wait.Watch, event uint16, timeout time.Duration) {
	t.Helper()
	testkit.Check(t, w.Begin(event))
	w.End(event, sys.After(timeout))
}

func TestWatch(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	w := newWatch(t, a)
	await(t, w, sys.Out, testkit.Patience)
	testkit.Duration(t, 10*time.Millisecond, func() { await(t, w, sys.In, 10*time.Millisecond) })
	read := testkit.Go(t, func() { await(t, w, sys.In, testkit.Patience) }).Blocked()
	testkit.Write(t, b, "spam")
	read.Wait()
	testkit.Drain(t, a)
	testkit.Fill(t, a)
	both := []*testkit.Call{
		testkit.Go(t, func() { await(t, w, sys.In, testkit.Patience) }).Blocked(),
		testkit.Go(t, func() { await(t, w, sys.Out, testkit.Patience) }).Blocked(),
	}
	testkit.Drain(t, b)
	both[1].Wait()
	testkit.Write(t, b, "spam")
	both[0].Wait()
}

// A Kick counts for a wait that is to begin.
func TestWatchKick(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := testkit.Socketpair(t)
	w := newWatch(t, a)
	w.Kick()
	await(t, w, sys.In, testkit.Patience)
	call := testkit.Go(t, func() { await(t, w, sys.In, testkit.Patience) }).Blocked()
	w.Kick()
	call.Wait()
}

func TestWatchClose(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := testkit.Socketpair(t)
	w := newWatch(t, a)
	call := testkit.Go(t, func() { await(t, w, sys.In, testkit.Patience) }).Blocked()
	w.Close()
	call.Wait()
	if err := w.Begin(sys.In); err != os.ErrClosed {
		t.Errorf("Begin after Close is %v", err)
	}
	w.Close()
}

// A Watch that has ended a wait is collected like others: the port does not hold on to it.
func TestWatchIsCollected(t *testing.T) {
	a, _ := testkit.Socketpair(t)
	var collected atomic.Bool
	func() {
		w, err := wait.NewWatch(a)
		testkit.Check(t, err)
		runtime.AddCleanup(w, func(collected *atomic.Bool) { collected.Store(true) }, &collected)
		await(t, w, sys.Out, testkit.Patience)
	}()
	testkit.Eventually(t, "the watch to be collected", func() bool {
		runtime.GC()
		return collected.Load()
	})
}

// Who begins to wait while the poll is being cancelled, because nobody waited any more, is not forgotten.
func TestWatchBeginsDuringCancel(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := testkit.Socketpair(t)
	testkit.Fill(t, a)
	w := newWatch(t, a)
	for range 50 {
		testkit.Check(t, w.Begin(sys.Out))
		testkit.Check(t, w.Begin(sys.In)) // the poll is for both now
		w.Kick()
		w.End(sys.In, sys.Never)
		out := testkit.Go(t, func() { w.End(sys.Out, sys.Never) }) // cancels it
		testkit.Check(t, w.Begin(sys.In))
		out.Wait()
		testkit.Write(t, b, "x")
		begin := time.Now()
		w.End(sys.In, sys.After(testkit.Patience))
		if d := time.Since(begin); d >= testkit.Patience {
			t.Fatal("the socket is readable, and End has waited for the deadline")
		}
		testkit.Drain(t, a)
	}
}

// A Close while one direction begins and the other one ends leaves nothing open.
func TestWatchClosesDuringBegin(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := testkit.Socketpair(t)
	testkit.Fill(t, a)
	before := len(testkit.Handles())
	const rounds, others = 200, 20 // threads that Go has started
	for range rounds {
		w := newWatch(t, a)
		testkit.Check(t, w.Begin(sys.In))
		calls := []*testkit.Call{
			testkit.Go(t, func() { w.End(sys.In, sys.Never) }),
			testkit.Go(t, func() {
				if w.Begin(sys.Out) == nil {
					w.End(sys.Out, sys.Never)
				}
			}),
			testkit.Go(t, w.Close),
		}
		for _, call := range calls {
			call.Wait()
		}
	}
	if left := len(testkit.Handles()) - before; left > others {
		t.Errorf("%d handles are left after %d rounds", left, rounds)
	}
}

func TestWatchDoesNotAllocate(t *testing.T) {
	a, _ := testkit.Socketpair(t)
	w := newWatch(t, a)
	testkit.WantAllocs(t, "a wait", 0, func() { await(t, w, sys.Out, time.Hour) })
}
