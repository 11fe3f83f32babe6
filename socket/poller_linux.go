package socket

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// leaveGoPoller lets a waiter park in an epoll of its own, which Go's poller watches. Go's poller takes an event that is EPOLLERR alone
// for a descriptor that it cannot watch, and wants to know nothing more of it. But something in the error queue, like a timestamp, is such
// an event, and so is the error of an earlier datagram. Only who waits to read meets that.
func (w *waiter) leaveGoPoller(p *poller, _ error) error {
	fd, err := sys.EpollCreate()
	if err != nil {
		return errUnwatched
	}
	epoll, raw, err := sys.InGoPoller(fd, "epoll of a socket")
	if err != nil {
		return errUnwatched
	}
	const events = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET // so that an error that stays is reported once
	p.conn.Control(func(socket uintptr) { err = sys.EpollCtl(fd, unix.EPOLL_CTL_ADD, int(socket), events, 0, false) })
	if err != nil {
		epoll.Close()
		return errUnwatched
	}
	park := func(attempt func(fd uintptr) bool) error {
		return raw.Read(func(fd uintptr) (done bool) {
			var events [1]unix.EpollEvent
			unix.EpollWait(int(fd), events[:], 0) // before the attempt, so that what comes later is an edge
			p.conn.Control(func(socket uintptr) { done = attempt(socket) })
			return done
		})
	}
	w.parking.Store(&parking{park, epoll.SetReadDeadline, epoll.Close})
	if p.isClosed() {
		epoll.Close()
		return os.ErrClosed
	}
	return nil
}
