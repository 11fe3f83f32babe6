//go:build solaris || emulated_devpoll

package pyselect

import (
	"context"
	"math"
	"os"
	"time"

	"github.com/pyselect/pyselect/internal/wait"
)

// A DevpollEvent is a descriptor that is ready, and what for.
type DevpollEvent = PollEvent

// A Devpoll is a set of descriptors that the kernel watches, with /dev/poll. It mirrors the object that Python's select.devpoll
// returns. It exists on Solaris and illumos, where nobody has tried it: it was written after their sources and manuals, and
// tested on an emulation.
//
// All methods are safe for concurrent use. Any number of goroutines may wait at the same time, each with its own timeout; one
// of them occupies a thread. A change takes effect on waits that are on. After Close, every method but Closed returns an error
// that is os.ErrClosed.
//
// A descriptor that is closed stays in the set: it may be reported with POLLNVAL, or not at all, until it is unregistered. If another
// file gets its number, that file's events may be reported, or not.
//
// On illumos, a wait with a timeout of a millisecond or more takes a tick of the kernel's clock at least, by default 10 milliseconds.
//
// Besides its own descriptor a Devpoll has two of a pipe, which ends waits. The descriptor of a Devpoll cannot be waited for, and
// is of no use to a child process.
type Devpoll struct {
	dp      *wait.Devpoll // its lock is for what is below, too
	objects objects
}

// NewDevpoll returns an empty set. Its descriptor is close-on-exec. A Devpoll that becomes unreachable is closed. It mirrors
// select.devpoll.
//
// The error is an errno, like unix.EMFILE.
func NewDevpoll() (*Devpoll, error) {
	dp, err := wait.NewDevpoll()
	if err != nil {
		return nil, opError("select.devpoll", -1, err)
	}
	return &Devpoll{dp: dp}, nil
}

// Close closes the descriptor and ends all waits with an error that is os.ErrClosed. Closing again does nothing. It mirrors
// devpoll.close.
func (d *Devpoll) Close() error {
	err := d.dp.Close(func() error {
		d.objects = nil
		return d.dp.Release()
	})
	return opError("devpoll.close", -1, err)
}

// Closed reports whether Close has been called. It mirrors devpoll.closed.
func (d *Devpoll) Closed() bool {
	d.dp.Lock()
	defer d.dp.Unlock()
	return d.dp.Closed()
}

// Fileno returns the descriptor of the Devpoll itself. It mirrors devpoll.fileno.
func (d *Devpoll) Fileno() (int, error) {
	if d.Closed() {
		return -1, opError("devpoll.fileno", -1, os.ErrClosed)
	}
	return d.dp.Fd(), nil
}

// Register adds a waitable object, see [Fileno], with the events to wait for; Python's default for these is
// POLLIN|POLLPRI|POLLOUT. POLLERR, POLLHUP and POLLNVAL are reported in any case. A descriptor that is registered gets the
// new mask, where Python leaves open what happens. It mirrors devpoll.register.
//
// The error is unix.EBADF if the descriptor is not open, another errno, or that of Fileno. A descriptor that the kernel refuses is
// not registered, even if it was before.
func (d *Devpoll) Register(fd any, eventmask PollMask) error {
	return d.put("devpoll.register", fd, eventmask)
}

// Modify does what Register does. Python's modify unregisters and registers. It mirrors devpoll.modify.
func (d *Devpoll) Modify(fd any, eventmask PollMask) error {
	return d.put("devpoll.modify", fd, eventmask)
}

func (d *Devpoll) put(op string, fd any, eventmask PollMask) error {
	n, err := begin(&d.dp.Waits, op, fd)
	defer d.dp.Unlock()
	if err != nil {
		return err
	}
	if err := d.dp.Put(n, uint16(eventmask)); err != nil {
		d.objects.drop(n)
		return opError(op, n, err)
	}
	d.objects.keep(n, fd)
	return nil
}

// Unregister removes a descriptor. That it is not registered is no error, as in Python. It mirrors devpoll.unregister.
//
// The error is that of Fileno: unregister an object before it is closed, or by its descriptor.
func (d *Devpoll) Unregister(fd any) error {
	const op = "devpoll.unregister"
	n, err := begin(&d.dp.Waits, op, fd)
	defer d.dp.Unlock()
	if err != nil {
		return err
	}
	d.objects.drop(n)
	return opError(op, n, d.dp.Remove(n))
}

// Poll waits until a registered descriptor is ready and returns all that are. When the timeout is over, there are none. It
// mirrors devpoll.poll.
//
// A timeout of zero does not wait; [Forever] and any negative one wait without end, so that a time.Until that has passed
// must not be given as it is. Python takes milliseconds here, and less than -1 is an OverflowError there.
//
// The error is os.ErrClosed if the Devpoll is closed, also in the meantime, and otherwise an errno.
func (d *Devpoll) Poll(timeout time.Duration) ([]DevpollEvent, error) {
	return d.poll(context.Background(), nil, math.MaxInt, timeout)
}

// PollInto is Poll into a buffer of the caller's. It fills the first n elements of the buffer. It does not allocate, unless
// another goroutine waits for the same Devpoll. The next call reports what does not fit.
//
// The error is os.ErrInvalid if the buffer is empty, or that of Poll.
func (d *Devpoll) PollInto(events []DevpollEvent, timeout time.Duration) (n int, err error) {
	if len(events) == 0 && !d.Closed() {
		return 0, opError("devpoll.poll", -1, errEmptyBuffer)
	}
	events, err = d.poll(context.Background(), events[:0], len(events), timeout)
	return len(events), err
}

// PollContext is Poll without a timeout, until ctx is done. If ctx is done already, it does not look for anything. Python has
// no counterpart.
//
// The error is ctx.Err(), also when a deadline has passed, or that of Poll.
func (d *Devpoll) PollContext(ctx context.Context) ([]DevpollEvent, error) {
	return d.poll(ctx, nil, math.MaxInt, Forever)
}

// poll appends up to room events to dst, or to a new slice of the right size if that is nil.
func (d *Devpoll) poll(ctx context.Context, dst []DevpollEvent, room int, timeout time.Duration) ([]DevpollEvent, error) {
	err := d.dp.Wait(ctx, room, forever(timeout), func(n int, blocked bool) (bool, error) {
		found := d.dp.Found(n, blocked)
		if dst == nil {
			dst = make([]DevpollEvent, 0, len(found))
		}
		for _, f := range found {
			dst = append(dst, DevpollEvent{int(f.Fd), PollMask(f.Revents)})
		}
		return len(found) > 0, nil
	})
	return dst, waitError(ctx, "devpoll.poll", err)
}
