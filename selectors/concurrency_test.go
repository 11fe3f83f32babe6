//go:build unix || windows

package selectors_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// A selection is a Select in another goroutine that is waiting.
type selection struct {
	*testkit.Call
	ready []selectors.Ready
	err   error
}

func begin(t *testing.T, call func() ([]selectors.Ready, error)) *selection {
	t.Helper()
	s := new(selection)
	s.Call = testkit.Go(t, func() { s.ready, s.err = call() })
	s.Blocked()
	return s
}

func beginSelect(t *testing.T, sel selectors.BaseSelector, timeout time.Duration) *selection {
	t.Helper()
	return begin(t, func() ([]selectors.Ready, error) { return sel.Select(timeout) })
}

// ends waits for the end of the selection and checks what is ready.
func (s *selection) ends(t *testing.T, want ...any) {
	t.Helper()
	s.Wait()
	if got := pairs(s.ready); s.err != nil || !sameSet(got, want) {
		t.Fatalf("Select returned %v, %v, want %v", got, s.err, want)
	}
}

func TestChangesDuringSelect(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		s := beginSelect(t, sel, pyselect.Forever)
		register(t, sel, a, read, nil)
		s.Blocked()
		if _, err := sel.Modify(a, write, nil); err != nil {
			t.Fatal(err)
		}
		s.ends(t, a, write)

		if _, err := sel.Modify(a, read, nil); err != nil {
			t.Fatal(err)
		}
		s = beginSelect(t, sel, pyselect.Forever)
		unregister(t, sel, a)
		testkit.Write(t, b, "x")
		register(t, sel, b, read, nil)
		testkit.Write(t, a, "x")
		s.ends(t, b, read)
	})
}

// The data of a key can be replaced while a Select waits for it.
func TestReplaceDuringSelect(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, 1)
		s := beginSelect(t, sel, pyselect.Forever)
		key, err := sel.Modify(a, read, 2)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Write(t, b, "x")
		s.ends(t, a, read)
		if s.ready[0].Key != key {
			t.Errorf("the key is %v, want the new one", *s.ready[0].Key)
		}
	})
}

func TestWakeup(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		wakeup := func() {
			t.Helper()
			if err := sel.Wakeup(); err != nil {
				t.Fatal(err)
			}
		}

		// Beforehand: several count as one, and whatever kind of Select is next ends.
		buf := make([]selectors.Ready, 1)
		for _, next := range []func() (int, error){
			func() (int, error) { r, err := sel.Select(pyselect.Forever); return len(r), err },
			func() (int, error) { return sel.SelectInto(buf, time.Hour) },
			func() (int, error) { r, err := sel.SelectContext(context.Background()); return len(r), err },
			func() (int, error) { r, err := sel.Select(0); return len(r), err },
		} {
			wakeup()
			wakeup()
			if n, err := next(); n != 0 || err != nil {
				t.Fatalf("a Select that is woken returned %d, %v", n, err)
			}
			const timeout = 5 * time.Millisecond
			testkit.Duration(t, timeout, func() { selects(t, sel, timeout) })
		}

		// In the meantime.
		s := beginSelect(t, sel, pyselect.Forever)
		wakeup()
		s.ends(t)

		// With what is ready.
		register(t, sel, a, write, nil)
		wakeup()
		selects(t, sel, pyselect.Forever, a, write)
		unregister(t, sel, a)
		register(t, sel, b, read, nil)
		testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
	})
}

// A Wakeup is for the one that waits, not for one that only looks.
func TestWakeupIsNotTakenByLook(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		for range 50 {
			s := beginSelect(t, sel, pyselect.Forever)
			if err := sel.Wakeup(); err != nil {
				t.Fatal(err)
			}
			selects(t, sel, 0)
			s.ends(t)
		}
	})
}

func TestWakeupEndsOne(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		const n = 5
		var ended atomic.Int32
		var calls [n]*testkit.Call
		for i := range calls {
			calls[i] = testkit.Go(t, func() {
				if ready, err := sel.Select(pyselect.Forever); len(ready) != 0 || err != nil {
					t.Errorf("Select returned %v, %v", ready, err)
				}
				ended.Add(1)
			}).Blocked()
		}
		for i := range int32(n) {
			if err := sel.Wakeup(); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "one Select to end", func() bool { return ended.Load() == i+1 })
			for _, c := range calls {
				c.BlockedOrDone()
			}
			if got := ended.Load(); got != i+1 {
				t.Fatalf("after %d wakeups, %d Selects have ended", i+1, got)
			}
		}
	})
}

func TestSelectContext(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		background := context.Background()

		ctx, cancel := context.WithCancel(background)
		s := begin(t, func() ([]selectors.Ready, error) { return sel.SelectContext(ctx) })
		other := beginSelect(t, sel, pyselect.Forever)
		queued, cancelQueued := context.WithCancel(background)
		third := begin(t, func() ([]selectors.Ready, error) { return sel.SelectContext(queued) })
		for _, step := range []struct {
			cancel func()
			s      *selection
		}{{cancel, s}, {cancelQueued, third}} {
			step.cancel()
			step.s.Wait()
			if step.s.err != context.Canceled || len(step.s.ready) != 0 {
				t.Fatalf("SelectContext returned %v, %v", step.s.ready, step.s.err)
			}
		}
		other.Blocked()
		testkit.Write(t, b, "x")
		other.ends(t, a, read)

		// A ctx that is done does not look.
		if ready, err := sel.SelectContext(ctx); err != context.Canceled || len(ready) != 0 {
			t.Errorf("SelectContext returned %v, %v", ready, err)
		}
		if ready, err := sel.SelectContext(background); err != nil || len(ready) != 1 {
			t.Errorf("SelectContext returned %v, %v", ready, err)
		}
		testkit.Drain(t, a)

		const timeout = 10 * time.Millisecond
		testkit.Duration(t, timeout, func() {
			ctx, cancel := context.WithTimeout(background, timeout)
			defer cancel()
			if ready, err := sel.SelectContext(ctx); err != context.DeadlineExceeded || len(ready) != 0 {
				t.Errorf("SelectContext returned %v, %v", ready, err)
			}
		})
	})
}

