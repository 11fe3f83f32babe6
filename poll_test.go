//go:build unix

package pyselect_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

func TestPollOrder(t *testing.T) {
	testkit.NoLeaks(t)
	idle, _ := testkit.Pipe(t)
	a, b, c := testkit.Readable(t), testkit.Readable(t), testkit.Readable(t)
	p := testkit.NewPoll(t, c, idle, a, b)
	testkit.WantPoll(t, p, testkit.PollIn(c, a, b)...)

	check(t, p.Register(c, 0)) // keeps its place
	testkit.WantPoll(t, p, testkit.PollIn(a, b)...)
	check(t, p.Register(c, pyselect.POLLIN))
	testkit.WantPoll(t, p, testkit.PollIn(c, a, b)...)

	check(t, p.Modify(a, 0))
	testkit.WantPoll(t, p, testkit.PollIn(c, b)...)
	check(t, p.Modify(a, pyselect.POLLIN))
	testkit.WantPoll(t, p, testkit.PollIn(c, a, b)...)

	check(t, p.Unregister(c))
	testkit.WantPoll(t, p, testkit.PollIn(a, b)...)
	check(t, p.Register(c, pyselect.POLLIN))
	testkit.WantPoll(t, p, testkit.PollIn(a, b, c)...)
}

func TestPollErrors(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	p := testkit.NewPoll(t, r)
	fd := fmt.Sprintf("fd %d:", w)
	wantError(t, p.Modify(w, pyselect.POLLIN), unix.ENOENT, "poll.modify", fd)
	wantError(t, p.Modify(w, pyselect.POLLIN), fs.ErrNotExist)
	wantError(t, p.Unregister(w), pyselect.ErrNotRegistered, "poll.unregister", fd)
	check(t, p.Unregister(r))
	wantError(t, p.Unregister(r), pyselect.ErrNotRegistered)
	wantError(t, p.Modify(r, pyselect.POLLIN), unix.ENOENT)

	closed := file(t, r)
	check(t, closed.Close())
	for _, test := range []struct {
		obj  any
		want error
		text string
	}{
		{-1, os.ErrInvalid, "-1"},
		{uintptr(1) << 31, os.ErrInvalid, "2147483648"},
		{"stdin", pyselect.ErrNotWaitable, "string"},
		{closed, os.ErrClosed, "*os.File"},
	} {
		wantError(t, p.Register(test.obj, pyselect.POLLIN), test.want, "poll.register", test.text)
		wantError(t, p.Modify(test.obj, pyselect.POLLIN), test.want, "poll.modify", test.text)
		wantError(t, p.Unregister(test.obj), test.want, "poll.unregister", test.text)
	}
	for _, buf := range [][]pyselect.PollEvent{nil, {}} {
		_, err := p.PollInto(buf, pyselect.Forever)
		wantError(t, err, os.ErrInvalid, "poll.poll", "buffer")
	}
	testkit.WantPoll(t, p)
}

func TestPollEvents(t *testing.T) {
	testkit.NoLeaks(t)
	testPollEvents(t, func() poller { return pyselect.NewPoll() }, nil)
}

// A poller has the events of poll(2).
type poller interface {
	Register(fd any, eventmask pyselect.PollMask) error
	Poll(timeout time.Duration) ([]pyselect.PollEvent, error)
}

