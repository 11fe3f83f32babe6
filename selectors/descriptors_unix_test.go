//go:build unix

package selectors_test

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
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

// That the reading end of a pipe is closed may be reported once only.
func TestHangUpDuringSelect(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
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
