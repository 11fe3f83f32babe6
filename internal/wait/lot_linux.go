package wait

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// together is a parking lot for those who would hold a thread in poll(2) or select(2): an epoll of this package's own, for
// which one goroutine waits in Go's poller. Each descriptor is in it once, whoever waits for it. An event calls those who wait
// for it, and they look for themselves. An entry is disarmed then (EPOLLONESHOT), and goes when its file is closed.
var together lot

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

// A place is that of a ticket among those who wait for a descriptor, or the head of their ring, which has no ticket.
type place struct {
	prev, next *place
	ticket     *ticket
	fd         int
	events     uint32 // of the head: those of all, and perhaps of some who have left
}

// open makes the epoll. It is not closed any more.
func (l *lot) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil || sys.StartGoPoller() != nil {
		return
	}
	fd, err := sys.EpollCreate()
	if err != nil {
		return
	}
	unix.SetNonblock(fd, true)
	file := os.NewFile(uintptr(fd), "epoll")
	conn, err := file.SyscallConn()
	if err != nil || file.SetReadDeadline(time.Time{}) != nil {
		file.Close()
		return
	}
	l.file, l.conn, l.fd, l.spots = file, conn, fd, make(map[int]*place)
	l.fetch = func(uintptr) bool {
		l.n, err = sys.EpollLook(l.fd, l.events[:], true)
		return l.n > 0 || err != nil
	}
}

// join lets a ticket be called when one of the descriptors may be ready. It returns false if that is impossible.
func (l *lot) join(t *ticket, fds []sys.PollFd) bool {
	for i := range fds {
		if !sys.Steady(int(fds[i].Fd)) {
			return false
		}
	}
	Prepare()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return false
	}
	if cap(t.places) < len(fds) {
		t.places = make([]place, len(fds))
	}
	t.places = t.places[:len(fds)]
	l.waiting++
	for i := range fds {
		p := &t.places[i]
		*p = place{ticket: t, fd: int(fds[i].Fd), events: wanted(uint16(fds[i].Events))}
		if l.arm(l.park(p)) != nil {
			t.places = t.places[:i+1]
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

// wanted returns the events of epoll for those of select and poll: each of both knows more than one that means the same.
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

// park adds a place to the ring of its descriptor, and returns the head.
func (l *lot) park(p *place) *place {
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

func (l *lot) unpark(p *place) {
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
		l.unpark(&t.places[i])
	}
	clear(t.places)
	if l.waiting--; l.waiting == 0 && l.running {
		l.file.SetReadDeadline(time.Unix(0, 0)) // ends run
	}
}

// runLot is a function without arguments, so that starting it does not allocate.
func runLot() { together.run() }

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
	left, last := uint32(0), spot.prev
	for p := spot.next; ; {
		next, end := p.next, p == last
		if events&(p.events|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			p.ticket.call()
			l.unpark(p)
		} else {
			left |= p.events
		}
		if end {
			break
		}
		p = next
	}
	if left != 0 {
		spot.events = left
		l.arm(spot)
	}
}
