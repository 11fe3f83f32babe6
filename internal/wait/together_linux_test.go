package wait_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

// What has had no room is kept, unless the file would say it again. Where it is not known which files do, nothing is.
func TestListKeeps(t *testing.T) {
	pipe, _ := testkit.Pipe(t)
	for _, test := range []struct {
		name   string
		change func(l *wait.List, ready *[]int)
		want   [][2]int
	}{
		{"nothing changed", func(*wait.List, *[]int) {}, [][2]int{{1, b}, {2, c}}},
		{"one is ready again", func(_ *wait.List, ready *[]int) { *ready = []int{a, c} }, [][2]int{{0, a}, {1, b}, {2, c}}},
		{"one removed", func(l *wait.List, _ *[]int) { l.Remove(1) }, [][2]int{{1, c}}},
		{"one before removed", func(l *wait.List, _ *[]int) { l.Remove(0) }, [][2]int{{0, b}, {1, c}}},
		{"one put again", func(l *wait.List, _ *[]int) { l.Put(b, sys.In) }, [][2]int{{2, c}}},
		{"another put", func(l *wait.List, _ *[]int) { l.Put(d, sys.In); l.Put(d, sys.In) }, [][2]int{{1, b}, {2, c}}},
		{"all removed", func(l *wait.List, _ *[]int) { l.Clear() }, nil},
	} {
		for _, blocked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, blocked: %t", test.name, blocked), func(t *testing.T) {
				ready := []int{a, b, c, pipe}
				l := finding(&ready, a, b, c, pipe)
				if blocked {
					l.Arm(1)
					n, err := l.Sleep(sys.Never)
					testkit.Check(t, err)
					l.Disarm(false)
					equal(t, "block", taken(l, n, 1, true), [][2]int{{0, a}})
				} else {
					equal(t, "first", look(t, l, 1), [][2]int{{0, a}})
				}
				if !l.Kept {
					t.Error("Kept is not set")
				}
				ready = nil
				test.change(l, &ready)
				equal(t, "kept", look(t, l, 9), test.want)
				ready = nil
				equal(t, "once", look(t, l, 9), nil)
			})
		}
	}
	ready := []int{a, b, c}
	l := finding(&ready, a, b, c)
	look(t, l, 1)
	ready = nil
	look(t, l, 9)
	ready = []int{a, b}
	look(t, l, 1) // b, which had no room
	ready = nil
	equal(t, "kept again", look(t, l, 9), [][2]int{{0, a}})
}

// asleep waits until a goroutine that runs a function sleeps in the kernel or in Go's poller.
func asleep(t *testing.T, function string) {
	t.Helper()
	buf := make([]byte, 1<<20)
	testkit.Eventually(t, function+" to sleep", func() bool {
		return slices.ContainsFunc(strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n"), func(s string) bool {
			return strings.Contains(s, function) && (strings.Contains(s, "[IO wait") || strings.Contains(s, "[syscall"))
		})
	})
}

// The clock that sleeps for a later alarm wakes for an earlier one.
func TestEarlierAlarm(t *testing.T) {
	testkit.NoLeaks(t)
	rings := make(chan struct{}, 1)
	early, late := wait.NewAlarm(func() { rings <- struct{}{} }), wait.NewAlarm(func() { t.Error("an alarm rings an hour too early") })
	late.HandOver(sys.After(time.Hour))
	for i := range 3 {
		if asleep(t, "runExactClock"); i == 2 {
			late.Stop()
		}
		early.Set(sys.After(time.Millisecond))
		receive(t, rings)
		early.Stop()
	}
}

// gatherings are where tickets wait until a descriptor is readable.
var gatherings = []struct {
	name  string
	join  func(ticket *wait.Ticket, fd int) bool
	leave func(*wait.Ticket)
	size  func() int
}{
	{"lot", func(ticket *wait.Ticket, fd int) bool { return joinLot(ticket, sys.In, fd) }, wait.LeaveLot, wait.InLot},
	{"crowd", wait.TheCrowd.Join, func(ticket *wait.Ticket) { wait.TheCrowd.Leave(ticket) }, wait.TheCrowd.Size},
}

func joinLot(ticket *wait.Ticket, events uint16, fds ...int) bool {
	var entries []sys.PollFd
	for _, fd := range fds {
		entries = append(entries, sys.Entry(fd, events))
	}
	return wait.JoinLot(ticket, entries, false)
}