// testPollEvents checks what is reported of which file. refusal is the error of registering a descriptor that is not open.
func testPollEvents(t *testing.T, create func() poller, refusal error) {
	const in, out, hup, err = pyselect.POLLIN, pyselect.POLLOUT, pyselect.POLLHUP, pyselect.POLLERR
	a, b := testkit.Socketpair(t)
	testkit.Write(t, b, "data")
	_, full := testkit.Pipe(t)
	testkit.Fill(t, full)
	noWriter, w := testkit.Pipe(t)
	testkit.Close(t, w)
	dataLeft, w := testkit.Pipe(t)
	testkit.Write(t, w, "data")
	testkit.Close(t, w)
	r, noReader := testkit.Pipe(t)
	testkit.Close(t, r)
	client, server := testkit.TCPPair(t)
	sendUrgent(t, client, "!")
	_, _, _, selectErr := pyselect.Select(nil, nil, []*net.TCPConn{server}, testkit.Patience) // until it has arrived
	check(t, selectErr)
	regular := testkit.File(t)
	closed := testkit.ClosedFd(t, 500) // far away from the numbers that others get

	for _, test := range []struct {
		name       string
		obj        any
		mask, want pyselect.PollMask
	}{
		{"socket with data", a, in | out, in | out},
		{"socket with data, no mask", a, 0, 0},
		{"socket without data", b, in | out, out},
		{"full pipe", full, out, 0},
		{"regular file", regular, in | out, in | out},
		{"writer closed", noWriter, in, hup},
		{"writer closed, no mask", noWriter, 0, hup},
		{"writer closed, data left", dataLeft, in, in | hup},
		{"reader closed", noReader, out, out | err},
		{"reader closed, no mask", noReader, 0, err},
		{"urgent data", server, pyselect.POLLPRI, pyselect.POLLPRI},
		{"closed", closed, in, pyselect.POLLNVAL},
		{"closed, no mask", closed, 0, pyselect.POLLNVAL},
		{"never opened", 1 << 30, in, pyselect.POLLNVAL},
		{"largest", math.MaxInt32, in, pyselect.POLLNVAL},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.mask == 0 && test.want != 0 {
				testkit.NotOn(t, "dragonfly", "events for a mask of nothing")
			}
			p := create()
			err := p.Register(test.obj, test.mask)
			if refusal != nil && test.want == pyselect.POLLNVAL {
				wantError(t, err, refusal)
				test.want = 0
			} else {
				check(t, err)
			}
			events, err := p.Poll(0)
			check(t, err)
			if runtime.GOOS != "linux" && strings.Contains(test.name, "closed") && test.want&pyselect.POLLNVAL == 0 {
				// Systems differ in which of the events they report for a pipe with one end.
				if len(events) != 1 {
					t.Errorf("ready: got %v, want one event", events)
				}
				return
			}
			if test.want == 0 {
				testkit.Equal(t, "ready", events)
				return
			}
			fd, err := pyselect.Fileno(test.obj)
			check(t, err)
			testkit.Equal(t, "ready", events, pyselect.PollEvent{fd, test.want})
		})
	}
}

// A descriptor that is closed and reused while it is registered belongs to its new owner.
func TestPollClosedWhileRegistered(t *testing.T) {
	testkit.NotOn(t, "dragonfly", "events beside that of a descriptor that is not open")
	testkit.NoLeaks(t)
	const farAway = 500 // from the numbers that the process, or an emulator that runs it, gets for other files
	ready := testkit.Readable(t)
	idle, _ := testkit.Pipe(t)
	fd := testkit.Dup(t, idle, farAway)
	p := testkit.NewPoll(t, fd, ready)
	testkit.WantPoll(t, p, testkit.PollIn(ready)...)
	testkit.Close(t, fd)
	testkit.WantPoll(t, p, append([]pyselect.PollEvent{{fd, pyselect.POLLNVAL}}, testkit.PollIn(ready)...)...)
	if again := testkit.Dup(t, ready, farAway); again != fd {
		t.Fatalf("descriptor is %d, want %d again", again, fd)
	}
	testkit.WantPoll(t, p, testkit.PollIn(fd, ready)...)
}

func TestPollConcurrently(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	p := testkit.NewPoll(t, r)
	var events []pyselect.PollEvent
	var err error
	call := testkit.Go(t, func() { events, err = p.Poll(pyselect.Forever) }).Blocked()
	for _, timeout := range []time.Duration{0, time.Hour, pyselect.Forever} {
		_, err := p.Poll(timeout)
		wantError(t, err, pyselect.ErrConcurrentPoll, "poll.poll")
		_, err = p.PollInto(make([]pyselect.PollEvent, 1), timeout)
		wantError(t, err, pyselect.ErrConcurrentPoll, "poll.poll")
	}
	testkit.Write(t, w, "x")
	call.Wait()
	check(t, err)
	testkit.Equal(t, "ready", events, testkit.PollIn(r)...)
	testkit.WantPoll(t, p, testkit.PollIn(r)...)
}

