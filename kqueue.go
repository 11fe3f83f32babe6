//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package pyselect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// A KqFilter says what kind of event a [Kevent] is about.
type KqFilter int16

// Filters of a Kevent.
const (
	KQ_FILTER_READ   KqFilter = unix.EVFILT_READ   // readable; of a listener: connections to accept
	KQ_FILTER_WRITE  KqFilter = unix.EVFILT_WRITE  // writable
	KQ_FILTER_AIO    KqFilter = unix.EVFILT_AIO    // asynchronous I/O
	KQ_FILTER_VNODE  KqFilter = unix.EVFILT_VNODE  // changes of a file
	KQ_FILTER_PROC   KqFilter = unix.EVFILT_PROC   // what a process does
	KQ_FILTER_SIGNAL KqFilter = unix.EVFILT_SIGNAL // signals to this process
	KQ_FILTER_TIMER  KqFilter = unix.EVFILT_TIMER  // a timer
)

type kqFilterName struct {
	filter KqFilter
	name   string
}

var kqFilterNames = []kqFilterName{
	{KQ_FILTER_READ, "KQ_FILTER_READ"},
	{KQ_FILTER_WRITE, "KQ_FILTER_WRITE"},
	{KQ_FILTER_AIO, "KQ_FILTER_AIO"},
	{KQ_FILTER_VNODE, "KQ_FILTER_VNODE"},
	{KQ_FILTER_PROC, "KQ_FILTER_PROC"},
	{KQ_FILTER_SIGNAL, "KQ_FILTER_SIGNAL"},
	{KQ_FILTER_TIMER, "KQ_FILTER_TIMER"},
}

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

// Flags of a Kevent.
const (
	KQ_EV_ADD      KqFlags = unix.EV_ADD      // add the filter, or change it
	KQ_EV_DELETE   KqFlags = unix.EV_DELETE   // remove it
	KQ_EV_ENABLE   KqFlags = unix.EV_ENABLE   // report its events
	KQ_EV_DISABLE  KqFlags = unix.EV_DISABLE  // do not report its events
	KQ_EV_ONESHOT  KqFlags = unix.EV_ONESHOT  // remove it after the first event
	KQ_EV_CLEAR    KqFlags = unix.EV_CLEAR    // report a change of state once
	KQ_EV_SYSFLAGS KqFlags = unix.EV_SYSFLAGS // reserved by the system
	KQ_EV_FLAG1    KqFlags = unix.EV_FLAG1    // of the filter
	KQ_EV_EOF      KqFlags = unix.EV_EOF      // the other end is closed
	KQ_EV_ERROR    KqFlags = unix.EV_ERROR    // Data is an errno
)

var kqFlagNames = []bitName[KqFlags]{
	{KQ_EV_ADD, "KQ_EV_ADD"},
	{KQ_EV_DELETE, "KQ_EV_DELETE"},
	{KQ_EV_ENABLE, "KQ_EV_ENABLE"},
	{KQ_EV_DISABLE, "KQ_EV_DISABLE"},
	{KQ_EV_ONESHOT, "KQ_EV_ONESHOT"},
	{KQ_EV_CLEAR, "KQ_EV_CLEAR"},
	{KQ_EV_FLAG1, "KQ_EV_FLAG1"},
	{KQ_EV_EOF, "KQ_EV_EOF"},
	{KQ_EV_ERROR, "KQ_EV_ERROR"},
}

// String returns the names of the flags, like "KQ_EV_ADD|KQ_EV_ONESHOT".
func (f KqFlags) String() string { return maskString(f, kqFlagNames) }

// Flags of the filters, for the field Fflags.
const (
	KQ_NOTE_LOWAT     uint32 = unix.NOTE_LOWAT                  // low-water mark in Data (READ, WRITE)
	KQ_NOTE_DELETE    uint32 = unix.NOTE_DELETE                 // the file was removed (VNODE)
	KQ_NOTE_WRITE     uint32 = unix.NOTE_WRITE                  // it was written to
	KQ_NOTE_EXTEND    uint32 = unix.NOTE_EXTEND                 // it became longer
	KQ_NOTE_ATTRIB    uint32 = unix.NOTE_ATTRIB                 // its attributes changed
	KQ_NOTE_LINK      uint32 = unix.NOTE_LINK                   // its link count changed
	KQ_NOTE_RENAME    uint32 = unix.NOTE_RENAME                 // it was renamed
	KQ_NOTE_REVOKE    uint32 = unix.NOTE_REVOKE                 // access to it was revoked
	KQ_NOTE_EXIT      uint32 = unix.NOTE_EXIT                   // the process has exited (PROC)
	KQ_NOTE_FORK      uint32 = unix.NOTE_FORK                   // it has forked
	KQ_NOTE_EXEC      uint32 = unix.NOTE_EXEC                   // it has executed a program
	KQ_NOTE_PCTRLMASK uint32 = unix.NOTE_PCTRLMASK & 0xffffffff // mask of the flags above
	KQ_NOTE_PDATAMASK uint32 = unix.NOTE_PDATAMASK              // mask of the process number
	KQ_NOTE_TRACK     uint32 = unix.NOTE_TRACK                  // follow its children
	KQ_NOTE_CHILD     uint32 = unix.NOTE_CHILD                  // an event of a child
	KQ_NOTE_TRACKERR  uint32 = unix.NOTE_TRACKERR               // a child could not be followed
)