func TestEventCallsTickets(t *testing.T) {
	for _, g := range gatherings {
		t.Run(g.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			var ready, others []*wait.Ticket
			var writers []int
			for i := range 300 { // more than one system call reports
				r, w := testkit.Pipe(t)
				ticket := wait.NewTicket()
				if !g.join(ticket, r) {
					t.Fatal("a ticket cannot join")
				}
				if i%10 < 7 {
					ready, writers = append(ready, ticket), append(writers, w)
				} else {
					others = append(others, ticket)
				}
			}
			for _, w := range writers {
				testkit.Write(t, w, "x")
			}
			for _, ticket := range ready {
				called(t, ticket)
			}
			quiet(t, g.size, others...)
			for _, ticket := range slices.Concat(others, ready) {
				g.leave(ticket)
			}
			empty(t, g.size)
		})
	}
}

// Who has been called, and leaves later, has nothing to do with the next who waits for the descriptor.
func TestLeaveAfterCall(t *testing.T) {
	for _, g := range gatherings {
		t.Run(g.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, w := testkit.Pipe(t)
			other, kick := testkit.Pipe(t)
			first, second, third := wait.NewTicket(), wait.NewTicket(), wait.NewTicket()
			g.join(first, r)
			testkit.Write(t, w, "x")
			called(t, first)
			testkit.Drain(t, r)
			g.join(second, r)
			g.leave(first)
			g.join(third, other)
			testkit.Write(t, kick, "x")
			called(t, third)
			quiet(t, g.size, second)
			testkit.Write(t, w, "x")
			called(t, second)
			g.leave(second)
			g.leave(third)
			empty(t, g.size)
		})
	}
}

// When leave returns, nobody asks for the descriptor any more: its file is closed with it.
func TestCrowdLeaves(t *testing.T) {
	testkit.NoLeaks(t)
	idle, _ := testkit.Pipe(t)
	stays := wait.NewTicket()
	wait.TheCrowd.Join(stays, idle)
	for range 100 {
		r, w := testkit.Pipe(t)
		ticket := wait.NewTicket()
		wait.TheCrowd.Join(ticket, r)
		asleep(t, "(*crowd).run")
		wait.TheCrowd.Leave(ticket)
		testkit.Close(t, r)
		if _, err := unix.Write(w, []byte("x")); err != unix.EPIPE {
			t.Fatalf("after close, the pipe has a reader: %v", err)
		}
		testkit.Close(t, w)
	}
	wait.TheCrowd.Leave(stays)
	empty(t, wait.TheCrowd.Size)
}

// Tickets come and go, so that the goroutine that waits for all ends and begins again and again.
func TestTicketsComeAndGo(t *testing.T) {
	for _, g := range gatherings {
		t.Run(g.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			var all sync.WaitGroup
			for range 3 {
				r, w := testkit.Pipe(t)
				all.Go(func() {
					ticket := wait.NewTicket()
					for i := range 200 {
						g.join(ticket, r)
						if i%2 == 0 {
							testkit.Write(t, w, "x")
							called(t, ticket)
							testkit.Drain(t, r)
						}
						g.leave(ticket)
						for ticket.Called() { // there may have been a call too many
						}
					}
				})
			}
			all.Wait()
			empty(t, g.size)
		})
	}
}

func TestLotNumberReused(t *testing.T) {
	const farAway = 500 // from the numbers that the process, or an emulator that runs it, gets for other files
	for _, alive := range []bool{false, true} {
		t.Run(fmt.Sprintf("first file alive: %t", alive), func(t *testing.T) {
			testkit.NoLeaks(t)
			r1, w1 := testkit.Pipe(t)
			fd := testkit.Dup(t, r1, farAway)
			if !alive {
				testkit.Close(t, r1)
			}
			r2, w2 := testkit.Pipe(t)
			first, second, other := wait.NewTicket(), wait.NewTicket(), wait.NewTicket()
			joinLot(first, sys.In, fd)
			asleep(t, "(*lot).run")
			joinLot(other, sys.In, w1) // which becomes ready when the reader is closed, and not before
			testkit.Close(t, fd)
			if again := testkit.Dup(t, r2, farAway); again != fd {
				t.Fatalf("descriptor is %d, want %d", again, fd)
			}
			if !joinLot(second, sys.In, fd) {
				t.Fatal("a ticket cannot join")
			}
			testkit.Write(t, w2, "x")
			called(t, second)
			if !alive {
				called(t, other)
			}
			for _, ticket := range []*wait.Ticket{first, second, other} {
				wait.LeaveLot(ticket)
			}
			empty(t, wait.InLot)
		})
	}
}

