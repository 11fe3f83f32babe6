//go:build unix

package selectors_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

var pollKind = kind{
	name:    "poll",
	create:  func(*testing.T) (selectors.BaseSelector, error) { return selectors.NewPollSelector() },
	ordered: true,
}

// errBadFd is the system's error for a descriptor that is not open.
const errBadFd = unix.EBADF

func TestRegularFile(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		f := testkit.File(t)
		key, err := sel.Register(f, read|write, nil)
		if k.noFiles {
			wantError(t, err, unix.EPERM, "selectors.register", "fd ")
			selects(t, sel, 0)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		selects(t, sel, pyselect.Forever, key.Fd, read|write)
	})
}

// The number of a ghost can be registered anew: by another file, or by the same one.
func TestNumberOfGhost(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		number := ghost(t, sel)
		r, w := testkit.Pipe(t)
		if r != number {
			if err := unix.Dup2(r, number); err != nil {
				t.Fatal(err)
			}
			defer unix.Close(number)
		}
		register(t, sel, number, read, "new")
		testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
		testkit.Write(t, w, "x")
		selects(t, sel, pyselect.Forever, number, read)
		testkit.Drain(t, r)
		unregister(t, sel, number)

		a, b := testkit.Socketpair(t)
		register(t, sel, a, read, "old")
		dup := testkit.Dup(t, a, 0)
		testkit.Close(t, a)
		unregister(t, sel, a)
		if err := unix.Dup2(dup, a); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(a)
		key := register(t, sel, a, read|write, "new")
		selects(t, sel, pyselect.Forever, a, write)
		testkit.Write(t, b, "x")
		ready, err := sel.Select(pyselect.Forever)
		if err != nil || len(ready) != 1 || ready[0].Key != key || ready[0].Events != read|write {
			t.Errorf("Select returned %v, %v", pairs(ready), err)
		}
	})
}

// A registered object is not closed by the garbage collector.
func TestObjectsAreKeptAlive(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		client, server := testkit.TCPPair(t)
		file, err := server.File()
		if err != nil {
			t.Fatal(err)
		}
		key := register(t, sel, file, read, nil)
		file = nil
		for range 3 {
			runtime.GC()
		}
		client.Write([]byte("x"))
		selects(t, sel, pyselect.Forever, key.Fd, read)
		defer unregister(t, sel, key.Fileobj).Fileobj.(interface{ Close() error }).Close()
	})
}

// The kernel may report only once that the reading end of a pipe is closed.
func TestHangUpDuringSelect(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		k.needsBrokenPipes(t, true)
		for range 50 {
			r, w := testkit.Pipe(t)
			testkit.Fill(t, w)
			register(t, sel, w, write, nil)
			s := beginSelect(t, sel, pyselect.Forever)
			testkit.Close(t, r)
			s.ends(t, w, write)
			unregister(t, sel, w)
			testkit.Close(t, w)
		}
	})
}

// The writing end of a pipe without a reader is ready, as long as it is registered for that.
func TestBrokenPipe(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		for _, late := range []bool{false, true} { // the reader closes before the writer is registered, or after
			k.needsBrokenPipes(t, late)
			r, w := testkit.Pipe(t)
			testkit.Fill(t, w)
			idle, _ := testkit.Socketpair(t)
			register(t, sel, idle, read, nil)
			broken := func(wants ...any) {
				t.Helper()
				for range 3 {
					selects(t, sel, pyselect.Forever, wants...)
				}
			}
			change := func(fd int, events selectors.Event) {
				t.Helper()
				_, err := sel.Modify(fd, events, nil)
				check(t, err)
			}
			if late {
				register(t, sel, w, write, nil)
				selects(t, sel, 0)
				testkit.Close(t, r)
			} else {
				testkit.Close(t, r)
				s := beginSelect(t, sel, pyselect.Forever)
				register(t, sel, w, write, nil)
				s.ends(t, w, write)
			}
			broken(w, write)
			change(idle, write)
			broken(idle, write, w, write)
			change(idle, read)
			change(w, read|write)
			ready, err := sel.Select(pyselect.Forever) // what is said of reading is different on each system
			if err != nil || len(ready) != 1 || ready[0].Events&write == 0 {
				t.Errorf("Select returned %v, %v", pairs(ready), err)
			}
			change(w, read)
			change(w, write)
			broken(w, write)
			unregister(t, sel, w)
			selects(t, sel, 0)
			register(t, sel, w, write, nil)
			broken(w, write)
			unregister(t, sel, w)
			testkit.Close(t, w)
			unregister(t, sel, idle)
		}
	})
}

// A pipe that comes and goes leaves nothing behind that hides other events.
func TestBrokenPipeComesAndGoes(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		k.needsBrokenPipes(t, false)
		a, b := testkit.Socketpair(t)
		testkit.Write(t, b, "x")
		register(t, sel, a, read, nil)
		r, w := testkit.Pipe(t)
		testkit.Close(t, r)
		for range 6 {
			register(t, sel, w, write, nil)
			unregister(t, sel, w)
		}
		selects(t, sel, 0, a, read)
		register(t, sel, w, write, nil)
		for range 6 {
			for _, events := range []selectors.Event{read, write} {
				_, err := sel.Modify(w, events, nil)
				check(t, err)
			}
		}
		for range 3 {
			selects(t, sel, 0, a, read, w, write)
		}
	})
}

// What has had no room is reported later, also what the kernel says only once.
func TestBrokenPipesInSmallBuffer(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		k.needsBrokenPipes(t, true)
		const n = 5
		var readers []int
		for range n {
			r, w := testkit.Pipe(t)
			testkit.Fill(t, w)
			register(t, sel, w, write, nil)
			readers = append(readers, r)
		}
		for _, r := range readers {
			testkit.Close(t, r)
		}
		buf, seen := make([]selectors.Ready, 2), map[int]bool{}
		for range n {
			got, err := sel.SelectInto(buf, pyselect.Forever)
			check(t, err)
			for _, ready := range buf[:got] {
				seen[ready.Key.Fd] = true
			}
		}
		if len(seen) != n {
			t.Errorf("%d are reported, want %d", len(seen), n)
		}
	})
}

// Where poll(2) is a kqueue inside, it says of files that a kqueue refuses that they are not open.
func TestPollRefuses(t *testing.T) {
	testkit.NoLeaks(t)
	r, _ := testkit.Pipe(t)
	closed := testkit.ClosedFd(t, 100)
	refuse := func(fds []sys.PollFd, _ sys.Deadline) (int, error) {
		sys.SetFound(&fds[0], unix.POLLNVAL)
		return 1, nil
	}
	for _, test := range []struct {
		fd   int
		poll func([]sys.PollFd, sys.Deadline) (int, error)
		want error
	}{{r, refuse, unix.EINVAL}, {closed, refuse, nil}, {r, sys.Poll, nil}, {closed, sys.Poll, nil}} {
		err := selectors.CheckWatchable(test.fd, unix.POLLIN, test.poll)
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), "a SelectSelector can") {
			t.Errorf("fd %d: error is %v, want %v", test.fd, err, test.want)
		}
	}
}
