//go:build unix || windows

package selectors_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
	"github.com/pyselect/pyselect/selectors"
)

var (
	check     = testkit.Check
	wantError = testkit.WantError
)

const (
	read  = selectors.EventRead
	write = selectors.EventWrite
)

// A kind is one way to get a selector. What the tests must know of it stands here.
type kind struct {
	name     string
	create   func(t *testing.T) (selectors.BaseSelector, error)
	force    func(t *testing.T) // makes the next waits block as is the kind's way; may be nil
	ordered  bool               // reports in the order of registration
	noFiles  bool               // refuses regular files
	strict   bool               // fails while a descriptor is registered that is not open
	kernel   bool               // the kernel keeps the set: it refuses what cannot be watched
	forgets  bool               // the kernel's set forgets what is closed, and can itself be watched, unless it is hidden
	hidden   bool               // has no descriptor
	strays   bool               // may report the next owner of a number while a duplicate of what is closed is open
	emulated bool               // by an emulation of the kernel, which allocates, and gives all descriptors to poll(2)
}

var selectKind = kind{
	name:    "select",
	create:  func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewSelectSelector() },
	ordered: true, strict: true,
}

// blocking returns the kind with all waits blocking in one way.
func (k kind) blocking(way wait.Way, name string) kind {
	k.name += name
	k.force = func(t *testing.T) { testkit.Force(t, way) }
	create := k.create
	k.create = func(t *testing.T) (selectors.BaseSelector, error) {
		k.force(t)
		return create(t)
	}
	return k
}

// needsBrokenPipes skips the test where the kernel does not report the writing end of a pipe without a reader, or not if the pipe was
// full when it was registered.
func (k kind) needsBrokenPipes(t *testing.T, full bool) {
	t.Helper()
	if k.name == selectKind.name {
		testkit.NotOn(t, "dragonfly", "news of a pipe without a reader in select(2)")
	}
	if k.kernel && full {
		testkit.NotOn(t, "netbsd", "news of a full pipe that loses its reader in kqueue(2)")
	}
}

// each runs a test with an empty selector of every kind.
func each(t *testing.T, test func(t *testing.T, sel selectors.BaseSelector, k kind)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			sel, err := k.create(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := sel.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			test(t, sel, k)
		})
	}
}