func TestLotEvents(t *testing.T) {
	testkit.NoLeaks(t)
	x, y := testkit.Socketpair(t)
	testkit.Fill(t, x)
	in, out, both, urgent := wait.NewTicket(), wait.NewTicket(), wait.NewTicket(), wait.NewTicket()
	idle, _ := testkit.Pipe(t)
	for _, join := range []struct {
		ticket *wait.Ticket
		events uint16
	}{{in, sys.In}, {out, sys.Out}, {both, sys.In | sys.Out}, {urgent, sys.Pri}} {
		if !joinLot(join.ticket, join.events, idle, x) {
			t.Fatal("a ticket cannot join")
		}
	}
	testkit.Write(t, y, "x")
	called(t, in)
	called(t, both)
	quiet(t, wait.InLot, out, urgent)
	asleep(t, "(*lot).run") // although there is still something to read
	testkit.Drain(t, y)
	called(t, out)
	quiet(t, wait.InLot, in, both, urgent)
	testkit.Close(t, y)
	called(t, urgent) // a hang-up is for all, but for who asks for none
	hung, others := []sys.PollFd{sys.Entry(x, sys.Pri), sys.Entry(idle, sys.In)}, wait.NewTicket()
	sys.SetFound(&hung[0], unix.POLLHUP)
	wait.JoinLot(others, hung, true)
	again := wait.NewTicket()
	joinLot(again, sys.Pri, x)
	called(t, again)
	quiet(t, wait.InLot, others)
	for _, ticket := range []*wait.Ticket{in, out, both, urgent, others, again} {
		wait.LeaveLot(ticket)
	}
	empty(t, wait.InLot)
}

func TestLotRefuses(t *testing.T) {
	testkit.NoLeaks(t)
	r, w := testkit.Pipe(t)
	closed := testkit.Dup(t, r, 0)
	testkit.Close(t, closed)
	ticket := wait.NewTicket()
	mounts, err := os.Open("/proc/self/mounts")
	testkit.Check(t, err)
	defer mounts.Close()
	for _, bad := range []int{closed, int(mounts.Fd())} {
		if joinLot(ticket, sys.In, r, bad) {
			t.Errorf("fd %d is not refused", bad)
		}
	}
	fault := testkit.Fault{Call: unix.SYS_EPOLL_CTL, Args: testkit.Args{1: unix.EPOLL_CTL_ADD, 2: w}, Errno: unix.ENOSPC}
	fault.Run(t, func() {
		if joinLot(ticket, sys.Out, r, w, r) {
			t.Error("what the kernel refuses is not")
		}
	})
	empty(t, wait.InLot)
	joinLot(ticket, sys.In, r, r)
	testkit.Write(t, w, "x")
	called(t, ticket)
	wait.LeaveLot(ticket)
}

// A descriptor that is closed calls its ticket. A kernel that refuses all calls all.
func TestCrowdFails(t *testing.T) {
	testkit.NoLeaks(t)
	idle, _ := testkit.Pipe(t)
	again, closed := testkit.Dup(t, idle, 0), testkit.Dup(t, idle, 0)
	testkit.Close(t, closed)
	var tickets []*wait.Ticket
	join := func(fd int) (ticket *wait.Ticket) {
		ticket = wait.NewTicket()
		if tickets = append(tickets, ticket); !wait.TheCrowd.Join(ticket, fd) {
			t.Fatal("a ticket cannot join")
		}
		return ticket
	}
	first := join(idle)
	asleep(t, "(*crowd).run")
	called(t, join(closed))
	quiet(t, wait.TheCrowd.Size, first)
	testkit.NoMoreFds(t, 2)
	called(t, join(again))
	called(t, first)
	for i, want := range []bool{true, false, true} {
		if failed := wait.TheCrowd.Leave(tickets[i]); failed != want {
			t.Errorf("ticket %d: waiting was in vain: %t", i, failed)
		}
	}
	empty(t, wait.TheCrowd.Size)
}

// Who has left before joining is not there.
func TestCrowdLeftBefore(t *testing.T) {
	testkit.NoLeaks(t)
	idle, _ := testkit.Pipe(t)
	ticket := wait.NewTicket()
	wait.TheCrowd.Leave(ticket)
	if !wait.TheCrowd.Join(ticket, idle) || wait.TheCrowd.Size() != 0 {
		t.Error("a ticket joins that has left")
	}
}
