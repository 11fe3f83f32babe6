//go:build unix || windows

package wait_test

import (
	"slices"
	"syscall"
	"testing"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

// taken returns positions and descriptors as a Report hands them over, without those that are strangers to the caller.
func taken(l *wait.List, n, room int, blocked bool, strangers ...int) (got [][2]int) {
	l.Report(n, room, blocked, func(pos, fd int, revents uint16) bool {
		if revents != sys.In || slices.Contains(strangers, fd) {
			return false
		}
		got = append(got, [2]int{pos, fd})
		return true
	})
	return got
}

func equal[E comparable](t *testing.T, what string, got, want []E) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// finding returns a list whose calls to the kernel find the descriptors in *ready.
func finding(ready *[]int, fds ...int) *wait.List {
	l := &wait.List{Ask: func(fds []sys.PollFd, _ sys.Deadline) (n int, err error) {
		found := make([]uint16, len(fds))
		for i, f := range fds {
			if slices.Contains(*ready, int(f.Fd)) {
				found[i] = sys.In
				n++
			}
		}
		for i := range fds {
			if n > 0 { // select(2) leaves the entries as they are otherwise
				sys.SetFound(&fds[i], found[i])
			}
		}
		return n, nil
	}}
	for _, fd := range fds {
		l.Put(fd, sys.In)
	}
	return l
}

// look looks and reports.
func look(t *testing.T, l *wait.List, room int, strangers ...int) [][2]int {
	t.Helper()
	n, err := l.Look(room)
	if testkit.Check(t, err); n == 0 {
		return nil
	}
	return taken(l, n, room, false, strangers...)
}

const a, b, c, d = 1 << 20, 1<<20 + 1, 1<<20 + 2, 1<<20 + 3 // which are not open

func TestListPositions(t *testing.T) {
	ready := []int{a, b, c, d}
	l := finding(&ready, c, a, b)
	if pos := l.Put(a, sys.In); pos != 1 {
		t.Errorf("what is put again moves to position %d", pos)
	}
	if pos := l.Put(d, sys.In); pos != 3 {
		t.Errorf("what is new has position %d", pos)
	}
	equal(t, "all", look(t, l, 9), [][2]int{{0, c}, {1, a}, {2, b}, {3, d}})
	l.Remove(1)
	l.Put(a, sys.In)
	equal(t, "one moved", look(t, l, 9), [][2]int{{0, c}, {1, b}, {2, d}, {3, a}})
	equal(t, "strangers take no room", look(t, l, 2, c, b), [][2]int{{2, d}, {3, a}})
	l.Clear()
	if _, ok := l.Find(a); ok || len(look(t, l, 9)) > 0 {
		t.Error("something is left")
	}
}

func TestListReportRotates(t *testing.T) {
	for _, test := range []struct {
		room int
		want [][]int
	}{
		{1, [][]int{{a}, {b}, {c}, {a}}},
		{2, [][]int{{a, b}, {c, a}, {b, c}, {a, b}}},
		{3, [][]int{{a, b, c}, {a, b, c}}},
	} {
		ready := []int{a, b, c}
		l := finding(&ready, a, d, b, c)
		for _, want := range test.want {
			var got []int
			for _, found := range look(t, l, test.room) {
				got = append(got, found[1])
			}
			equal(t, "taken", got, want)
		}
	}
	ready := []int{a, b, c}
	l := finding(&ready, a, b, c)
	look(t, l, 2)
	l.Remove(2) // with which the next one was to begin
	equal(t, "after the end", look(t, l, 1), [][2]int{{0, a}})
}

// A block is for what the list was when it began, and reports positions of what it is now.
func TestListChangesDuringBlock(t *testing.T) {
	ready := []int{a, b, c, d}
	l := finding(&ready, a, b, c)
	l.Arm(9)
	l.Put(d, sys.In)
	l.Remove(0)
	l.Remove(0)
	l.Put(b, sys.In)
	n, err := l.Sleep(sys.Never)
	if l.Disarm(false); n != 3 || err != nil {
		t.Errorf("found %d, %v", n, err)
	}
	equal(t, "block", taken(l, n, 9, true), [][2]int{{-1, a}, {-1, b}, {0, c}})
	equal(t, "now", look(t, l, 9), [][2]int{{0, c}, {1, d}, {2, b}})
}

// Where there are more descriptors than poll(2) takes, select(2) waits, and a look tells the rest.
func TestListLongerThanPollTakes(t *testing.T) {
	testkit.NoLeaks(t)
	ready, w := testkit.Pipe(t)
	testkit.Write(t, w, "x")
	l := &wait.List{Ask: func([]sys.PollFd, sys.Deadline) (int, error) { return 0, syscall.EINVAL }}
	var err error
	l.Waker, err = sys.NewWaker()
	testkit.Check(t, err)
	defer l.Waker.Close()
	l.Put(ready, sys.In)
	for range 2 {
		l.Arm(1)
		if n, err := l.Sleep(sys.Never); n != -1 || err != nil {
			t.Errorf("found %d, %v", n, err)
		}
		l.Disarm(false)
		testkit.Drain(t, ready)
		l.Wake() // which the next one is for
	}
	l.Ask = sys.Select
	l.Arm(1)
	if n, err := l.Sleep(sys.Never); n != 0 || err != nil {
		t.Errorf("the waker counts: found %d, %v", n, err)
	}
	l.Disarm(true)
	if n, err := sys.Select([]sys.PollFd{sys.Entry(l.Waker.Fd(), sys.In)}, sys.Now); n != 0 || err != nil {
		t.Errorf("the waker is still awake: %d, %v", n, err)
	}
}