func register(t *testing.T, sel selectors.BaseSelector, fileobj any, events selectors.Event, data any) *selectors.SelectorKey {
	t.Helper()
	key, err := sel.Register(fileobj, events, data)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func unregister(t *testing.T, sel selectors.BaseSelector, fileobj any) *selectors.SelectorKey {
	t.Helper()
	key, err := sel.Unregister(fileobj)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// lags reports whether a selector may be told a moment late of what has happened, and of one thing after the other.
var lags = func(selectors.BaseSelector) bool { return false }

// atOnce returns the timeout of a Select that is to find what has just happened.
func atOnce(sel selectors.BaseSelector) time.Duration {
	if lags(sel) {
		return testkit.Patience
	}
	return 0
}

// selects calls Select and checks what is ready, in any order: pairs of descriptor and events.
func selects(t *testing.T, sel selectors.BaseSelector, timeout time.Duration, want ...any) {
	t.Helper()
	ready, err := sel.Select(timeout)
	for end := time.Now().Add(testkit.Patience); lags(sel) && len(want) > 0 && !sameSet(pairs(ready), want) && time.Now().Before(end); {
		ready, err = sel.Select(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := pairs(ready); !sameSet(got, want) {
		t.Fatalf("Select returned %v, want %v", got, want)
	}
}

func pairs(ready []selectors.Ready) (pairs []any) {
	for _, r := range ready {
		pairs = append(pairs, r.Key.Fd, r.Events)
	}
	return pairs
}

func sameSet(got, want []any) bool {
	sorted := func(pairs []any) string {
		var s []string
		for i := 0; i+1 < len(pairs); i += 2 {
			s = append(s, fmt.Sprint(pairs[i:i+2]))
		}
		slices.Sort(s)
		return strings.Join(s, " ")
	}
	return sorted(got) == sorted(want)
}

// A fileobj has a descriptor until it is closed.
type fileobj struct {
	fd     int
	closed bool
}

var errGone = errors.New("gone")

func (f *fileobj) Fileno() (int, error) {
	if f.closed {
		return -1, errGone
	}
	return f.fd, nil
}

func TestDefaultSelector(t *testing.T) {
	testkit.NoLeaks(t)
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		t.Fatal(err)
	}
	a, _ := testkit.Socketpair(t)
	register(t, sel, a, write, nil)
	selects(t, sel, pyselect.Forever, a, write)
	if err := sel.Close(); err != nil {
		t.Error(err)
	}
}

func TestEventString(t *testing.T) {
	for event, want := range map[selectors.Event]string{
		read: "EventRead", write: "EventWrite", read | write: "EventRead|EventWrite", 0: "Event(0x0)", 9: "Event(0x9)",
	} {
		if got := event.String(); got != want {
			t.Errorf("String of %d is %q, want %q", uint8(event), got, want)
		}
	}
}

func TestRegister(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		obj := &fileobj{fd: a}
		key := register(t, sel, obj, read, "data")
		if want := (selectors.SelectorKey{Fileobj: obj, Fd: a, Events: read, Data: "data"}); *key != want {
			t.Errorf("key is %v, want %v", *key, want)
		}

		for _, events := range []selectors.Event{0, 4, 8, read | 4, 255} {
			_, err := sel.Register(b, events, nil)
			wantError(t, err, os.ErrInvalid, "selectors.register", events.String())
		}
		_, err := sel.Register(-1, read, nil)
		wantError(t, err, os.ErrInvalid, "selectors.register", "-1")
		_, err = sel.Register("b", read, nil)
		wantError(t, err, pyselect.ErrNotWaitable, "selectors.register", "string")
		_, err = sel.Register(&fileobj{closed: true}, read, nil)
		wantError(t, err, errGone, "selectors.register")
		for _, again := range []any{obj, a, &fileobj{fd: a}} {
			_, err = sel.Register(again, write, nil)
			wantError(t, err, selectors.ErrRegistered, "selectors.register", fmt.Sprint("fd ", a))
		}
		if n := sel.Len(); n != 1 {
			t.Errorf("Len is %d, want 1", n)
		}
	})
}

// As in Python, an object that was closed while it was registered is still registered.
func TestRegisterClosedAgain(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, _ := testkit.Socketpair(t)
		obj := &fileobj{fd: a}
		register(t, sel, obj, read, nil)
		obj.closed = true
		_, err := sel.Register(obj, read, nil)
		wantError(t, err, selectors.ErrRegistered, "selectors.register", fmt.Sprint("fd ", a))
		unregister(t, sel, obj)
		_, err = sel.Register(obj, read, nil)
		wantError(t, err, errGone, "selectors.register")
	})
}

func TestRegisterRefusedByKernel(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		r, _ := testkit.Pipe(t)
		testkit.Close(t, r)
		_, err := sel.Register(r, read, nil)
		if !k.kernel {
			if err != nil {
				t.Errorf("a closed descriptor is refused: %v", err)
			}
			return
		}
		wantError(t, err, errBadFd, "selectors.register", fmt.Sprint("fd ", r))
		if n := sel.Len(); n != 0 {
			t.Errorf("Len is %d, want 0", n)
		}
	})
}

func TestUnregister(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		key := register(t, sel, a, write, nil)
		register(t, sel, b, write, nil)
		selects(t, sel, 0, a, write, b, write)
		if got := unregister(t, sel, a); got != key {
			t.Errorf("Unregister returned %v, want %v", got, key)
		}
		selects(t, sel, 0, b, write)
		_, err := sel.Unregister(a)
		wantError(t, err, selectors.ErrNotRegistered, "selectors.unregister", fmt.Sprint("fd ", a))
		_, err = sel.Unregister("a")
		wantError(t, err, selectors.ErrNotRegistered)
		wantError(t, err, pyselect.ErrNotWaitable)
		register(t, sel, a, write, nil)
		selects(t, sel, 0, a, write, b, write)
	})
}

