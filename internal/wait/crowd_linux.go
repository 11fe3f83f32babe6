package wait

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// crowded is where the epolls are waited for that Go's poller has refused, because too many of them watch one file for
// instance: by one thread, with ppoll(2), which has no such limit.
var crowded crowd

type crowd struct {
	mu      sync.Mutex
	tickets []*ticket
	waker   *sys.Waker // while it is running
	running bool
	woken   bool
}

// join lets a ticket be called when a descriptor is readable. It returns false if that is impossible.
func (c *crowd) join(t *ticket, fd int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		waker, err := sys.NewWaker()
		if err != nil {
			return false
		}
		c.waker, c.running, c.woken = waker, true, false
		go c.run()
	}
	t.fd, t.index, t.failed = fd, len(c.tickets), false
	c.tickets = append(c.tickets, t)
	c.wake()
	return true
}

// leave is for a ticket that has joined. It reports whether that was in vain.
func (c *crowd) leave(t *ticket) (failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(t)
	if len(c.tickets) == 0 && c.running {
		c.wake()
	}
	return t.failed
}

func (c *crowd) remove(t *ticket) {
	if t.index < 0 {
		return
	}
	last := len(c.tickets) - 1
	c.tickets[last].index = t.index
	c.tickets[t.index] = c.tickets[last]
	c.tickets[last] = nil
	c.tickets = c.tickets[:last]
	t.index = -1
}

func (c *crowd) wake() {
	if !c.woken {
		c.woken = true
		c.waker.Wake()
	}
}

// run waits for all until none is left.
func (c *crowd) run() {
	var fds []sys.PollFd
	var tickets []*ticket
	for {
		c.mu.Lock()
		if c.woken {
			c.woken = false
			c.waker.Drain()
		}
		if len(c.tickets) == 0 {
			c.running, c.tickets = false, nil
			c.waker.Close()
			c.waker = nil
			c.mu.Unlock()
			return
		}
		tickets = append(tickets[:0], c.tickets...)
		fds = append(fds[:0], sys.Entry(c.waker.Fd(), sys.In))
		for _, t := range tickets {
			fds = append(fds, sys.Entry(t.fd, sys.In))
		}
		c.mu.Unlock()
		n, err := sys.Poll(fds, sys.Never)
		if err != nil { // there are more than the process may have open now
			c.fail()
			return
		}
		if n == 0 {
			continue
		}
		c.mu.Lock()
		for i, t := range tickets {
			if t.index >= 0 && t.fd == int(fds[1+i].Fd) && fds[1+i].Revents&^unix.POLLNVAL != 0 {
				t.call()
				c.remove(t)
			}
		}
		clear(tickets)
		c.mu.Unlock()
	}
}

// fail calls all, who will find out for themselves that they cannot wait here.
func (c *crowd) fail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	c.waker.Close()
	for len(c.tickets) > 0 {
		t := c.tickets[0]
		t.failed = true
		t.call()
		c.remove(t)
	}
}
