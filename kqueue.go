//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package pyselect

import (
	"cmp"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
)

// A KqFilter says what kind of event a [Kevent] is about.
type KqFilter int16

// String returns the name of the filter, like "KQ_FILTER_READ".
func (f KqFilter) String() string {
	for _, n := range kqFilterNames {
		if n.filter == f {
			return n.name
		}
	}
	return fmt.Sprintf("KqFilter(%d)", int16(f))
}

// KqFlags are actions on a filter in a change, and the state of it in an event.
type KqFlags uint16

// String returns the names of the flags, like "KQ_EV_ADD|KQ_EV_ONESHOT".
func (f KqFlags) String() string { return maskString(f, kqFlagNames) }

// A Kevent is an event of a [Kqueue], or a change of what it watches. It mirrors Python's select.kevent.
type Kevent struct {
	Ident  uint64   // what the filter is about, often a descriptor
	Filter KqFilter // the kind of event
	Flags  KqFlags
	Fflags uint32 // flags of the filter, KQ_NOTE_...
	Data   int64  // data of the filter; an errno with KQ_EV_ERROR
	Udata  uint64 // comes back with the event; of the size of a pointer
}

// NewKevent returns a change for a waitable object, see [Fileno], or for another number that the filter is about. It
// mirrors select.kevent; Python's defaults are KQ_FILTER_READ and KQ_EV_ADD.
//
// The error is that of Fileno.
func NewKevent(ident any, filter KqFilter, flags KqFlags) (Kevent, error) {
	fd, err := Fileno(ident)
	if err != nil {
		return Kevent{}, opError("kevent", err)
	}
	return Kevent{Ident: uint64(fd), Filter: filter, Flags: flags}, nil
}

// Compare returns -1, 0 or 1 as k is less than, equal to or greater than other, field by field in their order. It mirrors
// the comparisons of Python's kevents.
func (k Kevent) Compare(other Kevent) int {
	return cmp.Or(
		cmp.Compare(k.Ident, other.Ident),
		cmp.Compare(k.Filter, other.Filter),
		cmp.Compare(k.Flags, other.Flags),
		cmp.Compare(k.Fflags, other.Fflags),
		cmp.Compare(k.Data, other.Data),
		cmp.Compare(k.Udata, other.Udata),
	)
}

// A Kqueue is a set of events that the kernel watches for, with kqueue(2). It mirrors Python's select.kqueue object.
//
// All methods are safe for concurrent use. Any number of goroutines may wait at the same time, each with its own timeout,
// and each occupies a thread; a change takes effect on waits that are on. After Close, every method but Closed returns an
// error that is os.ErrClosed.
//
// Besides its own descriptor a Kqueue has two of a pipe, with which Close ends the waits. That it watches this pipe is
// never seen.
//
// # macOS notes
//
// A kqueue refuses some devices, as terminals, which Poll and Select take.
type Kqueue struct {
	kq     *sys.Kqueue
	closed atomic.Bool
	use    sync.RWMutex // locked for reading by whoever uses kq, and by Close when they have gone
	most   atomic.Int64 // events to fetch with one call: all that can be ready, as far as is known

	watching atomic.Bool // kq watches for Close
}

// NewKqueue returns an empty set. Its descriptor is close-on-exec. A Kqueue that becomes unreachable is closed. It mirrors
// select.kqueue.
//
// The error wraps an *os.SyscallError.
func NewKqueue() (*Kqueue, error) {
	kq, err := sys.NewKqueue()
	if err != nil {
		return nil, opError("kqueue", err)
	}
	return newKqueue(kq, 16), nil
}

// KqueueFromFd returns a Kqueue for a descriptor that exists, and owns it from now on: Close closes it. That it is no
// kqueue descriptor shows when it is first used. It mirrors kqueue.fromfd.
//
// The error is os.ErrInvalid for a negative number, or wraps an *os.SyscallError; the descriptor is not owned then.
func KqueueFromFd(fd int) (*Kqueue, error) {
	fd, err := checkFd(fd)
	if err != nil {
		return nil, opError("kqueue fromfd", err)
	}
	kq, err := sys.KqueueFromFd(fd)
	if err != nil {
		return nil, opError("kqueue fromfd", err)
	}
	return newKqueue(kq, 1024), nil
}

func newKqueue(kq *sys.Kqueue, most int64) *Kqueue {
	k := &Kqueue{kq: kq}
	k.most.Store(most)
	return k
}