func TestModify(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		obj := &fileobj{fd: a}
		first := register(t, sel, obj, read, 1)
		register(t, sel, b, read, nil)

		second, err := sel.Modify(a, write, 2)
		if err != nil {
			t.Fatal(err)
		}
		if *second != (selectors.SelectorKey{Fileobj: obj, Fd: a, Events: write, Data: 2}) {
			t.Errorf("Modify returned %v", *second)
		}
		selects(t, sel, 0, a, write)
		third, err := sel.Modify(obj, write, 3)
		if err != nil {
			t.Fatal(err)
		}
		if third == second || third.Data != 3 || second.Data != 2 || first.Data != 1 || first.Events != read {
			t.Errorf("keys are %v, %v, %v", *first, *second, *third)
		}
		if ready, err := sel.Select(0); err != nil || len(ready) != 1 || ready[0].Key != third {
			t.Errorf("Select returned %v, %v, want the last key", ready, err)
		}
		if got := slices.Collect(sel.Keys()); len(got) != 2 || got[0] != third {
			t.Errorf("Modify did not keep the place: %v", got)
		}

		for _, events := range []selectors.Event{0, 8} {
			_, err = sel.Modify(a, events, nil)
			wantError(t, err, os.ErrInvalid, "selectors.modify", events.String())
		}
		if key, err := sel.Key(a); err != nil || key != third {
			t.Errorf("after a Modify that failed, Key returned %v, %v", key, err)
		}
		selects(t, sel, 0, a, write)
		for _, step := range []struct {
			events selectors.Event
			wants  []any
		}{{read | write, []any{a, write}}, {read, nil}} {
			_, err = sel.Modify(a, step.events, nil)
			check(t, err)
			selects(t, sel, 0, step.wants...)
		}
		unregister(t, sel, a)
		_, err = sel.Modify(a, read, nil)
		wantError(t, err, selectors.ErrNotRegistered, "selectors.modify", fmt.Sprint("fd ", a))
	})
}

func TestModifyRefusedByKernel(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		if !k.kernel {
			t.Skip("the kernel is not asked")
		}
		a, _ := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		testkit.Close(t, a)
		if _, err := sel.Modify(a, read, "data only"); err != nil {
			t.Errorf("new data for a closed descriptor: %v", err)
		}
		_, err := sel.Modify(a, write, nil)
		wantError(t, err, errBadFd, "selectors.modify", fmt.Sprint("fd ", a))
		_, err = sel.Key(a)
		wantError(t, err, selectors.ErrNotRegistered)
		if n := sel.Len(); n != 0 {
			t.Errorf("Len is %d, want 0", n)
		}
	})
}

// An uncomparable object cannot be compared with ==.
type uncomparable struct {
	fd     int
	closed []bool
}

func (u uncomparable) Fileno() (int, error) {
	if u.closed[0] {
		return 0, errGone
	}
	return u.fd, nil
}

