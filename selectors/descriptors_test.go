//go:build unix || windows

package selectors_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// What happens to descriptors behind the selector's back.

func TestClosedWhileRegistered(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		register(t, sel, b, write, nil)
		testkit.Close(t, a)
		switch {
		case k.strict:
			for _, timeout := range []time.Duration{0, pyselect.Forever} {
				_, err := sel.Select(timeout)
				wantError(t, err, errBadFd, "selectors.select", fmt.Sprint("fd ", a))
			}
		case !k.forgets:
			testkit.NotOn(t, "dragonfly", "events beside that of a descriptor that is not open")
			for range 2 {
				selects(t, sel, pyselect.Forever, a, read, b, write)
			}
		default:
			selects(t, sel, pyselect.Forever, b, write)
		}
		unregister(t, sel, a)
		selects(t, sel, pyselect.Forever, b, write)
	})
}

// A key is for the object that was registered. What gets its number later must not be reported under it.
func TestNumberReused(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		r, w := testkit.Pipe(t)
		register(t, sel, r, read, "old")
		testkit.Close(t, r)
		x, y := testkit.Socketpair(t)
		if x != r {
			t.Skipf("the system has given number %d instead of %d", x, r)
		}
		testkit.Write(t, y, "x")
		if k.forgets {
			selects(t, sel, time.Millisecond)
		}
		unregister(t, sel, r)
		selects(t, sel, time.Millisecond)
		key := register(t, sel, x, read, "new")
		ready, err := sel.Select(pyselect.Forever)
		if err != nil || len(ready) != 1 || ready[0].Key != key {
			t.Errorf("Select returned %v, %v, want the new owner", pairs(ready), err)
		}
		_ = w
	})
}

// A ghost is a descriptor that was closed without being unregistered while a duplicate of it lives on: the kernel goes on
// reporting it, under a number that is nobody's.
func ghost(t *testing.T, sel selectors.BaseSelector) (number int) {
	t.Helper()
	a, b := testkit.Socketpair(t)
	testkit.Write(t, b, "x")
	register(t, sel, a, read, "ghost")
	testkit.Dup(t, a, 0)
	testkit.Close(t, a)
	unregister(t, sel, a)
	return a
}

func TestGhost(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		ghost(t, sel)
		const timeout = 20 * time.Millisecond
		testkit.Duration(t, timeout, func() { selects(t, sel, timeout) })
		ghost(t, sel)
		selects(t, sel, 0)
	})
}

func TestGhostAmongOthers(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		// Registered before and after, ready and not; one that was closed, and whose number somebody else has.
		r, w := testkit.Pipe(t)
		register(t, sel, r, read, nil)
		a, b := testkit.Socketpair(t)
		register(t, sel, a, write, nil)
		ghost(t, sel)
		register(t, sel, b, read|write, nil)
		selects(t, sel, 0, a, write, b, write)
		selects(t, sel, pyselect.Forever, a, write, b, write)
		if _, err := sel.Modify(a, read, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := sel.Modify(b, read, nil); err != nil {
			t.Fatal(err)
		}
		for range 3 { // one event does not fill a buffer that it shares with ghosts
			ghost(t, sel)
			testkit.Write(t, w, "x")
			buf := make([]selectors.Ready, 1)
			if n, err := sel.SelectInto(buf, atOnce(sel)); n != 1 || err != nil || buf[0].Key.Fd != r {
				t.Errorf("SelectInto returned %v, %v, want fd %d", pairs(buf[:n]), err, r)
			}
			testkit.Drain(t, r)
		}
		testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
	})
}

// A ghost does not take the room of a descriptor that is ready.
func TestGhostBeforeOthers(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		for room := 1; room <= 3; room++ {
			ghost(t, sel)
			a, b := testkit.Socketpair(t)
			register(t, sel, a, write, nil)
			register(t, sel, b, write, nil)
			buf := make([]selectors.Ready, room)
			if n, err := sel.SelectInto(buf, atOnce(sel)); n != min(room, 2) || err != nil {
				t.Errorf("SelectInto returned %d keys, %v, want %d", n, err, min(room, 2))
			}
			selects(t, sel, 0, a, write, b, write)
			unregister(t, sel, a)
			unregister(t, sel, b)
		}
	})
}

func TestGhostDuringSelect(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		if !k.forgets {
			t.Skip("a descriptor that is closed may end the wait")
		}
		r, w := testkit.Pipe(t)
		register(t, sel, r, read, nil)
		first, second := beginSelect(t, sel, pyselect.Forever), beginSelect(t, sel, pyselect.Forever)
		x, y := testkit.Socketpair(t)
		register(t, sel, x, read, nil)
		testkit.Dup(t, x, 0)
		testkit.Close(t, x)
		unregister(t, sel, x)
		testkit.Write(t, y, "x")
		selects(t, sel, 0)
		first.Blocked()
		second.Blocked()
		testkit.Write(t, w, "x")
		first.ends(t, r, read)
		second.ends(t, r, read)
	})
}

// When the kernel's set is rebuilt, a descriptor that has left it by being closed does not come back as something else.
func TestGhostAndNumberReused(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		if !k.forgets {
			t.Skip("the number is registered")
		}
		r, _ := testkit.Pipe(t)
		register(t, sel, r, read, "old")
		testkit.Close(t, r)
		x, y := testkit.Socketpair(t)
		if x != r {
			t.Skipf("the system has given number %d instead of %d", x, r)
		}
		testkit.Write(t, y, "x")
		ghost(t, sel)
		testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
	})
}

// A selector that becomes unreachable is closed.
func TestUnreachable(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			before := testkit.OpenFds()
			sel, err := k.create(t)
			if err != nil {
				t.Fatal(err)
			}
			selects(t, sel, time.Microsecond)
			if len(testkit.OpenFds()) == len(before) {
				t.Fatal("the selector has no descriptor")
			}
			runtime.KeepAlive(sel)
			sel = nil
			testkit.Eventually(t, "the selector to be closed", func() bool {
				runtime.GC()
				return slices.Equal(testkit.OpenFds(), before)
			})
		})
	}
}
