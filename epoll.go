//go:build linux

package pyselect

import (
	"context"
	"os"
	"time"

	"github.com/pyselect/pyselect/internal/wait"
)

// An EpollMask is a set of events and flags of an [Epoll].
type EpollMask uint32

// Events and flags of an Epoll.
const (
	EPOLLIN        EpollMask = 0x001   // readable
	EPOLLPRI       EpollMask = 0x002   // urgent data
	EPOLLOUT       EpollMask = 0x004   // writable
	EPOLLERR       EpollMask = 0x008   // an error; reported without being asked for
	EPOLLHUP       EpollMask = 0x010   // hung up; reported without being asked for
	EPOLLRDNORM    EpollMask = 0x040   // the same as EPOLLIN
	EPOLLRDBAND    EpollMask = 0x080   // priority data can be read
	EPOLLWRNORM    EpollMask = 0x100   // the same as EPOLLOUT
	EPOLLWRBAND    EpollMask = 0x200   // priority data can be written
	EPOLLMSG       EpollMask = 0x400   // never reported
	EPOLLRDHUP     EpollMask = 0x2000  // the peer has closed its sending side
	EPOLLEXCLUSIVE EpollMask = 1 << 28 // wake at least one of the epolls that watch the descriptor, not all
	EPOLLWAKEUP    EpollMask = 1 << 29 // keep the system awake while the event is handled
	EPOLLONESHOT   EpollMask = 1 << 30 // report once, then be silent until Modify
	EPOLLET        EpollMask = 1 << 31 // edge-triggered: report when the state changes; the default is level-triggered
)

