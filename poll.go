//go:build unix

package pyselect

import (
	"context"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// A PollMask is a set of events of a Poll or a Devpoll.
type PollMask uint16

// Events of a Poll or a Devpoll.
const (
	POLLIN     PollMask = unix.POLLIN    // readable
	POLLPRI    PollMask = unix.POLLPRI   // urgent data
	POLLOUT    PollMask = unix.POLLOUT   // writable
	POLLERR    PollMask = unix.POLLERR   // an error; reported without being asked for
	POLLHUP    PollMask = unix.POLLHUP   // hung up; reported without being asked for
	POLLNVAL   PollMask = unix.POLLNVAL  // not an open descriptor; reported without being asked for
	POLLRDNORM PollMask = sys.PollRDNorm // the same as POLLIN
	POLLRDBAND PollMask = sys.PollRDBand // priority data can be read
	POLLWRNORM PollMask = sys.PollWRNorm // the same as POLLOUT
	POLLWRBAND PollMask = sys.PollWRBand // priority data can be written
)

// PIPE_BUF is the number of bytes that can be written to a pipe without blocking when it is reported as writable.
const PIPE_BUF = sys.PipeBuf

var pollNames = []bitName[PollMask]{
	{POLLIN, "POLLIN"},
	{POLLPRI, "POLLPRI"},
	{POLLOUT, "POLLOUT"},
	{POLLERR, "POLLERR"},
	{POLLHUP, "POLLHUP"},
	{POLLNVAL, "POLLNVAL"},
	{POLLRDNORM, "POLLRDNORM"},
	{POLLRDBAND, "POLLRDBAND"},
	{POLLWRNORM, "POLLWRNORM"},
	{POLLWRBAND, "POLLWRBAND"},
}

// String returns the names of the events, like "POLLIN|POLLHUP".
func (m PollMask) String() string { return maskString(m, pollNames) }

// A PollEvent is a descriptor that is ready, and what for.
type PollEvent struct {
	Fd     int
	Events PollMask
}

// A Poll is a set of descriptors to wait for with poll(2), in the order in which they were registered. It mirrors the
// object that Python's select.poll returns.
//
// All methods are safe for concurrent use, but only one goroutine may poll at a time. A change that is made meanwhile counts from
// the next poll on, at the latest.
//
// # macOS notes
//
// By the system's sources, and not tried: poll(2) is a kqueue inside, so that a device that a kqueue refuses, such as a terminal, is
// POLLNVAL at once; only Select takes it. More than 10,240 descriptors are unix.EINVAL, and the error says so.
type Poll struct {
	list    wait.List // its lock is for what is below, too
	polling bool
	objects objects
}

// NewPoll returns an empty set. It mirrors select.poll.
func NewPoll() *Poll { return new(Poll) }

// Register adds a waitable object, see [Fileno], with the events to wait for; Python's default for these is
// POLLIN|POLLPRI|POLLOUT. POLLERR, POLLHUP and POLLNVAL are reported in any case. A descriptor that is registered gets the
// new mask and keeps its place. Whether it is open is not looked at. It mirrors poll.register.
//
// The error is that of Fileno.
func (p *Poll) Register(fd any, eventmask PollMask) error {
	n, err := fileno(fd)
	if err != nil {
		return opError("poll.register", -1, err)
	}
	p.list.Lock()
	defer p.list.Unlock()
	p.list.Put(n, uint16(eventmask))
	p.objects.keep(n, fd)
	return nil
}

// Modify changes the events to wait for. It mirrors poll.modify.
//
// The error is unix.ENOENT, which is fs.ErrNotExist, if the descriptor is not registered, or that of Fileno.
func (p *Poll) Modify(fd any, eventmask PollMask) error {
	n, err := fileno(fd)
	if err != nil {
		return opError("poll.modify", -1, err)
	}
	p.list.Lock()
	defer p.list.Unlock()
	if _, ok := p.list.Find(n); !ok {
		return opError("poll.modify", n, unix.ENOENT)
	}
	p.list.Put(n, uint16(eventmask))
	p.objects.keep(n, fd)
	return nil
}

// Unregister removes a descriptor. It mirrors poll.unregister.
//
// The error is ErrNotRegistered if the descriptor is not registered, or that of Fileno: unregister an object before it is
// closed, or by its descriptor.
func (p *Poll) Unregister(fd any) error {
	n, err := fileno(fd)
	if err != nil {
		return opError("poll.unregister", -1, err)
	}
	p.list.Lock()
	defer p.list.Unlock()
	pos, ok := p.list.Find(n)
	if !ok {
		return opError("poll.unregister", n, ErrNotRegistered)
	}
	p.list.Remove(pos)
	p.objects.drop(n)
	return nil
}

// Poll waits until a registered descriptor is ready and returns all that are, in the order of registration. When the
// timeout is over, there are none. A descriptor that is not open is reported with POLLNVAL. It mirrors poll.poll.
//
// A timeout of zero does not wait; [Forever] and any negative one wait without end, so that a time.Until that has passed
// must not be given as it is. Python takes milliseconds here.
//
// The error is ErrConcurrentPoll while another goroutine polls, and otherwise an errno.
func (p *Poll) Poll(timeout time.Duration) ([]PollEvent, error) {
	return p.poll(context.Background(), nil, math.MaxInt, timeout)
}

// PollInto is Poll into a buffer of the caller's. It fills the first n elements of the buffer. It does not allocate. Events that
// do not fit are for the next call. If its buffer is too small again, it begins with them.
//
// The error is os.ErrInvalid if the buffer is empty, or that of Poll.
func (p *Poll) PollInto(events []PollEvent, timeout time.Duration) (n int, err error) {
	if len(events) == 0 {
		return 0, opError("poll.poll", -1, errEmptyBuffer)
	}
	events, err = p.poll(context.Background(), events[:0], len(events), timeout)
	return len(events), err
}

// PollContext is Poll without a timeout, until ctx is done. If ctx is done already, it does not look for anything. Python has
// no counterpart.
//
// The error is ctx.Err(), also when a deadline has passed, or that of Poll.
func (p *Poll) PollContext(ctx context.Context) ([]PollEvent, error) {
	return p.poll(ctx, nil, math.MaxInt, Forever)
}

// poll appends up to room events to dst, or to a new slice of the right size if that is nil.
func (p *Poll) poll(ctx context.Context, dst []PollEvent, room int, timeout time.Duration) ([]PollEvent, error) {
	if !p.begin() {
		return dst, opError("poll.poll", -1, ErrConcurrentPoll)
	}
	defer p.end()
	err := p.list.Wait(ctx, room, forever(timeout), func(n int, blocked bool) (bool, error) {
		if dst == nil {
			dst = make([]PollEvent, 0, n)
		}
		p.list.Report(n, room, blocked, func(_, fd int, revents uint16) bool {
			dst = append(dst, PollEvent{fd, PollMask(revents)})
			return true
		})
		return true, nil
	})
	return dst, waitError(ctx, "poll.poll", err)
}

// begin marks p as being polled. It returns false if another goroutine polls.
func (p *Poll) begin() bool {
	p.list.Lock()
	defer p.list.Unlock()
	if p.polling {
		return false
	}
	p.polling = true
	p.list.Ask = sys.Poll
	p.list.Init()
	return true
}

func (p *Poll) end() {
	p.list.Lock()
	defer p.list.Unlock()
	p.polling = false
}
