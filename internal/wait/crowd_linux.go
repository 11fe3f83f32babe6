package wait

import (
	"slices"
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// A pollAsker asks ppoll(2), for epolls that Go's poller has refused. Go's poller refuses an epoll, for instance, when too many epolls
// watch one file. ppoll(2) has no such limit.
type pollAsker struct {
	crowd   *sync.Mutex
	waker   *sys.Waker
	fds     []sys.PollFd // the waker's is the first
	asked   []sys.PollFd // of the wait in progress
	ready   []int
	found   []int
	polling bool
	woken   bool
	round   int
	passed  sync.Cond // to the next round
}

// newAsker returns nil if there is no descriptor for it.
func newAsker(crowd *sync.Mutex) asker {
	waker, err := sys.NewWaker()
	if err != nil {
		return nil
	}
	p := &pollAsker{crowd: crowd, waker: waker}
	p.passed.L = crowd
	p.Add(waker.Fd())
	return p
}

func (p *pollAsker) Add(fd int) error {
	p.fds = append(p.fds, sys.Entry(fd, sys.In))
	p.wake()
	return nil
}

func (p *pollAsker) Remove(fd int) {
	p.fds = slices.DeleteFunc(p.fds, func(f sys.PollFd) bool { return int(f.Fd) == fd })
	p.wake()
	for round := p.round; p.polling && p.round == round; {
		p.passed.Wait()
	}
}

// wake ends a Wait that is on.
func (p *pollAsker) wake() {
	if p.polling && !p.woken {
		p.woken = true
		p.waker.Wake()
	}
}

func (p *pollAsker) Wait() ([]int, error) {
	p.asked = append(p.asked[:0], p.fds...)
	p.polling = true
	p.crowd.Unlock()
	_, err := sys.Poll(p.asked, sys.Never)
	p.crowd.Lock()
	p.polling = false
	p.round++
	p.passed.Broadcast()
	if p.woken {
		p.woken = false
		p.waker.Drain()
	}
	p.ready, p.found = p.ready[:0], p.found[:0]
	for _, f := range p.asked[1:] {
		if f.Revents != 0 {
			p.ready = append(p.ready, int(f.Fd))
		}
	}
	slices.Sort(p.ready)
	p.fds = slices.DeleteFunc(p.fds, func(f sys.PollFd) bool { // others may have been removed meanwhile
		_, found := slices.BinarySearch(p.ready, int(f.Fd))
		if found {
			p.found = append(p.found, int(f.Fd))
		}
		return found
	})
	return p.found, err
}