// What is changed during a Poll counts from the next one.
func TestPollChangesDuringWait(t *testing.T) {
	testkit.NoLeaks(t)
	waiting, w := testkit.Pipe(t)
	ready := testkit.Readable(t)
	for _, test := range []struct {
		name   string
		change func(p *pyselect.Poll) error
		next   []int
	}{
		{"register", func(p *pyselect.Poll) error { return p.Register(ready, pyselect.POLLIN) }, []int{waiting, ready}},
		{"register again", func(p *pyselect.Poll) error { return p.Register(waiting, 0) }, nil},
		{"modify", func(p *pyselect.Poll) error { return p.Modify(waiting, 0) }, nil},
		{"unregister", func(p *pyselect.Poll) error { return p.Unregister(waiting) }, nil},
		{"replace", func(p *pyselect.Poll) error {
			return errors.Join(p.Unregister(waiting), p.Register(ready, pyselect.POLLIN))
		}, []int{ready}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := testkit.NewPoll(t, waiting)
			var events []pyselect.PollEvent
			var err error
			call := testkit.Go(t, func() { events, err = p.Poll(pyselect.Forever) }).Blocked()
			check(t, test.change(p))
			testkit.Write(t, w, "x")
			call.Wait()
			check(t, err)
			testkit.Equal(t, "this Poll", events, testkit.PollIn(waiting)...)
			testkit.WantPoll(t, p, testkit.PollIn(test.next...)...)
			testkit.Drain(t, waiting)
		})
	}
}

func TestPollInto(t *testing.T) {
	testkit.NoLeaks(t)
	idle, _ := testkit.Pipe(t)
	a, b, c := testkit.Readable(t), testkit.Readable(t), testkit.Readable(t)
	for _, test := range []struct {
		room int
		want [][]int
	}{
		{1, [][]int{{a}, {b}, {c}, {a}, {b}}},
		{2, [][]int{{a, b}, {c, a}, {b, c}, {a, b}}},
		{3, [][]int{{a, b, c}, {a, b, c}}},
		{9, [][]int{{a, b, c}, {a, b, c}}},
	} {
		p := testkit.NewPoll(t, a, idle, b, idle, c)
		wantPollInto(t, p, test.room, test.want...)
	}
	p := testkit.NewPoll(t, idle)
	wantPollInto(t, p, 1, nil)
}

// wantPollInto checks what calls of PollInto return one after the other.
func wantPollInto(t *testing.T, p *pyselect.Poll, room int, want ...[]int) {
	t.Helper()
	for i, fds := range want {
		buf := make([]pyselect.PollEvent, room)
		n, err := p.PollInto(buf, 0)
		check(t, err)
		testkit.Equal(t, fmt.Sprintf("call %d with room for %d", i, room), buf[:n], testkit.PollIn(fds...)...)
	}
}