func TestLookup(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		obj := &fileobj{fd: a}
		odd := uncomparable{b, []bool{false}}
		key, oddKey := register(t, sel, obj, read, nil), register(t, sel, odd, read, nil)
		want := func(key *selectors.SelectorKey, fileobjs ...any) {
			t.Helper()
			for _, o := range fileobjs {
				if got, err := sel.Key(o); err != nil || got != key {
					t.Errorf("Key(%v) returned %v, %v, want %v", o, got, err, key)
				}
			}
		}
		want(key, obj, a, uintptr(a), &fileobj{fd: a})
		want(oddKey, odd, b)

		obj.closed = true
		want(key, obj, a)
		_, err := sel.Key(uncomparable{b, []bool{true}})
		wantError(t, err, selectors.ErrNotRegistered)
		wantError(t, err, errGone)
		_, err = sel.Key(&fileobj{closed: true})
		wantError(t, err, selectors.ErrNotRegistered)
		for _, o := range []any{nil, 1 << 20, math.MaxInt32, "a", -1, []int{a}, func() {}} {
			_, err := sel.Key(o)
			wantError(t, err, selectors.ErrNotRegistered)
		}
		if got, err := sel.Modify(obj, write, nil); err != nil || got.Fileobj != obj {
			t.Errorf("Modify of a closed object: %v, %v", got, err)
		}
		unregister(t, sel, obj)
	})
}

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		var fds []int
		for range 10 {
			a, b := testkit.Socketpair(t)
			fds = append(fds, a, b)
		}
		slices.Reverse(fds)
		for _, fd := range fds {
			register(t, sel, fd, read, nil)
		}
		unregister(t, sel, fds[3])
		register(t, sel, fds[3], read, nil)
		moved := fds[3]
		fds = append(slices.Delete(fds, 3, 4), moved)
		order := func() (got []int) {
			for key := range sel.Keys() {
				got = append(got, key.Fd)
			}
			return got
		}
		if got := order(); !slices.Equal(got, fds) || sel.Len() != len(fds) {
			t.Errorf("Keys are %v, want %v", got, fds)
		}
		for key := range sel.Keys() {
			unregister(t, sel, key.Fileobj)
			if key.Fd == fds[5] {
				break
			}
		}
		if got := order(); !slices.Equal(got, fds[6:]) {
			t.Errorf("Keys are %v, want %v", got, fds[6:])
		}
	})
}

func TestSelect(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read|write, nil)
		register(t, sel, b, read, nil)
		selects(t, sel, 0, a, write)
		selects(t, sel, pyselect.Forever, a, write)
		testkit.Write(t, b, "x")
		selects(t, sel, time.Hour, a, read|write)
		testkit.Write(t, a, "x")
		selects(t, sel, -1, a, read|write, b, read)
		testkit.Drain(t, a)
		testkit.Fill(t, a)
		selects(t, sel, 0, b, read)
		testkit.Drain(t, b)
		testkit.Close(t, b)
		unregister(t, sel, b)
		selects(t, sel, 0, a, read|write)
	})
}

// Hanging up and errors surface as what was asked for, and as nothing else.
func TestHangUp(t *testing.T) {
	for _, events := range []selectors.Event{read, write, read | write} {
		t.Run(events.String(), func(t *testing.T) {
			each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
				a, b := testkit.Socketpair(t)
				testkit.Close(t, b)
				register(t, sel, a, events, nil)
				selects(t, sel, pyselect.Forever, a, events)

				r, w := testkit.Pipe(t)
				unregister(t, sel, a)
				if events == read {
					testkit.Close(t, w)
					register(t, sel, r, read, nil)
					selects(t, sel, pyselect.Forever, r, read)
				} else {
					k.needsBrokenPipes(t, true)
					testkit.Fill(t, w)
					register(t, sel, w, write, nil)
					testkit.Close(t, r)
					selects(t, sel, pyselect.Forever, w, write)
				}
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		r, _ := testkit.Pipe(t)
		for range 2 { // with nothing to wait for, and with something
			for _, timeout := range []time.Duration{math.MinInt64, -1, 0, 1, 100 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond} {
				testkit.Duration(t, timeout, func() { selects(t, sel, timeout) })
			}
			if sel.Len() == 0 {
				register(t, sel, r, read, nil)
			}
		}
	})
}

func TestSelectOutlastsSignals(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		r, w := testkit.Pipe(t)
		register(t, sel, r, read, nil)
		testkit.Signals(t)
		for _, timeout := range []time.Duration{50 * time.Microsecond, time.Millisecond, 2300 * time.Microsecond, 20 * time.Millisecond} {
			for range 5 {
				testkit.Duration(t, timeout, func() { selects(t, sel, timeout) })
			}
		}
		s := beginSelect(t, sel, pyselect.Forever)
		testkit.Write(t, w, "x")
		s.ends(t, r, read)
	})
}

