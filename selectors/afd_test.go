//go:build windows

package selectors_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// reuse closes a socket and lets another one have its number, which is readable and writable.
func reuse(t *testing.T, number int) {
	t.Helper()
	testkit.Close(t, number)
	for range 1000 {
		s, err := windows.Socket(windows.AF_INET, windows.SOCK_DGRAM, 0)
		check(t, err)
		t.Cleanup(func() { windows.Closesocket(s) })
		if int(s) != number {
			continue
		}
		check(t, windows.Bind(s, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		addr, err := windows.Getsockname(s)
		check(t, err)
		check(t, windows.Sendto(s, []byte("x"), 0, addr))
		return
	}
	t.Skip("the system does not give the number again")
}

// A socket that was reported is not asked for until the next Select. If it is closed in between, that Select knows.
func TestNumberReusedAfterReport(t *testing.T) {
	eachAfd(t, func(t *testing.T, sel selectors.BaseSelector) {
		a, b := testkit.Socketpair(t)
		register(t, sel, a, read|write, "old")
		testkit.Write(t, b, "x")
		selects(t, sel, pyselect.Forever, a, read|write)
		reuse(t, a)
		selects(t, sel, 0)
		selects(t, sel, time.Millisecond)
		unregister(t, sel, a)
		register(t, sel, a, read, "new")
		selects(t, sel, pyselect.Forever, a, read)
	})
}

// Modify is not for the next owner of the number.
func TestNumberReusedBeforeModify(t *testing.T) {
	eachAfd(t, func(t *testing.T, sel selectors.BaseSelector) {
		for _, events := range []selectors.Event{write, read | write} {
			a, _ := testkit.Socketpair(t)
			register(t, sel, a, read, "old")
			reuse(t, a)
			time.Sleep(20 * time.Millisecond) // in which Wine completes the poll, of which nothing else tells
			_, err := sel.Modify(a, events, "new")
			wantError(t, err, errBadFd, "selectors.modify")
			selects(t, sel, 0)
		}
	})
}

func TestNumberReusedDuringSelect(t *testing.T) {
	eachAfd(t, func(t *testing.T, sel selectors.BaseSelector) {
		a, _ := testkit.Socketpair(t)
		register(t, sel, a, read, "old")
		s := beginSelect(t, sel, pyselect.Forever)
		for range 50 { // and has asked: Wine's server fails if somebody asks for a number whose next owner is just being made
			time.Sleep(100 * time.Microsecond)
			s.Blocked()
		}
		reuse(t, a)
		s.Blocked()
		unregister(t, sel, a)
		register(t, sel, a, read, "new")
		s.ends(t, a, read)
		if data := s.ready[0].Key.Data; data != "new" {
			t.Errorf("the %v key is reported", data)
		}
	})
}

func eachAfd(t *testing.T, test func(t *testing.T, sel selectors.BaseSelector)) {
	for _, k := range kinds[1:] {
		t.Run(k.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			sel, err := k.create(t)
			check(t, err)
			t.Cleanup(func() { check(t, sel.Close()) })
			test(t, sel)
		})
	}
}

// A selector that is closed or becomes unreachable, with polls that are in the kernel, have just been cancelled or are complete, leaves
// nothing behind, and the kernel does not write to memory that others have.
func TestAfdLeavesNothing(t *testing.T) {
	for _, closed := range []bool{true, false} {
		for _, k := range kinds[1:] {
			name := k.name + ", unreachable"
			if closed {
				name = k.name + ", closed"
			}
			t.Run(name, func(t *testing.T) {
				testkit.NoLeaks(t)
				const size = 40 // more than share a device
				var fds, peers [size]int
				for i := range fds {
					fds[i], peers[i] = testkit.Socketpair(t)
				}
				round := func() {
					sel, err := k.create(t)
					check(t, err)
					for i, fd := range fds {
						register(t, sel, fd, selectors.Event(1+i%3), nil)
					}
					_, err = sel.Select(time.Millisecond)
					check(t, err)
					for i, fd := range fds {
						switch i % 4 {
						case 0:
							unregister(t, sel, fd)
						case 1:
							_, err := sel.Modify(fd, read|write, nil)
							check(t, err)
						}
					}
					var waiting sync.WaitGroup
					if closed {
						waiting.Go(func() { sel.Select(pyselect.Forever) })
					}
					for _, peer := range peers[:4] {
						windows.WSASend(windows.Handle(peer), &windows.WSABuf{Len: 1, Buf: new(byte)}, 1, new(uint32), 0, nil, nil)
					}
					if closed {
						check(t, sel.Close())
					}
					waiting.Wait()
				}
				for range 3 { // what is opened once
					round()
				}
				testkit.CollectGarbage(t)
				before := len(testkit.Handles())
				for range 20 {
					round()
					garbage := make([][]byte, 100)
					for i := range garbage {
						garbage[i] = make([]byte, 400)
					}
					runtime.GC()
					for _, g := range garbage {
						for _, b := range g {
							if b != 0 {
								t.Fatal("somebody has written to fresh memory")
							}
						}
					}
				}
				testkit.CollectGarbage(t)
				const others = 10 // threads that Go has started
				testkit.Eventually(t, "the handles to be closed", func() bool {
					runtime.GC()
					return len(testkit.Handles()) <= before+others
				})
			})
		}
	}
}

func TestCrowdOccupiesNoThreads(t *testing.T) {
	crowd(t, afdKind, 100, 16)
}

// A Select costs what is ready, and not what is registered.
func BenchmarkAfdSelectInto(b *testing.B) {
	for _, size := range []int{10, 100, 1000, 5000} {
		b.Run("1 ready", func(b *testing.B) {
			r, w := testkit.Socketpair(b)
			idle, _ := testkit.Socketpair(b)
			testkit.Write(b, w, "x")
			sel, err := selectors.NewAfdSelector()
			check(b, err)
			defer sel.Close()
			_, err = sel.Register(r, read, nil)
			check(b, err)
			for range size - 1 {
				_, err := sel.Register(testkit.Dup(b, idle, 0), read, nil)
				check(b, err)
			}
			buf := make([]selectors.Ready, 4)
			for b.Loop() {
				if n, err := sel.SelectInto(buf, 0); n != 1 || err != nil {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(size), "registered")
		})
	}
}

// A pair is the two ends of a connection, and what was done to them.
type pair struct {
	fds    [2]int
	open   [2]bool
	events [2]selectors.Event // registered
	full   [2]bool
}

// AfdSelector and SelectSelector report the same, whatever happens to sockets. One that is closed while registered is nothing to an
// AfdSelector.
func FuzzAfdAgainstSelect(f *testing.F) {
	for seed := range 12 {
		program := make([]byte, 240)
		rand.NewChaCha8([32]byte{byte(seed)}).Read(program)
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		testkit.NoLeaks(t)
		k := kinds[1+len(program)%(len(kinds)-1)]
		afd, err := k.create(t)
		check(t, err)
		defer afd.Close()
		list, err := selectors.NewSelectSelector()
		check(t, err)
		defer list.Close()
		var all [4]pair
		for ; len(program) >= 3; program = program[3:] {
			step, p, side := program[0]%12, &all[program[1]/2%4], program[1]%2
			fd, peer := p.fds[side], p.open[1-side]
			switch {
			case step < 2 && !p.open[0] && !p.open[1]:
				unwatch(t, afd, p, 0)
				unwatch(t, afd, p, 1)
				*p = pair{open: [2]bool{true, true}}
				p.fds[0], p.fds[1] = testkit.Socketpair(t)
			case !p.open[side]:
			case step == 2:
				if p.events[side] != 0 {
					unregister(t, list, fd)
				}
				testkit.Close(t, fd)
				p.open[side] = false
			case step < 5 && peer && !p.full[side]:
				testkit.Write(t, fd, "x")
			case step < 7 && peer:
				testkit.Drain(t, fd)
				p.full[1-side] = false
			case step == 7 && peer && program[2] < 64:
				testkit.Fill(t, fd)
				p.full[side] = true
			case step < 10:
				for i := range all { // who has had the number before
					for side := range byte(2) {
						if q := &all[i]; !q.open[side] && q.fds[side] == fd {
							unwatch(t, afd, q, side)
						}
					}
				}
				events := selectors.Event(1 + program[2]%3)
				for _, sel := range []selectors.BaseSelector{afd, list} {
					if p.events[side] == 0 {
						_, err = sel.Register(fd, events, nil)
					} else {
						_, err = sel.Modify(fd, events, nil)
					}
					check(t, err)
				}
				p.events[side] = events
			case step == 10 && p.events[side] != 0:
				unregister(t, list, fd)
				unwatch(t, afd, p, side)
			}
			compare(t, afd, list, program[2]%2 == 0)
		}
		for i := range all {
			unwatch(t, afd, &all[i], 0)
			unwatch(t, afd, &all[i], 1)
		}
		selects(t, afd, 0)
	})
}

func unwatch(t *testing.T, sel selectors.BaseSelector, p *pair, side byte) {
	t.Helper()
	if p.events[side] != 0 {
		unregister(t, sel, p.fds[side])
		p.events[side] = 0
	}
}

// compare compares what is ready, also with what a Select that may block finds, and one with little room.
func compare(t *testing.T, afd, list selectors.BaseSelector, blocks bool) {
	t.Helper()
	want, err := list.Select(0)
	check(t, err)
	timeout := time.Duration(0)
	if blocks && len(want) > 0 {
		timeout = pyselect.Forever
	}
	selects(t, afd, timeout, pairs(want)...)
	buf, seen := make([]selectors.Ready, 1), map[int]bool{}
	for range want {
		n, err := afd.SelectInto(buf, timeout)
		check(t, err)
		for _, ready := range buf[:n] {
			seen[ready.Key.Fd] = true
		}
	}
	if len(seen) != len(want) {
		t.Fatalf("a buffer for one had %v, want all of %v", seen, pairs(want))
	}
}