// What a small buffer had no room for comes next, whatever has been changed before.
func TestPollIntoAfterChange(t *testing.T) {
	testkit.NoLeaks(t)
	a, b, c, d := testkit.Readable(t), testkit.Readable(t), testkit.Readable(t), testkit.Readable(t)
	for _, test := range []struct {
		name   string
		change func(p *pyselect.Poll) error
		want   []int
	}{
		{"nothing", func(*pyselect.Poll) error { return nil }, []int{b, c, a}},
		{"unregister the next", func(p *pyselect.Poll) error { return p.Unregister(b) }, []int{c, a, c}},
		{"unregister the one before", func(p *pyselect.Poll) error { return p.Unregister(a) }, []int{b, c, b}},
		{"unregister the last", func(p *pyselect.Poll) error { return p.Unregister(c) }, []int{b, a, b}},
		{"next not ready any more", func(p *pyselect.Poll) error { return p.Modify(b, 0) }, []int{c, a, c}},
		{"register another", func(p *pyselect.Poll) error { return p.Register(d, pyselect.POLLIN) }, []int{b, c, d, a}},
		{"move the next to the end", func(p *pyselect.Poll) error {
			return errors.Join(p.Unregister(b), p.Register(b, pyselect.POLLIN))
		}, []int{c, b, a, c}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := testkit.NewPoll(t, a, b, c)
			wantPollInto(t, p, 1, []int{a})
			check(t, test.change(p))
			for _, fd := range test.want {
				wantPollInto(t, p, 1, []int{fd})
			}
		})
	}

	p := testkit.NewPoll(t, a, b, c)
	wantPollInto(t, p, 2, []int{a, b})
	wantPollInto(t, p, 3, []int{a, b, c}) // all fit: in order
	check(t, p.Unregister(b))
	check(t, p.Unregister(c))
	wantPollInto(t, p, 1, []int{a}, []int{a})
}

// registerMany registers n descriptors for POLLIN, and returns those that are ready, which are one of so many.
func registerMany(t *testing.T, n, oneOf int, register func(fd any, mask pyselect.PollMask) error) (readable []int) {
	t.Helper()
	testkit.NeedFds(t, n+100)
	idle, _ := testkit.Pipe(t)
	ready := testkit.Readable(t)
	for i := range n {
		of := idle
		if i%oneOf == oneOf/2 {
			of = ready
		}
		fd := testkit.Dup(t, of, 0)
		check(t, register(fd, pyselect.POLLIN))
		if of == ready {
			readable = append(readable, fd)
		}
	}
	return readable
}

func TestPollManyDescriptors(t *testing.T) {
	testkit.NoLeaks(t)
	p := pyselect.NewPoll()
	want := registerMany(t, 5000, 1000, p.Register)
	testkit.WantPoll(t, p, testkit.PollIn(want...)...)
}

func TestPollAllocations(t *testing.T) {
	testkit.NoLeaks(t)
	idle, _ := testkit.Pipe(t)
	p, waiting := testkit.NewPoll(t, testkit.Readable(t), idle, testkit.Readable(t)), testkit.NewPoll(t, idle)
	buf, small := make([]pyselect.PollEvent, 10), make([]pyselect.PollEvent, 1)
	testkit.WantAllocs(t, "Poll", 1, func() { p.Poll(pyselect.Forever) })
	testkit.WantAllocs(t, "Poll, timeout over", 0, func() { waiting.Poll(10 * time.Microsecond) })
	testkit.WantAllocs(t, "PollInto", 0, func() { p.PollInto(buf, pyselect.Forever) })
	testkit.WantAllocs(t, "PollInto, small buffer", 0, func() { p.PollInto(small, pyselect.Forever) })
	testkit.WantAllocs(t, "PollInto, timeout over", 0, func() { waiting.PollInto(buf, 10*time.Microsecond) })
}

func TestPollMaskString(t *testing.T) {
	testkit.NoLeaks(t)
	for _, test := range []struct {
		mask pyselect.PollMask
		want string
	}{
		{0, "0x0"},
		{pyselect.POLLIN, "POLLIN"},
		{pyselect.POLLHUP | pyselect.POLLIN, "POLLIN|POLLHUP"},
		{pyselect.POLLIN | pyselect.POLLPRI | pyselect.POLLOUT, "POLLIN|POLLPRI|POLLOUT"},
		{pyselect.POLLERR | pyselect.POLLNVAL, "POLLERR|POLLNVAL"},
		{0x8000, "0x8000"},
		{pyselect.POLLOUT | 0x9000, "POLLOUT|0x9000"},
	} {
		if got := test.mask.String(); got != test.want {
			t.Errorf("%#x: got %q, want %q", uint16(test.mask), got, test.want)
		}
	}
}
