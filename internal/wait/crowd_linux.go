package wait

import (
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// pollCrowd is one thread that waits in ppoll(2) for all epolls that Go's poller has refused. Go's poller refuses an epoll, for
// instance, when too many epolls watch one file. ppoll(2) has no such limit.
var pollCrowd crowd

type crowd struct {
	mu      sync.Mutex
	tickets []*ticket
	waker   *sys.Waker // nil if there is none yet
	running bool
	woken   bool
	round   int       // of run
	passed  sync.Cond // to the next round

	asked []*ticket // of run
	fds   []sys.PollFd
}

// open makes the waker, which is never closed, and reports whether there is one.
func (c *crowd) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waker == nil {
		c.waker, _ = sys.NewWaker()
		c.passed.L = &c.mu
	}
	return c.waker != nil
}

// join lets a ticket be called when a descriptor is readable. It returns false if that is impossible.
func (c *crowd) join(t *ticket, fd int) bool {
	Prepare()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waker == nil || t.gone {
		return t.gone
	}
	c.tickets = append(c.tickets, t)
	t.fd, t.index = fd, len(c.tickets)
	if c.running {
		c.wake()
	} else {
		c.running = true
		go runCrowd()
	}
	return true
}

// leave removes a ticket, or keeps it from joining if it has not joined yet. When leave returns, the thread does not wait for the
// ticket's descriptor any more. leave returns true if the thread could not wait for it, because ppoll(2) failed.
func (c *crowd) leave(t *ticket) (failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.gone = true
	if t.index != 0 {
		c.remove(t)
		c.wake()
		for round := c.round; c.running && c.round == round; {
			c.passed.Wait()
		}
	}
	return t.failed
}

func (c *crowd) remove(t *ticket) {
	last := len(c.tickets)
	c.tickets[last-1].index = t.index
	c.tickets[t.index-1] = c.tickets[last-1]
	c.tickets[last-1] = nil
	c.tickets = c.tickets[:last-1]
	t.index = 0
}

func (c *crowd) wake() {
	if !c.woken {
		c.woken = true
		c.waker.Wake()
	}
}

// runCrowd is a function without arguments, so that starting it does not allocate.
func runCrowd() { pollCrowd.run() }

// run waits for all until none is left.
func (c *crowd) run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		c.round++
		c.passed.Broadcast()
		if c.woken {
			c.woken = false
			c.waker.Drain()
		}
		if len(c.tickets) == 0 {
			c.running = false
			return
		}
		c.asked = append(c.asked[:0], c.tickets...)
		c.fds = append(c.fds[:0], sys.Entry(c.waker.Fd(), sys.In))
		for _, t := range c.asked {
			c.fds = append(c.fds, sys.Entry(t.fd, sys.In))
		}
		c.mu.Unlock()
		_, err := sys.Poll(c.fds, sys.Never)
		c.mu.Lock()
		for i, t := range c.asked {
			if t.index != 0 && t.fd == int(c.fds[1+i].Fd) && (c.fds[1+i].Revents != 0 || err != nil) {
				t.failed = err != nil // there are more than the process may have open now
				t.call()
				c.remove(t)
			}
		}
		clear(c.asked)
	}
}