// A Kevent is an event of a [Kqueue], or a change of what it watches. It mirrors Python's select.kevent.
type Kevent struct {
	Ident  uint64   // what the filter is about, often a descriptor
	Filter KqFilter // the kind of event
	Flags  KqFlags
	Fflags uint32 // flags of the filter, KQ_NOTE_...
	Data   int64  // data of the filter; an errno with KQ_EV_ERROR
	Udata  uint64 // comes back with the event; of the size of a pointer
}

// NewKevent returns a change for a waitable object, see [Fileno], or for another number that the filter is about, like that of a
// timer: any int that is not negative, or an unsigned integer of any type. It mirrors select.kevent; Python's defaults are
// KQ_FILTER_READ and KQ_EV_ADD.
//
// The error is that of Fileno.
func NewKevent(ident any, filter KqFilter, flags KqFlags) (Kevent, error) {
	id, err := identOf(ident)
	if err != nil {
		return Kevent{}, opError("select.kevent", -1, err)
	}
	return Kevent{Ident: id, Filter: filter, Flags: flags}, nil
}

func identOf(ident any) (uint64, error) {
	var id uint64
	switch n := ident.(type) {
	case int:
		id = uint64(n)
		if n < 0 {
			return 0, invalid("ident %d is negative", n)
		}
	case uintptr:
		id = uint64(n)
	default:
		fd, err := fileno(ident)
		if v := reflect.ValueOf(ident); errors.Is(err, ErrNotWaitable) && v.CanUint() {
			id, err = v.Uint(), nil
		} else {
			id = uint64(fd)
		}
		if err != nil {
			return 0, err
		}
	}
	if uint64(uintptr(id)) != id {
		return 0, invalid("ident %d, want one of the size of a pointer", id)
	}
	return id, nil
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
// All methods are safe for concurrent use. Any number of goroutines may wait at the same time, each with its own timeout. Only
// the first few waits of a program, about one for each processor, hold a thread; the others share one. A change takes effect on waits
// that are on. After Close, every method but Closed returns an error that is os.ErrClosed.
//
// # macOS notes
//
// A kqueue refuses some devices, such as terminals. Only Select takes these. A kqueue that watches others may be watched only a few
// levels deep, and that of the library is one level: a wait for which there is none left holds a thread, and a Kqueue that has been
// waited for may not take (unix.EINVAL) a kqueue that watches others.
type Kqueue struct {
	kq  *wait.Kqueue // its lock is for what is below, too
	raw sys.Kevents  // changes
}

// NewKqueue returns an empty set. Its descriptor is close-on-exec. A Kqueue that becomes unreachable is closed. It mirrors
// select.kqueue.
//
// The error is an errno, like unix.EMFILE.
func NewKqueue() (*Kqueue, error) {
	kq, err := wait.NewKqueue()
	if err != nil {
		return nil, opError("select.kqueue", -1, err)
	}
	return &Kqueue{kq: kq}, nil
}

// KqueueFromFd returns a Kqueue for a descriptor that exists, and owns it from now on: Close closes it. That it is no
// kqueue descriptor shows when it is first used. The Kqueue has two more descriptors, of a pipe, so that Close of one object does not
// disturb the waits of another that has a duplicate. It mirrors kqueue.fromfd.
//
// The error is os.ErrInvalid for a negative number, or an errno; the descriptor is not owned then.
func KqueueFromFd(fd int) (*Kqueue, error) {
	fd, err := checkFd(fd)
	if err != nil {
		return nil, opError("kqueue.fromfd", -1, err)
	}
	kq, err := wait.KqueueFromFd(fd)
	if err != nil {
		return nil, opError("kqueue.fromfd", -1, err)
	}
	return &Kqueue{kq: kq}, nil
}

// Close closes the descriptor and ends all waits with an error that is os.ErrClosed. Closing again does nothing. It mirrors
// kqueue.close.
func (k *Kqueue) Close() error {
	return opError("kqueue.close", -1, k.kq.Close(k.kq.Release))
}

// Closed reports whether Close has been called. It mirrors kqueue.closed.
func (k *Kqueue) Closed() bool {
	k.kq.Lock()
	defer k.kq.Unlock()
	return k.kq.Closed()
}

// Fileno returns the descriptor of the kqueue itself. It mirrors kqueue.fileno.
func (k *Kqueue) Fileno() (int, error) {
	if k.Closed() {
		return -1, opError("kqueue.fileno", -1, os.ErrClosed)
	}
	return k.kq.Fd(), nil
}

// Control applies changes and then waits for up to maxEvents events. With maxEvents 0 it only applies the changes. What is
// not returned is not lost, the next call returns it. If the timeout is over first, it returns no events. It mirrors kqueue.control.
//
// A change that fails is reported as an event with KQ_EV_ERROR, whose Data is the errno, while there is room for one; after
// that the changes that follow are not applied, and the error is the errno.
//
// A timeout of zero does not wait, [Forever] waits without end. The error is os.ErrInvalid for a negative timeout or a
// negative maxEvents, os.ErrClosed if the Kqueue is closed, also in the meantime, and otherwise an errno.
func (k *Kqueue) Control(changes []Kevent, maxEvents int, timeout time.Duration) ([]Kevent, error) {
	return k.control(context.Background(), changes, nil, maxEvents, timeout)
}

// ControlInto is Control with a buffer of the caller's. It fills the first n elements of the buffer. It does not allocate, unless
// another goroutine waits for the same Kqueue. With an empty buffer it only applies the changes.
func (k *Kqueue) ControlInto(changes, events []Kevent, timeout time.Duration) (n int, err error) {
	events, err = k.control(context.Background(), changes, events[:0:len(events)], len(events), timeout)
	return len(events), err
}

// ControlContext is Control without a timeout, until ctx is done. If ctx is done already, it neither applies the changes nor
// looks for anything. Python has no counterpart.
//
// The error is ctx.Err(), also when a deadline has passed, or that of Control.
func (k *Kqueue) ControlContext(ctx context.Context, changes []Kevent, maxEvents int) ([]Kevent, error) {
	return k.control(ctx, changes, nil, maxEvents, Forever)
}

// Every KQ_EV_ADD is counted, repeats too. Above this many, the count no longer helps to estimate how many events can be ready.
const manyEvents = 1 << 15

// control appends up to room events to dst, or to a new slice of the right size if that is nil.
func (k *Kqueue) control(ctx context.Context, changes, dst []Kevent, room int, timeout time.Duration) ([]Kevent, error) {
	const op = "kqueue.control"
	switch {
	case k.Closed():
		return dst, opError(op, -1, os.ErrClosed)
	case timeout < 0:
		return dst, opError(op, -1, negative(timeout))
	case room < 0:
		return dst, opError(op, -1, invalid("maxEvents is %d, want 0 or more", room))
	case ctx.Err() != nil:
		return dst, ctx.Err()
	}
	report := func(n int, blocked bool) (bool, error) {
		if n >= k.kq.Bound {
			k.kq.Bound += n // there may be others that were added by other means
		}
		if dst == nil {
			dst = make([]Kevent, 0, n)
		}
		for i := range n {
			e := k.kq.Found(i, blocked)
			dst = append(dst, Kevent{
				Ident: e.Ident, Filter: KqFilter(e.Filter), Flags: KqFlags(e.Flags),
				Fflags: e.Fflags, Data: e.Data, Udata: e.Udata,
			})
		}
		return true, nil
	}
	n, err := k.change(changes, room, report)
	if n > 0 || err != nil || room == 0 || timeout == 0 {
		return dst, waitError(ctx, op, err)
	}
	err = k.kq.Wait(ctx, room, timeout, report)
	return dst, waitError(ctx, op, err)
}

// change applies changes and reports what is ready.
func (k *Kqueue) change(changes []Kevent, room int, report wait.Report) (n int, err error) {
	k.kq.Lock()
	defer k.kq.Unlock()
	if k.kq.Closed() {
		return 0, os.ErrClosed
	}
	k.raw.Resize(len(changes))
	for i, change := range changes {
		k.raw.Set(i, sys.Kevent{
			Ident: change.Ident, Filter: int16(change.Filter), Flags: uint16(change.Flags),
			Fflags: change.Fflags, Data: change.Data, Udata: change.Udata,
		})
		if change.Flags&KQ_EV_ADD != 0 && k.kq.Bound < manyEvents {
			k.kq.Bound++
		}
	}
	n, err = k.kq.Change(k.raw, min(room, max(k.kq.Bound, len(changes)))) // a change may fail, which is an event
	if n > 0 && err == nil {
		_, err = report(n, false)
	}
	return n, err
}
