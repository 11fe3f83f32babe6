package wait

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// parkingLot is an epoll of this package's own. It watches the descriptors of all goroutines that would otherwise hold a thread
// in poll(2) or select(2). One goroutine waits for this epoll in Go's poller. Each descriptor is in the epoll once, however many
// goroutines wait for it. An event calls the tickets that wait for it, and the goroutine of each ticket looks for itself. The
// event also disarms the descriptor (EPOLLONESHOT). The kernel removes the descriptor when its file is closed.
var parkingLot lot

type lot struct {
	mu      sync.Mutex
	file    *os.File // of the epoll; nil if there is none yet
	conn    syscall.RawConn
	fd      int
	spots   map[int]*place // by descriptor: the head of the ring of those who wait for it
	spare   *place         // heads that are not used, linked by next
	waiting int            // tickets
	running bool

	events [128]unix.EpollEvent // of run
	n      int
	fetch  func(fd uintptr) bool
}

// places are those of one ticket. They are linked, and must not move.
type places []place

// A place is one element of the ring of those who wait for one descriptor. It holds a ticket. The head of the ring has none.
type place struct {
	prev, next *place
	ticket     *ticket
	fd         int
	events     uint32 // of the head: those of all, and perhaps of some who have left
}

// open makes the epoll, which is never closed, and reports whether there is one.
func (l *lot) open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil || sys.StartGoPoller() != nil {
		return l.file != nil
	}
	fd, err := sys.EpollCreate()
	if err != nil {
		return false
	}
	if l.file, l.conn, err = sys.InGoPoller(fd, "epoll"); err != nil {
		return false
	}
	l.fd, l.spots = fd, make(map[int]*place)
	l.fetch = func(uintptr) bool {
		l.n, err = sys.EpollLook(l.fd, l.events[:], false)
		return l.n > 0 || err != nil
	}
	return true
}

// share implements sharer.
func (l *List) share(deadline sys.Deadline) (n int, err error) {
	if l.hung {
		// An epoll reports a hang-up even if nobody asks for it, and would do so again and again. So join leaves out what has hung
		// up, and this wait looks at it again every 100 milliseconds.
		if _, err := sys.Poll(l.blocked, sys.Now); err != nil {
			l.apart = true
			return 0, nil
		}
		deadline = min(deadline, sys.After(100*time.Millisecond))
	}
	if l.apart = !parkingLot.join(l.ticket, l.blocked, l.hung); l.apart {
		return 0, nil
	}
	l.ticket.sleep(deadline)
	parkingLot.leave(l.ticket)
	n, err = l.Ask(l.blocked, sys.Now)
	l.hung = n == 0 && l.BySelect
	return n, err
}

// join adds a ticket, which is called when one of the descriptors may be ready. With withoutHung, join leaves out descriptors
// for which hasHung is true. It returns false if a descriptor is not steady or cannot be watched, or if there is no epoll.
func (l *lot) join(t *ticket, fds []sys.PollFd, withoutHung bool) bool {
	Prepare()
	for i := range fds {
		if steady, _ := sys.Steady(int(fds[i].Fd)); !steady {
			return false
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return false
	}
	t.places = slices.Grow(t.places[:0], len(fds))
	l.waiting++
	for i := range fds {
		if withoutHung && hasHung(fds[i]) {
			continue
		}
		t.places = append(t.places, place{ticket: t, fd: int(fds[i].Fd), events: wanted(uint16(fds[i].Events))})
		if l.arm(l.link(&t.places[len(t.places)-1])) != nil {
			l.depart(t)
			return false
		}
	}
	if !l.running {
		l.running = true
		l.file.SetReadDeadline(time.Time{})
		go runLot()
	}
	return true
}

// hasHung reports whether poll(2) has found nothing but events, a hang-up for instance, that select(2) would not report for f.
func hasHung(f sys.PollFd) bool {
	wants := wanted(uint16(f.Events))
	if wants&unix.EPOLLIN != 0 {
		wants |= unix.EPOLLHUP
	}
	if wants&(unix.EPOLLIN|unix.EPOLLOUT) != 0 {
		wants |= unix.EPOLLERR
	}
	return f.Revents != 0 && uint32(uint16(f.Revents))&wants == 0
}

// wanted returns the events of epoll for events of poll or select. Several bits mean "readable", and several mean "writable": if
// one of them is asked for, wanted returns all of them.
func wanted(events uint16) uint32 {
	const in, out = unix.EPOLLIN | unix.EPOLLRDNORM | unix.EPOLLRDBAND, unix.EPOLLOUT | unix.EPOLLWRNORM | unix.EPOLLWRBAND
	all := uint32(events)
	if all&in != 0 {
		all |= in
	}
	if all&out != 0 {
		all |= out
	}
	return all
}

// arm makes the epoll watch a descriptor for all who wait for it.
func (l *lot) arm(spot *place) error {
	err := sys.EpollCtl(l.fd, unix.EPOLL_CTL_MOD, spot.fd, spot.events|unix.EPOLLONESHOT, 0, true)
	if err != nil { // it is new, or another file
		err = sys.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, spot.fd, spot.events|unix.EPOLLONESHOT, 0, true)
	}
	return err
}

// link adds a place to the ring of its descriptor, and returns the head.
func (l *lot) link(p *place) *place {
	spot := l.spots[p.fd]
	if spot == nil {
		if spot = l.spare; spot != nil {
			l.spare = spot.next
		} else {
			spot = new(place)
		}
		*spot = place{prev: spot, next: spot, fd: p.fd}
		l.spots[p.fd] = spot
	}
	p.prev, p.next = spot.prev, spot
	p.prev.next, p.next.prev = p, p
	spot.events |= p.events
	return spot
}

func (l *lot) unlink(p *place) {
	if p.next == nil {
		return
	}
	p.prev.next, p.next.prev = p.next, p.prev
	if spot := p.next; spot == p.prev && spot.ticket == nil {
		delete(l.spots, p.fd)
		l.spare, spot.next = spot, l.spare
	}
	p.prev, p.next = nil, nil
}

// leave is for a ticket that has joined.
func (l *lot) leave(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.depart(t)
}

func (l *lot) depart(t *ticket) {
	for i := range t.places {
		l.unlink(&t.places[i])
	}
	clear(t.places)
	if l.waiting--; l.waiting == 0 && l.running {
		l.file.SetReadDeadline(time.Unix(0, 0)) // ends run
	}
}

// runLot is a function without arguments, so that starting it does not allocate.
func runLot() { parkingLot.run() }

// run calls tickets until none waits.
func (l *lot) run() {
	for {
		l.n = 0
		ended := l.conn.Read(l.fetch) != nil
		l.mu.Lock()
		for _, event := range l.events[:l.n] {
			if spot := l.spots[int(event.Fd)]; spot != nil {
				l.call(spot, event.Events)
			}
		}
		if l.waiting == 0 {
			l.running = false
			l.mu.Unlock()
			return
		}
		if ended {
			l.file.SetReadDeadline(time.Time{})
		}
		l.mu.Unlock()
	}
}

// call calls all who wait for events of a descriptor, and arms it for the others.
func (l *lot) call(spot *place, events uint32) {
	left, stay, last := uint32(0), false, spot.prev
	for p := spot.next; ; {
		next, end := p.next, p == last
		if events&(p.events|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			p.ticket.call()
			l.unlink(p)
		} else {
			left, stay = left|p.events, true
		}
		if end {
			break
		}
		p = next
	}
	if stay {
		spot.events = left
		l.arm(spot)
	}
}
