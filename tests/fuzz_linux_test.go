package tests

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// stateBits returns the events of poll(2) and epoll(7), which are the same.
func stateBits(s testkit.State) (bits uint32) {
	for _, b := range []struct {
		is  bool
		bit pyselect.EpollMask
	}{
		{s.In, pyselect.EPOLLIN}, {s.Out, pyselect.EPOLLOUT}, {s.Err, pyselect.EPOLLERR}, {s.Hup, pyselect.EPOLLHUP},
		{s.RdHup, pyselect.EPOLLRDHUP},
	} {
		if b.is {
			bits |= uint32(b.bit)
		}
	}
	return bits
}

// requested are the events that the programs ask for, as bits of a number.
var requested = [...]pyselect.EpollMask{
	pyselect.EPOLLIN, pyselect.EPOLLOUT, pyselect.EPOLLRDHUP, pyselect.EPOLLET, pyselect.EPOLLONESHOT,
}

// The numbers, for readable programs.
const (
	in byte = 1 << iota
	out
	rdhup
	et
	oneshot
)

func requestedMask(bits int) (mask pyselect.EpollMask) {
	for i, event := range requested {
		if bits>>i&1 != 0 {
			mask |= event
		}
	}
	return mask
}

// The steps of a program for a Poll or an Epoll, behind those of a testkit.World.
const (
	stepRegister   = testkit.Steps + iota // slot, events
	stepModify                            // slot, events
	stepUnregister                        // slot
	stepPollInto                          // size of the buffer - 1
	stepWait
	pollSteps
)