// Close closes the descriptor and ends all waits with an error that is os.ErrClosed. Closing again does nothing. It mirrors
// kqueue.close.
func (k *Kqueue) Close() error {
	if k.closed.Swap(true) {
		return nil
	}
	k.kq.Kick()
	k.use.Lock()
	defer k.use.Unlock()
	if err := k.kq.Close(); err != nil {
		return opError("kqueue close", err)
	}
	return nil
}

// Closed reports whether Close has been called. It mirrors kqueue.closed.
func (k *Kqueue) Closed() bool { return k.closed.Load() }

// Fileno returns the descriptor of the kqueue itself. It mirrors kqueue.fileno.
func (k *Kqueue) Fileno() (int, error) {
	if k.closed.Load() {
		return -1, opError("kqueue fileno", os.ErrClosed)
	}
	return k.kq.Fd(), nil
}

// Control applies changes and then waits for up to maxEvents events. With maxEvents 0 it only applies the changes. What is
// not returned is not lost, the next call returns it. When the timeout is over, there is none. It mirrors kqueue.control.
//
// A change that fails is reported as an event with KQ_EV_ERROR, whose Data is the errno, while there is room for one; after
// that the changes that follow are not applied, and the error wraps the *os.SyscallError.
//
// A timeout of zero does not wait, [Forever] waits without end. The error is os.ErrInvalid for a negative timeout or a
// negative maxEvents, os.ErrClosed if the Kqueue is closed, also in the meantime, and otherwise wraps an *os.SyscallError.
func (k *Kqueue) Control(changes []Kevent, maxEvents int, timeout time.Duration) ([]Kevent, error) {
	return k.control(changes, nil, maxEvents, timeout)
}

// ControlInto is Control with a buffer of the caller's, of which it fills and returns the first n events. It does not
// allocate. With an empty buffer it only applies the changes.
func (k *Kqueue) ControlInto(changes, events []Kevent, timeout time.Duration) (n int, err error) {
	events, err = k.control(changes, events[:0:len(events)], len(events), timeout)
	return len(events), err
}

// The number of changes with KQ_EV_ADD, each of which is counted, says no more above this what can be ready.
const manyEvents = 1 << 15

// A kqueueCall is the memory of one call of Control.
type kqueueCall struct{ changes, events sys.Kevents }

var kqueueCalls = sync.Pool{New: func() any { return new(kqueueCall) }}

// control appends up to room events to dst, or to a new slice of the right size if that is nil.
func (k *Kqueue) control(changes, dst []Kevent, room int, timeout time.Duration) ([]Kevent, error) {
	const op = "kqueue control"
	k.use.RLock()
	defer k.use.RUnlock()
	switch {
	case k.closed.Load():
		return dst, opError(op, os.ErrClosed)
	case timeout < 0:
		return dst, fmt.Errorf("pyselect: %s: timeout %v is negative, want Forever to wait without end: %w", op, timeout, os.ErrInvalid)
	case room < 0:
		return dst, fmt.Errorf("pyselect: %s: maxEvents is %d, want 0 or more: %w", op, room, os.ErrInvalid)
	}
	deadline := sys.After(timeout)
	if !k.watching.Load() {
		if err := k.kq.Watch(); err != nil {
			return dst, opError(op, err)
		}
		k.watching.Store(true)
	}

	c := kqueueCalls.Get().(*kqueueCall)
	defer kqueueCalls.Put(c)
	c.changes.Resize(len(changes))
	for i, change := range changes {
		c.changes.Set(i, sys.Kevent{
			Ident: change.Ident, Filter: int16(change.Filter), Flags: uint16(change.Flags),
			Fflags: change.Fflags, Data: change.Data, Udata: change.Udata,
		})
		if change.Flags&KQ_EV_ADD != 0 && k.most.Load() < manyEvents {
			k.most.Add(1)
		}
	}
	most := k.most.Load()
	room = int(min(int64(room), max(most, int64(len(changes))))) // a change may fail, which is an event
	c.events.Resize(room)
	n, err := k.kq.Kevent(c.changes, len(changes), c.events, room, deadline)
	if err != nil {
		return dst, opError(op, err)
	}
	if int64(n) >= most {
		k.most.Add(most) // there may be others that were added by other means
	}
	if k.closed.Load() {
		return dst, opError(op, os.ErrClosed)
	}
	if dst == nil && n > 0 {
		dst = make([]Kevent, 0, n)
	}
	for i := range n {
		e := c.events.Get(i)
		dst = append(dst, Kevent{
			Ident: e.Ident, Filter: KqFilter(e.Filter), Flags: KqFlags(e.Flags),
			Fflags: e.Fflags, Data: e.Data, Udata: e.Udata,
		})
	}
	return dst, nil
}