func TestCloseEndsSelects(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, _ := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		buf := make([]selectors.Ready, 1)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var all []*selection
		for _, call := range []func() ([]selectors.Ready, error){
			func() ([]selectors.Ready, error) { return sel.Select(pyselect.Forever) },
			func() ([]selectors.Ready, error) { return sel.Select(time.Hour) },
			func() ([]selectors.Ready, error) { n, err := sel.SelectInto(buf, time.Hour); return buf[:n], err },
			func() ([]selectors.Ready, error) { return sel.SelectContext(ctx) },
		} {
			for range 3 {
				all = append(all, begin(t, call))
			}
		}
		if err := sel.Close(); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			s.Wait()
			if !errors.Is(s.err, os.ErrClosed) || len(s.ready) != 0 {
				t.Errorf("Select returned %v, %v, want os.ErrClosed", s.ready, s.err)
			}
		}
	})
}

// Each of several Selects has its own timeout.
func TestTimeoutsOfSeveral(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		first := beginSelect(t, sel, pyselect.Forever)
		var wg sync.WaitGroup
		for i := range 10 {
			timeout := time.Duration(1+i%5) * 3 * time.Millisecond
			wg.Go(func() {
				testkit.Duration(t, timeout, func() {
					if ready, err := sel.Select(timeout); len(ready) != 0 || err != nil {
						t.Errorf("Select returned %v, %v", ready, err)
					}
				})
			})
		}
		wg.Wait()
		// A look does not queue behind the one that waits.
		selects(t, sel, 0)
		a, _ := testkit.Socketpair(t)
		register(t, sel, a, write, nil)
		first.ends(t, a, write)
	})
}

// What one Select leaves is for the others.
func TestSelectsShareEvents(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		var all []*selection
		for range 5 {
			all = append(all, beginSelect(t, sel, pyselect.Forever))
		}
		testkit.Write(t, b, "x")
		for _, s := range all {
			s.ends(t, a, read)
		}
	})
}

// What a Select that does not wait takes is also for one that waits.
func TestSelectSharesEventsWithLook(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		for range 20 {
			s := beginSelect(t, sel, pyselect.Forever)
			var stop atomic.Bool
			looks := testkit.Go(t, func() {
				for !stop.Load() {
					if _, err := sel.Select(0); err != nil {
						t.Error(err)
					}
				}
			})
			testkit.Write(t, b, "x")
			stop.Store(true)
			looks.Wait()
			s.ends(t, a, read)
			testkit.Drain(t, a)
		}
	})
}

// Everything at once, for the race detector, with the state checked at the end.
func TestStress(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		const workers, rounds = 4, 200
		stop := make(chan struct{})
		var waiters, changers sync.WaitGroup
		for i := range 3 {
			buf := make([]selectors.Ready, 1+i)
			waiters.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					_, err := sel.SelectInto(buf, time.Duration(i)*100*time.Microsecond)
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var fds [workers]int
		for i := range fds {
			fds[i], _ = testkit.Socketpair(t)
		}
		for _, fd := range fds {
			changers.Go(func() {
				for round := range rounds {
					key, err := sel.Register(fd, read, round)
					if err == nil {
						_, err = sel.Modify(fd, write, round)
					}
					if err == nil {
						_, err = sel.Modify(key.Fileobj, write, -round)
					}
					if err == nil {
						err = sel.Wakeup()
					}
					if err == nil {
						_, err = sel.Unregister(fd)
					}
					if err != nil {
						t.Error(err)
						return
					}
					for key := range sel.Keys() {
						if key.Events == 0 {
							t.Error("a key without events")
						}
					}
				}
			})
		}
		changers.Wait()
		close(stop)
		waiters.Wait()
		if n := sel.Len(); n != 0 {
			t.Errorf("Len is %d, want 0", n)
		}
		selects(t, sel, 0) // takes a Wakeup that is left
		selects(t, sel, time.Millisecond)
	})
}

// Close may come at any time.
func TestCloseRaces(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			a, _ := testkit.Socketpair(t)
			for range 100 {
				sel, err := k.create(t)
				if err != nil {
					t.Fatal(err)
				}
				register(t, sel, a, read, nil)
				var wg sync.WaitGroup
				for i := range 3 {
					wg.Go(func() {
						for {
							if _, err := sel.Select(time.Duration(i) * 50 * time.Microsecond); err != nil {
								if !errors.Is(err, os.ErrClosed) {
									t.Error(err)
								}
								return
							}
						}
					})
				}
				wg.Go(func() {
					for sel.Wakeup() == nil {
						sel.Modify(a, read|write, nil)
						sel.Modify(a, read, nil)
					}
				})
				if err := sel.Close(); err != nil {
					t.Error(err)
				}
				wg.Wait()
			}
		})
	}
}
