//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package wait

import (
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

type Ticket = ticket

func NewTicket() *Ticket { return tickets.New().(*Ticket) }

func (t *ticket) Sleep(deadline sys.Deadline) { t.sleep(deadline) }

// Called reports whether it has been called, and forgets it.
func (t *ticket) Called() bool {
	called := len(t.called) > 0
	t.reset()
	return called
}

type Crowd = crowd

var TheCrowd = theCrowd

// NewCrowd returns a crowd for which an asker asks that new returns, given the lock of the crowd.
func NewCrowd(newAsker func(*sync.Mutex) asker) *Crowd {
	c := newCrowd()
	c.asker = newAsker(&c.mu)
	return c
}

func (c *crowd) Join(t *Ticket, fd int) bool { return c.join(t, fd) }

func (c *crowd) Leave(t *Ticket) (failed bool) { return c.leave(t) }

// Size returns how many tickets and goroutines are there, once all calls for what has happened are over.
func (c *crowd) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tickets) + map[bool]int{true: 1}[c.running]
}

type Asker = asker
