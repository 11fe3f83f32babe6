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

// A PollMask is a set of events of a [Poll].
type PollMask uint16

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
// All methods are safe for concurrent use, but only one goroutine may poll at a time. What is changed while it does counts
// from the next time on.
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
	n, err := Fileno(fd)
	if err != nil {
		return opError("poll register", err)
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
	n, err := Fileno(fd)
	if err != nil {
		return opError("poll modify", err)
	}
	p.list.Lock()
	defer p.list.Unlock()
	if _, ok := p.list.Find(n); !ok {
		return fdError("poll modify", n, unix.ENOENT)
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
	n, err := Fileno(fd)
	if err != nil {
		return opError("poll unregister", err)
	}
	p.list.Lock()
	defer p.list.Unlock()
	pos, ok := p.list.Find(n)
	if !ok {
		return fdError("poll unregister", n, ErrNotRegistered)
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
// The error is ErrConcurrentPoll while another goroutine polls, and otherwise wraps an *os.SyscallError.
func (p *Poll) Poll(timeout time.Duration) ([]PollEvent, error) {
	return p.poll(context.Background(), nil, math.MaxInt, timeout)
}

// PollInto is Poll into a buffer of the caller's, of which it fills and returns the first n events. It does not allocate.
// What does not fit is what the next call begins with.
//
// The error is os.ErrInvalid if the buffer is empty, or that of Poll.
func (p *Poll) PollInto(events []PollEvent, timeout time.Duration) (n int, err error) {
	if len(events) == 0 {
		return 0, emptyBufferError("poll")
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
		return dst, opError("poll", ErrConcurrentPoll)
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
	return dst, waitError(ctx, "poll", err)
}

// begin reports whether nobody else polls.
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