func TestSelectInto(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		_, err := sel.SelectInto(nil, 0)
		wantError(t, err, os.ErrInvalid, "selectors.select", "empty")

		const n = 5
		var fds []int
		for range n {
			fd, _ := testkit.Socketpair(t)
			register(t, sel, fd, write, nil)
			fds = append(fds, fd)
		}
		if !k.ordered {
			slices.Sort(fds) // a number may be lower than that of the socket before
		}
		next := func(size int) (got []int) {
			t.Helper()
			ready := make([]selectors.Ready, size)
			n, err := sel.SelectInto(ready, pyselect.Forever)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range ready[:n] {
				got = append(got, r.Key.Fd)
			}
			return got
		}
		// What did not fit comes next.
		var got []int
		for _, size := range []int{2, 2, 1} {
			got = append(got, next(size)...)
		}
		if !k.ordered {
			slices.Sort(got)
		}
		if !slices.Equal(got, fds) {
			t.Errorf("small buffers had %v, want %v", got, fds)
		}
		for _, size := range []int{n, n + 1, 1000} {
			got := next(size)
			if !k.ordered {
				slices.Sort(got)
			}
			if !slices.Equal(got, fds) {
				t.Errorf("a buffer of %d had %v, want %v", size, got, fds)
			}
		}
		if k.ordered {
			next(2)
			unregister(t, sel, fds[2])
			if got, want := next(2), fds[3:5]; !slices.Equal(got, want) {
				t.Errorf("after the next one is gone, a buffer had %v, want %v", got, want)
			}
		}
	})
}

func TestClose(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		a, _ := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		for range 2 {
			if err := sel.Close(); err != nil {
				t.Fatal(err)
			}
		}
		done, cancel := context.WithCancel(context.Background())
		cancel()
		calls := map[string]func() error{
			"Register":              func() error { _, err := sel.Register(a, read, nil); return err },
			"Register bad events":   func() error { _, err := sel.Register(a, 0, nil); return err },
			"Register unwaitable":   func() error { _, err := sel.Register("a", read, nil); return err },
			"Unregister":            func() error { _, err := sel.Unregister(a); return err },
			"Unregister unwaitable": func() error { _, err := sel.Unregister("a"); return err },
			"Modify":                func() error { _, err := sel.Modify(a, read, nil); return err },
			"Modify bad events":     func() error { _, err := sel.Modify(a, 8, nil); return err },
			"Key":                   func() error { _, err := sel.Key(a); return err },
			"Select":                func() error { _, err := sel.Select(pyselect.Forever); return err },
			"Select 0":              func() error { _, err := sel.Select(0); return err },
			"SelectInto":            func() error { _, err := sel.SelectInto(make([]selectors.Ready, 1), pyselect.Forever); return err },
			"SelectInto empty":      func() error { _, err := sel.SelectInto(nil, pyselect.Forever); return err },
			"SelectContext":         func() error { _, err := sel.SelectContext(context.Background()); return err },
			"SelectContext done":    func() error { _, err := sel.SelectContext(done); return err },
			"Wakeup":                sel.Wakeup,
		}
		if s, ok := sel.(interface{ Fileno() (int, error) }); ok {
			calls["Fileno"] = func() error { _, err := s.Fileno(); return err }
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s: error is %v, want os.ErrClosed", name, err)
			}
		}
		if n, keys := sel.Len(), slices.Collect(sel.Keys()); n != 0 || len(keys) != 0 {
			t.Errorf("Len is %d, Keys are %v, want nothing", n, keys)
		}
		for range selectors.Events(context.Background(), sel) {
			t.Error("Events yields something")
		}
	})
}

