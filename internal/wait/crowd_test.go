//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package wait_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

// A memory asks no kernel: a test says what is readable. It implements wait.Asker.
type memory struct {
	crowd   *sync.Mutex
	changed sync.Cond
	added   map[int]bool
	found   []int
	err     error
	refuses bool
	woken   bool
}

func newMemory(t *testing.T) (*memory, *wait.Crowd) {
	var m *memory
	c := wait.NewCrowd(func(crowd *sync.Mutex) wait.Asker {
		m = &memory{crowd: crowd, added: map[int]bool{}}
		m.changed.L = crowd
		return m
	})
	t.Cleanup(func() { empty(t, c.Size) })
	return m, c
}

func (m *memory) Add(fd int) error {
	if m.refuses {
		return errFake
	}
	m.added[fd] = true
	return nil
}

func (m *memory) Remove(fd int) { delete(m.added, fd) }

func (m *memory) Wake() {
	m.woken = true
	m.changed.Signal()
}

func (m *memory) Wait() (found []int, err error) {
	for len(m.found) == 0 && m.err == nil && !m.woken {
		m.changed.Wait()
	}
	found, err = m.found, m.err
	m.found, m.err, m.woken = nil, nil, false
	return found, err
}

// says lets the next Wait return.
func (m *memory) says(err error, found ...int) {
	m.crowd.Lock()
	defer m.crowd.Unlock()
	for _, fd := range found {
		delete(m.added, fd) // once
	}
	m.found, m.err = append(m.found, found...), errors.Join(m.err, err)
	m.changed.Signal()
}

// asked checks for which descriptors the kernel is asked.
func (m *memory) asked(t *testing.T, want ...int) {
	t.Helper()
	m.crowd.Lock()
	defer m.crowd.Unlock()
	var got []int
	for fd := range m.added {
		got = append(got, fd)
	}
	slices.Sort(got)
	testkit.Equal(t, "asked", got, want...)
}

// join returns a ticket that has joined.
func join(t *testing.T, c *wait.Crowd, fd int) *wait.Ticket {
	t.Helper()
	ticket := wait.NewTicket()
	if !c.Join(ticket, fd) {
		t.Fatal("a ticket cannot join")
	}
	return ticket
}

// called waits until a ticket is called.
func called(t *testing.T, ticket *wait.Ticket) {
	t.Helper()
	deadline := sys.After(testkit.Patience)
	if ticket.Sleep(deadline); deadline.Left() == 0 {
		t.Error("a ticket is not called")
	}
}

// quiet checks that tickets have not been called. What has happened until now has called all whom it concerns.
func quiet(t *testing.T, size func() int, tickets ...*wait.Ticket) {
	t.Helper()
	size()
	for i, ticket := range tickets {
		if ticket.Called() {
			t.Errorf("ticket %d has been called", i)
		}
	}
}

func empty(t *testing.T, size func() int) {
	t.Helper()
	testkit.Eventually(t, "all to be gone", func() bool { return size() == 0 })
}

func TestCrowdCallsWhoIsFound(t *testing.T) {
	testkit.NoLeaks(t)
	m, c := newMemory(t)
	one, two, three := join(t, c, 1), join(t, c, 2), join(t, c, 3)
	m.says(nil, 1, 3, 7) // nobody waits for the last
	called(t, one)
	called(t, three)
	quiet(t, c.Size, two)
	m.asked(t, 2)
	for _, ticket := range []*wait.Ticket{one, two, three} {
		if c.Leave(ticket) {
			t.Error("waiting was in vain")
		}
	}
	m.asked(t)
}

// What was found for one who has left may call the next, who looks and comes again.
func TestCrowdFindsTooLate(t *testing.T) {
	testkit.NoLeaks(t)
	m, c := newMemory(t)
	stays, first := join(t, c, 1), join(t, c, 2)
	c.Leave(first)
	m.says(nil, 2)
	second := join(t, c, 2)
	again := join(t, c, 2)
	m.says(nil, 2)
	called(t, again)
	quiet(t, c.Size, first, stays)
	for _, ticket := range []*wait.Ticket{second, again, stays} {
		c.Leave(ticket)
	}
	m.asked(t)
}

// The number of a descriptor that was closed belongs to who comes later.
func TestCrowdNumberReused(t *testing.T) {
	testkit.NoLeaks(t)
	m, c := newMemory(t)
	first := join(t, c, 1)
	second := join(t, c, 1)
	called(t, first)
	c.Leave(first)
	m.asked(t, 1)
	m.says(nil, 1)
	called(t, second)
	c.Leave(second)
}

func TestCrowdIsRefused(t *testing.T) {
	testkit.NoLeaks(t)
	m, c := newMemory(t)
	gone := wait.NewTicket()
	c.Leave(gone)
	if !c.Join(gone, 1) || c.Size() != 0 {
		t.Error("a ticket joins that has left")
	}
	one, two := join(t, c, 1), join(t, c, 2)
	m.refuses = true
	if late := wait.NewTicket(); c.Join(late, 3) {
		t.Error("a ticket joins for what the kernel refuses")
	}
	m.says(errFake)
	called(t, one)
	called(t, two)
	m.asked(t)
	if !c.Leave(one) || !c.Leave(two) {
		t.Error("waiting was not in vain")
	}
	if nobody := (&wait.Crowd{}); nobody.Join(wait.NewTicket(), 1) {
		t.Error("a ticket joins a crowd for which nobody asks")
	}
}

// However they come and go, everybody is called who is found, and nobody is left behind.
func TestCrowdAtRandom(t *testing.T) {
	testkit.NoLeaks(t)
	m, c := newMemory(t)
	var all sync.WaitGroup
	for fd := range 8 {
		random := rand.New(rand.NewPCG(1, uint64(fd)))
		all.Go(func() {
			for range 500 {
				ticket := wait.NewTicket()
				if !c.Join(ticket, fd) {
					t.Error("a ticket cannot join")
					return
				}
				switch random.IntN(4) {
				case 0:
				case 1:
					ticket.Sleep(sys.After(1))
				case 2:
					m.says(errFake)
					called(t, ticket)
				default:
					m.says(nil, fd)
					called(t, ticket)
				}
				c.Leave(ticket)
			}
		})
	}
	all.Wait()
	m.asked(t)
}
