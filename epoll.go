//go:build linux

package pyselect

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// An EpollMask is a set of events and flags of an [Epoll].
type EpollMask uint32

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
// # Nesting
//
// An Epoll is waitable itself: another Epoll can watch it, and the kernel allows such a nesting to be four deep. Go's own
// poller counts as one level of it above an Epoll on which a wait had to block. Where that is one too many, the wait
// occupies a thread.
//
// For the same reason, the kernel lets at most 500 Epolls on which a wait had to block watch one open file, a pipe for
// instance that all of them have in common. The waits of more occupy a thread each, and to register the file with an Epoll
// that has waited before is unix.EINVAL. A pipe that ends all waits is not needed here: Close does.
type Epoll struct {
	mu      sync.Mutex
	closed  bool
	ep      *sys.Epoll
	turn    sys.Turn
	raw     []unix.EpollEvent // buffer of look
	count   int               // descriptors registered and not unregistered
	highest int               // of the descriptors that were registered
	most    int               // events to fetch with one call: all that can be ready, as far as is known
	objects objects

	lookFirst atomic.Bool // look before a wait blocks: it is the first, or the last one had no need to sleep
}

// FD_SETSIZE - 1, the default of maxevents in Python.
const defaultMaxEvents = 1023

// NewEpoll returns an empty set. Its descriptor is close-on-exec. An Epoll that becomes unreachable is closed. It mirrors
// select.epoll.
//
// The error wraps an *os.SyscallError.
func NewEpoll() (*Epoll, error) {
	ep, err := sys.NewEpoll()
	if err != nil {
		return nil, opError("epoll", err)
	}
	return newEpoll(ep, 16), nil
}

// EpollFromFd returns an Epoll for a descriptor that exists, and owns it from now on: Close closes it. That it is no epoll
// descriptor shows when it is first used, as unix.EINVAL. It mirrors epoll.fromfd.
//
// The error is os.ErrInvalid for a negative number.
func EpollFromFd(fd int) (*Epoll, error) {
	fd, err := checkFd(fd)
	if err != nil {
		return nil, opError("epoll fromfd", err)
	}
	const unknown = 1 << 16 // descriptors that it watches already
	return newEpoll(sys.EpollFromFd(fd), unknown), nil
}

func newEpoll(ep *sys.Epoll, most int) *Epoll {
	e := &Epoll{ep: ep, turn: sys.NewTurn(), most: most}
	e.lookFirst.Store(true)
	return e
}

// Close closes the descriptor and ends all waits with an error that is os.ErrClosed. Closing again does nothing. It mirrors
// epoll.close.
func (e *Epoll) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.objects = nil
	if err := e.ep.Close(); err != nil {
		return opError("epoll close", err)
	}
	return nil
}

// Closed reports whether Close has been called. It mirrors epoll.closed.
func (e *Epoll) Closed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// Fileno returns the descriptor of the epoll itself. It mirrors epoll.fileno.
func (e *Epoll) Fileno() (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return -1, opError("epoll fileno", os.ErrClosed)
	}
	return e.ep.Fd(), nil
}

// Register adds a waitable object, see [Fileno], with the events to wait for and the flags; Python's default for these is
// EPOLLIN|EPOLLPRI|EPOLLOUT. EPOLLERR and EPOLLHUP are reported in any case. It mirrors epoll.register.
//
// The error is unix.EEXIST, which is fs.ErrExist, if the descriptor is registered, unix.EPERM if it cannot be watched, as a
// regular file, unix.EBADF if it is not open, or that of Fileno.
func (e *Epoll) Register(fd any, eventmask EpollMask) error {
	return e.control("epoll register", unix.EPOLL_CTL_ADD, fd, eventmask)
}

// Modify changes the events to wait for and the flags. It mirrors epoll.modify.
//
// The error is unix.ENOENT, which is fs.ErrNotExist, if the descriptor is not registered, unix.EBADF if it is not open,
// unix.EINVAL with EPOLLEXCLUSIVE, or that of Fileno.
func (e *Epoll) Modify(fd any, eventmask EpollMask) error {
	return e.control("epoll modify", unix.EPOLL_CTL_MOD, fd, eventmask)
}

// Unregister removes a descriptor. It mirrors epoll.unregister.
//
// The error is unix.ENOENT, which is fs.ErrNotExist, if the descriptor is not registered, unix.EBADF if it is not open, or
// that of Fileno.
func (e *Epoll) Unregister(fd any) error {
	return e.control("epoll unregister", unix.EPOLL_CTL_DEL, fd, 0)
}