var epollNames = []bitName[EpollMask]{
	{EPOLLIN, "EPOLLIN"},
	{EPOLLPRI, "EPOLLPRI"},
	{EPOLLOUT, "EPOLLOUT"},
	{EPOLLERR, "EPOLLERR"},
	{EPOLLHUP, "EPOLLHUP"},
	{EPOLLRDNORM, "EPOLLRDNORM"},
	{EPOLLRDBAND, "EPOLLRDBAND"},
	{EPOLLWRNORM, "EPOLLWRNORM"},
	{EPOLLWRBAND, "EPOLLWRBAND"},
	{EPOLLMSG, "EPOLLMSG"},
	{EPOLLRDHUP, "EPOLLRDHUP"},
	{EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
	{EPOLLWAKEUP, "EPOLLWAKEUP"},
	{EPOLLONESHOT, "EPOLLONESHOT"},
	{EPOLLET, "EPOLLET"},
}

// String returns the names of the events and flags, like "EPOLLIN|EPOLLET".
func (m EpollMask) String() string { return maskString(m, epollNames) }

// An EpollEvent is a descriptor that is ready, and what for.
type EpollEvent struct {
	Fd     int
	Events EpollMask
}

// An Epoll is a set of descriptors that the kernel watches, with epoll(7). It mirrors Python's select.epoll object.
//
// All methods are safe for concurrent use. Any number of goroutines may wait at the same time, each with its own timeout; a
// change takes effect on waits that are on. After Close, every method but Closed returns an error that is os.ErrClosed.
//
// A descriptor that is closed leaves the set by itself, unless a duplicate of it is open.
//
// # Waiting
//
// A goroutine that waits is parked in Go's own poller, which then watches a duplicate of the epoll's descriptor. If the program
// has only this one loop, the goroutine sleeps in the kernel with a thread instead, because that is cheaper.
//
// A wait always holds a thread in three cases: after EpollFromFd, when something is registered with EPOLLEXCLUSIVE, and when
// something is registered that is not a socket, a pipe, an eventfd, a timerfd, an inotify descriptor or a terminal. A file of
// another kind may give its answer to one caller, or to one thread, and not to another. Descriptors that are added to the set
// with golang.org/x/sys should be of the kinds named here.
//
// Python's epoll can be watched by another one; so can this.
type Epoll struct {
	ep      *wait.Epoll // its lock is for what is below, too
	count   int         // descriptors registered and not unregistered
	highest int         // the highest descriptor that was ever registered
	objects objects
}

// FD_SETSIZE - 1, the default of maxevents in Python.
const defaultMaxEvents = 1023

// NewEpoll returns an empty set. Its descriptor is close-on-exec. An Epoll that becomes unreachable is closed. It mirrors
// select.epoll.
//
// The error is an errno, like unix.EMFILE.
func NewEpoll() (*Epoll, error) {
	ep, err := wait.NewEpoll()
	if err != nil {
		return nil, opError("select.epoll", -1, err)
	}
	return &Epoll{ep: ep}, nil
}

// EpollFromFd returns an Epoll for a descriptor that exists, and owns it from now on: Close closes it. That it is no epoll
// descriptor shows when it is first used, as unix.EINVAL. It mirrors epoll.fromfd.
//
// The error is os.ErrInvalid for a negative number.
func EpollFromFd(fd int) (*Epoll, error) {
	fd, err := checkFd(fd)
	if err != nil {
		return nil, opError("epoll.fromfd", -1, err)
	}
	return &Epoll{ep: wait.EpollFromFd(fd)}, nil
}

// Close closes the descriptor and ends all waits with an error that is os.ErrClosed. Closing again does nothing. It mirrors
// epoll.close.
func (e *Epoll) Close() error {
	err := e.ep.Close(func() error {
		e.objects = nil
		return e.ep.Release()
	})
	return opError("epoll.close", -1, err)
}

// Closed reports whether Close has been called. It mirrors epoll.closed.
func (e *Epoll) Closed() bool {
	e.ep.Lock()
	defer e.ep.Unlock()
	return e.ep.Closed()
}

// Fileno returns the descriptor of the epoll itself. It mirrors epoll.fileno.
func (e *Epoll) Fileno() (int, error) {
	e.ep.Lock()
	defer e.ep.Unlock()
	if e.ep.Closed() {
		return -1, opError("epoll.fileno", -1, os.ErrClosed)
	}
	return e.ep.Fd(), nil
}

// Register adds a waitable object, see [Fileno], with the events to wait for and the flags; Python's default for these is
// EPOLLIN|EPOLLPRI|EPOLLOUT. EPOLLERR and EPOLLHUP are reported in any case. It mirrors epoll.register.
//
// The error is unix.EEXIST, which is fs.ErrExist, if the descriptor is registered, unix.EPERM if it cannot be watched, as a
// regular file, unix.EBADF if it is not open, or that of Fileno.
func (e *Epoll) Register(fd any, eventmask EpollMask) error {
	const op = "epoll.register"
	n, err := begin(&e.ep.Waits, op, fd)
	defer e.ep.Unlock()
	if err != nil {
		return err
	}
	if err := e.ep.Add(n, fd, uint32(eventmask), 0); err != nil {
		return opError(op, n, err)
	}
	e.count++
	e.highest = max(e.highest, n)
	// count includes descriptors that were closed without Unregister. But there are only highest+1 different numbers.
	e.ep.Bound = max(e.ep.Bound, min(e.count, e.highest+1))
	e.objects.keep(n, fd)
	return nil
}

// Modify changes the events to wait for and the flags. It mirrors epoll.modify.
//
// The error is unix.ENOENT, which is fs.ErrNotExist, if the descriptor is not registered, unix.EBADF if it is not open,
// unix.EINVAL with EPOLLEXCLUSIVE, or that of Fileno.
func (e *Epoll) Modify(fd any, eventmask EpollMask) error {
	const op = "epoll.modify"
	n, err := begin(&e.ep.Waits, op, fd)
	defer e.ep.Unlock()
	if err != nil {
		return err
	}
	if err := e.ep.Modify(n, uint32(eventmask), 0); err != nil {
		return opError(op, n, err)
	}
	e.objects.keep(n, fd)
	return nil
}

// Unregister removes a descriptor. It mirrors epoll.unregister.
//
// The error is unix.ENOENT, which is fs.ErrNotExist, if the descriptor is not registered, unix.EBADF if it is not open, or
// that of Fileno.
func (e *Epoll) Unregister(fd any) error {
	const op = "epoll.unregister"
	n, err := begin(&e.ep.Waits, op, fd)
	defer e.ep.Unlock()
	if err != nil {
		return err
	}
	if err := e.ep.Remove(n); err != nil {
		return opError(op, n, err)
	}
	e.count--
	e.objects.drop(n)
	return nil
}

// Poll waits until a registered descriptor is ready, and returns the events of up to maxevents descriptors. -1 stands for
// FD_SETSIZE-1, which is 1023. The next call returns the events for which there was no room. If the timeout is over first, Poll
// returns no events. It mirrors epoll.poll.
//
// A timeout of zero does not wait and costs no more than the system call; [Forever] and any negative one wait without end,
// so that a time.Until that has passed must not be given as it is. Python takes seconds here.
//
// The error is os.ErrInvalid if maxevents is 0 or less than -1, os.ErrClosed if the Epoll is closed, also in the meantime,
// and otherwise an errno.
func (e *Epoll) Poll(timeout time.Duration, maxevents int) ([]EpollEvent, error) {
	return e.poll(context.Background(), nil, maxevents, timeout)
}

// PollInto is Poll into a buffer of the caller's. It fills the first n elements of the buffer. It does not allocate, unless
// another goroutine waits for the same Epoll.
//
// The error is os.ErrInvalid if the buffer is empty, or that of Poll.
func (e *Epoll) PollInto(events []EpollEvent, timeout time.Duration) (n int, err error) {
	if len(events) == 0 && !e.Closed() {
		return 0, opError("epoll.poll", -1, errEmptyBuffer)
	}
	events, err = e.poll(context.Background(), events[:0], len(events), timeout)
	return len(events), err
}

// PollContext is Poll without a timeout, until ctx is done. If ctx is done already, it does not look for anything. Python has
// no counterpart.
//
// The error is ctx.Err(), also when a deadline has passed, or that of Poll.
func (e *Epoll) PollContext(ctx context.Context, maxevents int) ([]EpollEvent, error) {
	return e.poll(ctx, nil, maxevents, Forever)
}

// poll appends up to room events to dst, or to a new slice of the right size if that is nil.
func (e *Epoll) poll(ctx context.Context, dst []EpollEvent, room int, timeout time.Duration) ([]EpollEvent, error) {
	const op = "epoll.poll"
	switch {
	case room == -1:
		room = defaultMaxEvents
	case room <= 0 && !e.Closed():
		return dst, opError(op, -1, invalid("maxevents is %d, want -1 or more than 0", room))
	}
	err := e.ep.Wait(ctx, room, forever(timeout), func(n int, blocked bool) (bool, error) {
		if dst == nil {
			dst = make([]EpollEvent, 0, n)
		}
		for _, event := range e.ep.Found(n, blocked) {
			dst = append(dst, EpollEvent{int(event.Fd), EpollMask(event.Events)})
		}
		if n == e.ep.Bound {
			e.ep.Bound = 2 * n // there may be others that were registered by other means
		}
		return true, nil
	})
	return dst, waitError(ctx, op, err)
}