// A Poll reports what a model says that is ready, in the order of registration.
func FuzzPoll(f *testing.F) {
	for _, program := range [][]byte{
		{sockets, 0, 1, stepRegister, 0, in | out | rdhup, stepRegister, 1, 0, stepWait, writeTo, 1, fill, 0, drain, 1, closeFd, 1, drain, 0,
			stepModify, 0, in, closeFd, 0, stepModify, 0, 0, stepUnregister, 0, stepUnregister, 0, stepModify, 0, in},
		{pipe, 3, 2, stepRegister, 2, in | out, stepRegister, 3, in | out, writeTo, 2, fill, 2, drain, 3, dupTo, 2, 4, closeFd, 2,
			stepRegister, 2, out, closeFd, 4, stepUnregister, 3, stepRegister, 3, in, closeFd, 3, pipe, 3, 2, closeFd, 3, stepWait},
		{sockets, 0, 1, sockets, 2, 3, stepRegister, 0, out, stepRegister, 2, out, stepRegister, 1, out, stepPollInto, 0, stepPollInto, 1,
			stepUnregister, 2, stepPollInto, 0, stepRegister, 5, in, stepPollInto, 1, stepRegister, 0, in, stepPollInto, 2},
		{stepWait, stepPollInto, 0, stepRegister, 6, in, stepWait, sockets, 5, 6, stepWait, stepPollInto, 0},
	} {
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		testkit.NoLeaks(t)
		trace := testkit.Trace(t)
		var waits testkit.Waits
		world := testkit.NewWorld(t, fds(false))
		poll := pyselect.NewPoll()
		type entry struct {
			slot int
			mask pyselect.PollMask
		}
		var entries []entry
		p := testkit.Program(program[:min(len(program), longest)])
		for len(p) > 0 {
			step := byte(p.Next(int(pollSteps)))
			size, wait := math.MaxInt, false
			switch step {
			case stepRegister, stepModify:
				slot := p.Next(testkit.Slots)
				mask := pyselect.PollMask(requestedMask(p.Next(8)))
				pos := slices.IndexFunc(entries, func(e entry) bool { return e.slot == slot })
				trace("register or modify %d %v", slot, mask)
				switch {
				case step == stepRegister:
					check(t, poll.Register(world.Fd(slot), mask))
				case pos >= 0:
					check(t, poll.Modify(world.Fd(slot), mask))
				default:
					wantError(t, poll.Modify(world.Fd(slot), mask), unix.ENOENT)
				}
				if pos >= 0 {
					entries[pos].mask = mask
				} else if step == stepRegister {
					entries = append(entries, entry{slot, mask})
				}
			case stepUnregister:
				slot := p.Next(testkit.Slots)
				trace("unregister %d", slot)
				pos := slices.IndexFunc(entries, func(e entry) bool { return e.slot == slot })
				if err := poll.Unregister(world.Fd(slot)); pos < 0 {
					wantError(t, err, pyselect.ErrNotRegistered)
				} else {
					check(t, err)
					entries = slices.Delete(entries, pos, pos+1)
				}
			case stepPollInto:
				size = 1 + p.Next(3)
				trace("poll into %d", size)
			case stepWait:
				trace("wait")
				wait = true
			default:
				trace("%s", world.Step(step, &p))
			}

			var want []pyselect.PollEvent
			for _, e := range entries {
				events := pyselect.POLLNVAL
				if file := world.File(e.slot); file != nil {
					events = (e.mask | pyselect.POLLERR | pyselect.POLLHUP) & pyselect.PollMask(stateBits(file.State()))
				}
				if events != 0 {
					want = append(want, pyselect.PollEvent{Fd: world.Fd(e.slot), Events: events})
				}
			}
			timeout, least := time.Duration(0), time.Duration(0)
			if wait && len(want) > 0 {
				timeout = testkit.Patience
			} else if wait {
				timeout = waits.Timeout()
				least = timeout
			}
			if size < len(want) {
				// Each call goes on where the last one had no room.
				buf := make([]pyselect.PollEvent, size)
				var got []pyselect.PollEvent
				for len(got) < len(want) {
					n, err := poll.PollInto(buf, timeout)
					check(t, err)
					if n != size {
						t.Fatalf("PollInto returned %d events, want %d", n, size)
					}
					got = append(got, buf[:n]...)
				}
				first := slices.Index(want, got[0])
				if first < 0 {
					t.Fatalf("PollInto returned %v, want some of %v", got[0], want)
				}
				rotated := slices.Concat(want[first:], want, want)
				testkit.Equal(t, "PollInto", got, rotated[:len(got)]...)
			}
			begin := time.Now()
			got, err := poll.Poll(timeout)
			check(t, err)
			testkit.Equal(t, "Poll", got, want...)
			if d := time.Since(begin); d < least || d >= testkit.Patience {
				t.Fatalf("Poll returned after %v", d)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	})
}

// An epollModel is the kernel's set: entries of an open file and the number under which it was registered.
type epollModel struct {
	t       *testing.T
	world   *testkit.World
	epoll   *pyselect.Epoll
	entries []*epollEntry
}

type epollEntry struct {
	file *testkit.OpenFile
	fd   int
	mask pyselect.EpollMask
	off  bool // one-shot, and has been reported

	// Of an edge-triggered entry: it has become ready and was not reported since; something has happened to it that may
	// count as an edge.
	edge, perhaps bool
	before        pyselect.EpollMask // what it was ready for
}

func (e *epollEntry) ready() pyselect.EpollMask {
	if e.off {
		return 0
	}
	return (e.mask | pyselect.EPOLLERR | pyselect.EPOLLHUP) & pyselect.EpollMask(stateBits(e.file.State()))
}

func (m *epollModel) find(slot int) *epollEntry {
	for _, e := range m.entries {
		if e.fd == m.world.Fd(slot) && e.file == m.world.File(slot) {
			return e
		}
	}
	return nil
}

// haunted reports whether the kernel watches an open file under a number that is no longer its own. Were another file to be
// registered with it, their events could not be told apart.
func (m *epollModel) haunted(slot int) bool {
	return slices.ContainsFunc(m.entries, func(e *epollEntry) bool {
		return e.fd == m.world.Fd(slot) && e.file != m.world.File(slot)
	})
}

func (m *epollModel) control(step byte, slot int, mask pyselect.EpollMask) {
	e, fd := m.find(slot), m.world.Fd(slot)
	var err, want error
	switch step {
	case stepRegister:
		err = m.epoll.Register(fd, mask)
		if e != nil {
			want = unix.EEXIST
		}
	case stepModify:
		err = m.epoll.Modify(fd, mask)
	case stepUnregister:
		err = m.epoll.Unregister(fd)
	}
	if e == nil && step != stepRegister {
		want = unix.ENOENT
	}
	if m.world.File(slot) == nil {
		want = unix.EBADF
	}
	if !errors.Is(err, want) {
		m.t.Fatalf("error is %v, want %v", err, want)
	}
	if err != nil {
		return
	}
	switch step {
	case stepRegister:
		e = &epollEntry{file: m.world.File(slot), fd: fd}
		m.entries = append(m.entries, e)
	case stepUnregister:
		m.entries = slices.DeleteFunc(m.entries, func(other *epollEntry) bool { return other == e })
		return
	}
	e.mask, e.off = mask, false
	e.before = e.ready()
	e.edge, e.perhaps = e.before != 0, true
}

// changed notes what a step of the world has done.
func (m *epollModel) changed() {
	m.entries = slices.DeleteFunc(m.entries, func(e *epollEntry) bool { return !e.file.IsOpen() })
	for _, e := range m.entries {
		now := e.ready()
		e.edge = e.edge || now&^e.before != 0
		e.perhaps = true // even the same again may be an edge
		e.before = now
	}
}

// readiness returns what must be reported and what may be reported too.
func (m *epollModel) readiness() (must, may []pyselect.EpollEvent) {
	for _, e := range m.entries {
		event := pyselect.EpollEvent{Fd: e.fd, Events: e.ready()}
		switch {
		case event.Events == 0:
		case e.mask&pyselect.EPOLLET == 0 || e.edge:
			must = append(must, event)
		case e.perhaps:
			may = append(may, event)
		}
	}
	return must, may
}

// reported notes an event and fails if it is none that is ready.
func (m *epollModel) reported(event pyselect.EpollEvent) {
	var found *epollEntry
	for _, e := range m.entries {
		if e.fd != event.Fd || e.ready() != event.Events || event.Events == 0 {
			continue
		}
		if e.mask&pyselect.EPOLLET != 0 && !e.edge && !e.perhaps {
			continue
		}
		found = e
	}
	if found == nil {
		m.t.Fatalf("%v was reported, and is not ready", event)
	}
	found.edge, found.perhaps = false, false
	found.off = found.mask&pyselect.EPOLLONESHOT != 0
	found.before = found.ready()
}

// poll checks all that is ready, with room for size events at a time.
func (m *epollModel) poll(size int, timeout time.Duration) {
	must, _ := m.readiness()
	buf := make([]pyselect.EpollEvent, size)
	// What stays ready is reported again and again, in turns with the rest.
	for range 2 * (1 + len(m.entries)) {
		n, err := m.epoll.PollInto(buf, timeout)
		check(m.t, err)
		timeout = 0
		for _, event := range buf[:n] {
			m.reported(event)
			must = slices.DeleteFunc(must, func(e pyselect.EpollEvent) bool { return e == event })
		}
		if n < size {
			for _, e := range m.entries { // whatever may have been an edge is none any more
				e.edge, e.perhaps = false, false
			}
			break
		}
	}
	if len(must) > 0 {
		m.t.Fatalf("%v was not reported", must)
	}
}

// An Epoll reports what a model says that is ready, level-triggered, edge-triggered and one-shot.
func FuzzEpoll(f *testing.F) {
	for _, program := range [][]byte{
		{sockets, 0, 1, stepRegister, 0, in | out | rdhup, stepRegister, 1, 0, stepRegister, 0, in, stepWait, writeTo, 1, fill, 0, drain, 1,
			closeFd, 1, drain, 0, stepModify, 0, in, closeFd, 0, stepModify, 0, in, stepUnregister, 0, stepRegister, 0, in},
		{pipe, 0, 1, stepRegister, 0, in | et, stepRegister, 1, out | et, stepWait, writeTo, 1, writeTo, 1, drain, 0, fill, 1, drain, 0, stepWait,
			closeFd, 0, stepModify, 1, out | et, stepUnregister, 1, stepUnregister, 1},
		{sockets, 0, 1, stepRegister, 0, in | out | oneshot, stepRegister, 1, in | oneshot | et, writeTo, 0, writeTo, 1, stepModify, 0, in | oneshot,
			stepModify, 1, in | oneshot, stepWait, closeFd, 1, stepModify, 0, oneshot, stepWait},
		{sockets, 0, 1, sockets, 2, 3, stepRegister, 0, out | et, stepRegister, 1, out, stepRegister, 2, out | oneshot, stepPollInto, 0,
			stepRegister, 3, out | et | oneshot, stepPollInto, 0, stepModify, 0, in | out | et, stepModify, 2, out, stepPollInto, 1, stepPollInto, 0},
		{sockets, 0, 1, stepRegister, 0, in | out, dupTo, 0, 2, stepRegister, 2, in | et, closeFd, 0, writeTo, 1, sockets, 0, 3,
			stepRegister, 0, in, stepUnregister, 0, closeFd, 2, stepWait, stepPollInto, 0},
	} {
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		testkit.NoLeaks(t)
		trace := testkit.Trace(t)
		var waits testkit.Waits
		epoll, err := pyselect.NewEpoll()
		check(t, err)
		defer epoll.Close()
		m := &epollModel{t: t, world: testkit.NewWorld(t, fds(false)), epoll: epoll}
		p := testkit.Program(program[:min(len(program), longest)])
		for len(p) > 0 {
			step := byte(p.Next(int(pollSteps)))
			size, timeout := 100, time.Duration(0)
			switch step {
			case stepRegister, stepModify, stepUnregister:
				slot, mask := p.Next(testkit.Slots), pyselect.EpollMask(0)
				if step != stepUnregister {
					mask = requestedMask(p.Next(1 << len(requested)))
				}
				trace("%s %d %v", []string{"register", "modify", "unregister"}[step-stepRegister], slot, mask)
				if !m.haunted(slot) {
					m.control(step, slot, mask)
				}
			case stepPollInto:
				size = 1 + p.Next(3)
				trace("poll into %d", size)
			case stepWait:
				trace("wait")
				if must, may := m.readiness(); len(must) > 0 {
					timeout = testkit.Patience
				} else if len(may) == 0 {
					timeout = waits.Timeout()
				}
			default:
				trace("%s", m.world.Step(step, &p))
				m.changed()
			}
			begin := time.Now()
			must, may := m.readiness()
			m.poll(size, timeout)
			if d := time.Since(begin); len(must)+len(may) == 0 && d < timeout || d >= testkit.Patience {
				t.Fatalf("PollInto returned after %v", d)
			}
		}
	})
}

func FuzzEpollMask(f *testing.F) {
	bits := map[string]uint32{
		"EPOLLIN": 1, "EPOLLPRI": 2, "EPOLLOUT": 4, "EPOLLERR": 8, "EPOLLHUP": 0x10, "EPOLLRDNORM": 0x40, "EPOLLRDBAND": 0x80,
		"EPOLLWRNORM": 0x100, "EPOLLWRBAND": 0x200, "EPOLLMSG": 0x400, "EPOLLRDHUP": 0x2000, "EPOLLEXCLUSIVE": 1 << 28,
		"EPOLLWAKEUP": 1 << 29, "EPOLLONESHOT": 1 << 30, "EPOLLET": 1 << 31,
	}
	for _, mask := range []uint32{0, unix.EPOLLIN, unix.EPOLLIN | unix.EPOLLET, 0x20, 0x0f00_0001, math.MaxUint32} {
		f.Add(mask)
	}
	f.Fuzz(func(t *testing.T, mask uint32) {
		checkMask(t, pyselect.EpollMask(mask).String(), mask, bits)
	})
}