func (e *Epoll) control(op string, ctl int, fd any, eventmask EpollMask) error {
	n, err := Fileno(fd)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return opError(op, os.ErrClosed)
	}
	if err != nil {
		return opError(op, err)
	}
	if err := e.ep.Ctl(ctl, n, uint32(eventmask), 0); err != nil {
		return fdError(op, n, err)
	}
	switch ctl {
	case unix.EPOLL_CTL_ADD:
		e.count++
		e.highest = max(e.highest, n)
		e.most = max(e.most, min(e.count, e.highest+1)) // one that is closed is not unregistered, but frees its number
		e.objects.keep(n, fd)
	case unix.EPOLL_CTL_DEL:
		e.count--
		e.objects.drop(n)
	}
	return nil
}

// Poll waits until a registered descriptor is ready and returns up to maxevents of those that are; -1 stands for
// FD_SETSIZE-1, which is 1023. What is not returned is not lost, the next call returns it. When the timeout is over, there
// is none. It mirrors epoll.poll.
//
// A timeout of zero does not wait and costs no more than the system call; [Forever] and any negative one wait without end,
// so that a time.Until that has passed must not be given as it is. Python takes seconds here.
//
// The error is os.ErrInvalid if maxevents is 0 or less than -1, os.ErrClosed if the Epoll is closed, also in the meantime,
// and otherwise wraps an *os.SyscallError.
func (e *Epoll) Poll(timeout time.Duration, maxevents int) ([]EpollEvent, error) {
	switch {
	case maxevents == -1:
		maxevents = defaultMaxEvents
	case maxevents <= 0 && !e.Closed():
		return nil, fmt.Errorf("pyselect: epoll poll: maxevents is %d, want -1 or more than 0: %w", maxevents, os.ErrInvalid)
	}
	return e.poll(nil, maxevents, timeout)
}

// PollInto is Poll into a buffer of the caller's, of which it fills and returns the first n events. It does not allocate.
//
// The error is os.ErrInvalid if the buffer is empty, or that of Poll.
func (e *Epoll) PollInto(events []EpollEvent, timeout time.Duration) (n int, err error) {
	if len(events) == 0 && !e.Closed() {
		return 0, emptyBufferError("epoll poll")
	}
	events, err = e.poll(events[:0], len(events), timeout)
	return len(events), err
}

// poll appends up to room events to dst, or to a new slice of the right size if that is nil.
func (e *Epoll) poll(dst []EpollEvent, room int, timeout time.Duration) ([]EpollEvent, error) {
	if timeout == 0 || e.lookFirst.Load() {
		dst, err := e.look(dst, room)
		if len(dst) > 0 || err != nil || timeout == 0 {
			return dst, err
		}
	}
	deadline := sys.After(forever(timeout))
	if !e.turn.Take(deadline, nil) {
		return e.look(dst, room)
	}
	defer e.turn.Leave()
	for {
		if err := e.arm(deadline); err != nil {
			return dst, err
		}
		slept, blockErr := e.ep.Block(deadline)
		e.lookFirst.Store(!slept)
		dst, err := e.look(dst, room)
		switch {
		case len(dst) > 0 || err != nil:
			return dst, err
		case blockErr != nil:
			return dst, opError("epoll poll", blockErr)
		case deadline.Left() == 0:
			return dst, nil
		}
	}
}

// look appends what is ready now.
func (e *Epoll) look(dst []EpollEvent, room int) ([]EpollEvent, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return dst, opError("epoll poll", os.ErrClosed)
	}
	room = min(room, e.most)
	if room > len(e.raw) {
		e.raw = make([]unix.EpollEvent, room)
	}
	n, err := e.ep.Look(e.raw[:room])
	if err != nil {
		return dst, opError("epoll poll", err)
	}
	if n == 0 {
		return dst, nil
	}
	if n == e.most {
		e.most = 2 * n // there may be others that were registered by other means
	}
	if dst == nil {
		dst = make([]EpollEvent, 0, n)
	}
	for i := range e.raw[:n] {
		dst = append(dst, EpollEvent{int(e.raw[i].Fd), EpollMask(e.raw[i].Events)})
	}
	return dst, nil
}

func (e *Epoll) arm(deadline sys.Deadline) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return opError("epoll poll", os.ErrClosed)
	}
	if err := e.ep.Arm(deadline); err != nil {
		return opError("epoll poll", err)
	}
	return nil
}
