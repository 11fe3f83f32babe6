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
	crowd    *sync.Mutex
	changed  sync.Cond
	added    map[int]bool
	readable []int
	err      error
	refuses  bool
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

func (m *memory) Remove(fd int) {
	if delete(m.added, fd); len(m.added) == 0 {
		m.changed.Signal()
	}
}

func (m *memory) Wait() (found []int, err error) {
	for len(m.readable) == 0 && m.err == nil && len(m.added) > 0 {
		m.changed.Wait()
	}
	for _, fd := range m.readable {
		if m.added[fd] {
			found = append(found, fd)
			delete(m.added, fd)
		}
	}
	err, m.err, m.readable = m.err, nil, nil
	return found, err
}

// says lets the next Wait return.
func (m *memory) says(err error, readable ...int) {
	m.crowd.Lock()
	defer m.crowd.Unlock()
	m.readable, m.err = append(m.readable, readable...), errors.Join(m.err, err)
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

func TestCrowdIsRefused(t *testing.T) {
	testkit.NoLeaks(t)
	m, c := newMemory(t)
	gone := wait.NewTicket()
	c.Leave(gone)
	if !c.Join(gone, 1) || c.Size() != 0 {
		t.Error("a ticket joins that has left")
	}
	one, two := join(t, c, 1), join(t, c, 2)
	if second := wait.NewTicket(); c.Join(second, 1) {
		t.Error("two tickets join for one descriptor")
	}
	m.asked(t, 1, 2)
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
