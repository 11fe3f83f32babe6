//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package wait

import (
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// theCrowd is all goroutines that each wait for one descriptor, of an epoll or a kqueue, to be readable. One thread waits for the
// descriptors of all. How it asks the kernel is different on each system.
var theCrowd = newCrowd()

type crowd struct {
	mu      sync.Mutex
	asker   asker           // nil if there is none yet
	tickets map[int]*ticket // by descriptor
	running bool
	start   func() // run, so that starting it does not allocate
}

func newCrowd() *crowd {
	c := &crowd{tickets: make(map[int]*ticket)}
	c.start = c.run
	return c
}

// An asker asks the kernel for a crowd. Its methods are called with the crowd locked.
type asker interface {
	// Add lets Wait find a descriptor once, when it is readable or the kernel does not know it.
	Add(fd int) error

	// Remove undoes Add. When it returns, nobody asks for the descriptor any more. If none is left, it ends a Wait that is on.
	Remove(fd int)

	// Wait returns the descriptors that it finds, which may be none. After an error, it can wait for none of those that were added.
	// It unlocks the crowd while it is in the kernel.
	Wait() (found []int, err error)
}

// open makes what the crowd needs, which is never closed, and reports whether that is there.
func (c *crowd) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asker == nil {
		c.asker = newAsker(&c.mu)
	}
	return c.asker != nil
}

// join lets a ticket be called when a descriptor is readable. It returns false if that is impossible, or somebody else waits for it.
func (c *crowd) join(t *ticket, fd int) bool {
	Prepare()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asker == nil || t.gone {
		return t.gone
	}
	if c.tickets[fd] != nil || c.asker.Add(fd) != nil {
		return false
	}
	c.tickets[fd], t.fd = t, fd
	if !c.running {
		c.running = true
		go c.start()
	}
	return true
}

// leave removes a ticket, or keeps it from joining if it has not joined yet. When leave returns, nobody asks for the ticket's
// descriptor any more. leave returns true if the thread could not wait for it.
func (c *crowd) leave(t *ticket) (failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.gone = true
	if c.tickets[t.fd] == t {
		c.remove(t)
	}
	return t.failed
}

func (c *crowd) remove(t *ticket) {
	delete(c.tickets, t.fd)
	c.asker.Remove(t.fd)
}

// run calls tickets until none is left.
func (c *crowd) run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.tickets) > 0 {
		found, err := c.asker.Wait()
		for _, fd := range found {
			c.tickets[fd].call()
			delete(c.tickets, fd)
		}
		if err != nil {
			for _, t := range c.tickets {
				c.remove(t)
				t.failed = true
				t.call()
			}
		}
	}
	c.running = false
}

// inCrowd blocks in the crowd, until a descriptor is readable or the wait is kicked. Where that turns out to be impossible, the wait
// stays apart from then on.
func (w *Waits) inCrowd(fd int, deadline sys.Deadline) (n int, err error) {
	if w.apart = !theCrowd.join(w.ticket, fd); w.apart {
		return 0, nil
	}
	w.ticket.sleep(deadline)
	w.apart = theCrowd.leave(w.ticket)
	return -1, nil
}
