//go:build unix || windows

package selectors_test

import (
	"context"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		ka, kb := register(t, sel, a, write, nil), register(t, sel, b, write, nil)
		seen := map[*selectors.SelectorKey]int{}
		for ready, err := range selectors.Events(context.Background(), sel) {
			if err != nil || ready.Events != write {
				t.Fatalf("Events yields %v, %v", ready, err)
			}
			if seen[ready.Key]++; len(seen) == 2 && seen[ready.Key] == 3 {
				break
			}
		}
		if seen[ka] < 2 || seen[kb] < 2 {
			t.Errorf("seen %v", seen)
		}
	})
}

// A key that the loop's body has unregistered or replaced is not handed out any more.
func TestEventsSkips(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, write, nil)
		register(t, sel, b, write, nil)
		other := map[int]int{a: b, b: a}

		var first int
		for ready, err := range selectors.Events(context.Background(), sel) {
			if err != nil {
				t.Fatal(err)
			}
			if first == 0 {
				first = ready.Key.Fd
				unregister(t, sel, other[first])
			} else if ready.Key.Fd != first {
				t.Fatal("a key that is not registered is handed out")
			} else {
				break
			}
		}

		register(t, sel, other[first], write, "old")
		first = 0
		for ready, err := range selectors.Events(context.Background(), sel) {
			if err != nil {
				t.Fatal(err)
			}
			if first == 0 {
				first = ready.Key.Fd
				unregister(t, sel, other[first])
				register(t, sel, other[first], write, "new")
			} else if ready.Key.Fd == other[first] {
				if ready.Key.Data != "new" {
					t.Error("a key that was replaced is handed out")
				}
				break
			}
		}
	})
}

func TestEventsEnds(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, write, nil)
		register(t, sel, b, write, nil)
		loop := func(ctx context.Context, body func()) (n int) {
			for ready, err := range selectors.Events(ctx, sel) {
				if err != nil || ready.Key == nil {
					t.Errorf("Events yields %v, %v", ready, err)
				}
				n++
				body()
			}
			return n
		}
		done, cancel := context.WithCancel(context.Background())
		if n := loop(done, cancel); n != 1 {
			t.Errorf("%d keys, want 1: ctx is done between two of them", n)
		}
		if n := loop(done, func() {}); n != 0 {
			t.Errorf("%d keys, want 0: ctx is done", n)
		}
		unregister(t, sel, b)
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		call := testkit.Go(t, func() { n = loop(ctx, func() { sel.Modify(a, read, nil) }) })
		testkit.Eventually(t, "the key to be modified", func() bool {
			key, err := sel.Key(a)
			return err == nil && key.Events == read
		})
		call.Blocked()
		if err := sel.Wakeup(); err != nil {
			t.Fatal(err)
		}
		call.Blocked()
		cancel()
		call.Wait()
		if n != 1 {
			t.Errorf("%d keys, want 1: a Wakeup is not seen", n)
		}
		call = testkit.Go(t, func() { n = loop(context.Background(), func() {}) }).Blocked()
		if err := sel.Close(); err != nil {
			t.Fatal(err)
		}
		call.Wait()
		if n != 0 {
			t.Errorf("%d keys, want 0: the selector is closed", n)
		}
	})
}

func TestEventsYieldsError(t *testing.T) {
	testkit.NoLeaks(t)
	sel, err := selectors.NewSelectSelector()
	if err != nil {
		t.Fatal(err)
	}
	defer sel.Close()
	a, _ := testkit.Socketpair(t)
	register(t, sel, a, write, nil)
	testkit.Close(t, a)
	n := 0
	for ready, err := range selectors.Events(context.Background(), sel) {
		if n++; ready != (selectors.Ready{}) {
			t.Errorf("Events yields %v with an error", ready)
		}
		wantError(t, err, errBadFd)
	}
	if n != 1 {
		t.Errorf("Events yields %d times, want once", n)
	}
}

// Events works with any BaseSelector.
func TestEventsOfOtherSelector(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, write, nil)
		register(t, sel, b, write, nil)
		n := 0
		for range selectors.Events(context.Background(), struct{ selectors.BaseSelector }{sel}) {
			if n++; n == 1 {
				unregister(t, sel, a)
				unregister(t, sel, b)
				sel.Close()
			}
		}
		if n != 1 {
			t.Errorf("%d keys, want 1", n)
		}
	})
}