func TestFileno(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		inner, ok := sel.(interface{ Fileno() (int, error) })
		if want := k.kernel && !k.hidden; ok != want {
			t.Fatalf("has Fileno: %v, want %v", ok, want)
		}
		if !k.forgets || k.hidden {
			return
		}
		outer, err := selectors.NewSelectSelector()
		if err != nil {
			t.Fatal(err)
		}
		defer outer.Close()
		r, w := testkit.Pipe(t)
		register(t, sel, r, read, nil)
		key := register(t, outer, inner, read, nil)
		selects(t, outer, 0)
		testkit.Write(t, w, "x")
		selects(t, outer, pyselect.Forever, key.Fd, read)

		for _, events := range []selectors.Event{read | write, read} { // on some systems, a pipe can be written to at both ends
			_, err = sel.Modify(r, events, nil)
			check(t, err)
		}
		selects(t, sel, pyselect.Forever, r, read)
		fd, err := inner.Fileno()
		check(t, err)
		if fd != key.Fd {
			t.Errorf("Fileno has changed from %d to %d", key.Fd, fd)
		}
	})
}

// crowd checks that so many selectors of a kind, each with a goroutine that waits, add no more than so many threads.
func crowd(t *testing.T, k kind, size, threads int) {
	t.Helper()
	testkit.NoLeaks(t)
	testkit.Crowd(t, size, threads, func(own, common int) func() (int, error) {
		sel, err := k.create(t)
		check(t, err)
		t.Cleanup(func() { check(t, sel.Close()) })
		register(t, sel, own, read, nil)
		register(t, sel, common, read, nil)
		return func() (int, error) {
			ready, err := sel.Select(pyselect.Forever)
			return len(ready), err
		}
	})
}

func TestThousands(t *testing.T) {
	const most = 5000
	testkit.NeedFds(t, most+100)
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		n := most
		if testkit.OnWine() && lags(sel) {
			n = 2000 // Wine goes through all that wait for one socket whenever one of them does something
		}
		if k.strict {
			testkit.NotEmulated(t, "select above 1024 descriptors")
		}
		r, w := testkit.Pipe(t)
		fds := []int{r}
		for len(fds) < n {
			fds = append(fds, testkit.Dup(t, r, 0))
		}
		for _, fd := range fds {
			register(t, sel, fd, read, fd)
		}
		selects(t, sel, time.Millisecond)
		testkit.Write(t, w, "x")
		ready, err := sel.Select(pyselect.Forever)
		for lags(sel) && err == nil && len(ready) < n {
			ready, err = sel.Select(pyselect.Forever)
		}
		if err != nil || len(ready) != n {
			t.Fatalf("%d are ready, want %d; %v", len(ready), n, err)
		}
		for _, r := range ready {
			if r.Key.Data != r.Key.Fd || r.Events != read {
				t.Fatalf("ready is %v with key %v", r.Events, *r.Key)
			}
		}
		for _, fd := range fds[1:] {
			unregister(t, sel, fd)
		}
		selects(t, sel, 0, r, read)
	})
}

func TestAllocations(t *testing.T) {
	if testkit.RaceDetector() {
		t.Skip("under the race detector, a sync.Pool forgets at random")
	}
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		if k.emulated {
			t.Skip("it allocates")
		}
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, nil)
		register(t, sel, b, write, nil)
		buf := make([]selectors.Ready, 4)
		var err error
		allocations := func(want float64, what string, f func()) {
			t.Helper()
			if got := testing.AllocsPerRun(50, f); got != want || err != nil {
				t.Errorf("%s allocates %v times, want %v; %v", what, got, want, err)
			}
		}
		allocations(0, "SelectInto", func() { _, err = sel.SelectInto(buf, pyselect.Forever) })
		allocations(1, "Select", func() { _, err = sel.Select(0) })
		unregister(t, sel, b)
		allocations(0, "a look that finds nothing", func() { _, err = sel.Select(0) })
		allocations(0, "a wait that finds nothing", func() { _, err = sel.Select(50 * time.Microsecond) })
		allocations(0, "a longer wait that finds nothing", func() { _, err = sel.Select(2500 * time.Microsecond) })
	})
}
