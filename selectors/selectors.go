package selectors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/pyselect/pyselect"
)

// An Event is a set of the two events that a selector waits for.
type Event uint8

const (
	EventRead  Event = 1 // available for reading; Python's EVENT_READ
	EventWrite Event = 2 // available for writing; Python's EVENT_WRITE
)

// String returns "EventRead", "EventWrite", "EventRead|EventWrite", or the number of anything else.
func (e Event) String() string {
	switch e {
	case EventRead:
		return "EventRead"
	case EventWrite:
		return "EventWrite"
	case EventRead | EventWrite:
		return "EventRead|EventWrite"
	}
	return fmt.Sprintf("Event(%#x)", uint8(e))
}

// A SelectorKey is one registration. It is read-only: a selector never changes a key that it has handed out, and nobody
// else may.
type SelectorKey struct {
	Fileobj any   // what was registered
	Fd      int   // its descriptor at that time
	Events  Event // what to wait for
	Data    any   // whatever was registered with it
}

// Ready is a key that is ready, and for which of its events.
type Ready struct {
	Key    *SelectorKey
	Events Event
}

var (
	// ErrRegistered says that a descriptor is registered already, perhaps through another object. It is Python's KeyError.
	ErrRegistered = errors.New("already registered")

	// ErrNotRegistered is pyselect.ErrNotRegistered. It is Python's KeyError.
	ErrNotRegistered = pyselect.ErrNotRegistered
)

// A BaseSelector is what all selectors have in common.
//
// A file object is anything that [pyselect.Fileno] accepts. Unregister, Modify and Key take the registered object or its
// descriptor, and find an object that has been closed in the meantime. Objects are compared with ==; an object whose type does not
// allow that is found by its descriptor only.
//
// After Close, every method that returns an error returns one that is os.ErrClosed.
type BaseSelector interface {
	// Register registers a file object and returns its key. It mirrors BaseSelector.register.
	//
	// The error is os.ErrInvalid for events other than EventRead, EventWrite or both, ErrRegistered for a descriptor that
	// is registered, that of pyselect.Fileno, or an errno of the kernel, unix.EPERM for instance when
	// an epoll cannot watch a regular file. Nothing is registered then.
	Register(fileobj any, events Event, data any) (*SelectorKey, error)

	// Unregister removes a file object and returns its last key. That the object has been closed is no error. It mirrors
	// BaseSelector.unregister.
	//
	// The error is ErrNotRegistered. For an object without a descriptor, it is also the error of pyselect.Fileno.
	Unregister(fileobj any) (*SelectorKey, error)

	// Modify replaces the events and the data of a file object and returns its new key. The same events cost no system
	// call. It mirrors BaseSelector.modify.
	//
	// The error is that of Register for bad events, or of Unregister; nothing changes then. When the kernel refuses the
	// change, the object is no longer registered, and the error is its errno.
	Modify(fileobj any, events Event, data any) (*SelectorKey, error)

	// Select waits until a file object is ready and returns all that are. A timeout of zero or less does not wait,
	// pyselect.Forever waits without end. The result is empty only if the timeout is over or Wakeup was called. It mirrors
	// BaseSelector.select, with pyselect.Forever for None.
	//
	// The error is an errno, or os.ErrClosed when the selector is closed, also in the meantime.
	Select(timeout time.Duration) ([]Ready, error)

	// SelectInto is Select into a buffer of the caller's. It fills the first n elements of the buffer. It does not allocate, unless
	// another Select is waiting. The next call reports what does not fit.
	//
	// The error is os.ErrInvalid if the buffer is empty, or that of Select.
	SelectInto(ready []Ready, timeout time.Duration) (n int, err error)

	// SelectContext is Select without a timeout, until ctx is done. If ctx is done already, it does not look for anything.
	//
	// The error is ctx.Err(), also when a deadline has passed, or that of Select.
	SelectContext(ctx context.Context) ([]Ready, error)

	// Wakeup ends one Select, SelectInto or SelectContext without an error: one that is waiting, or otherwise the next one. That
	// call returns what is ready, perhaps nothing. Calls of Wakeup that have not ended a Select yet count as one. Python has no
	// counterpart: its programs use a pipe.
	Wakeup() error

	// Key returns the key of a file object. It mirrors BaseSelector.get_key.
	//
	// The error is that of Unregister.
	Key(fileobj any) (*SelectorKey, error)

	// Keys returns the keys in the order of registration, as they are when the loop over them begins: its body may change
	// the selector. It mirrors BaseSelector.get_map().values().
	Keys() iter.Seq[*SelectorKey]

	// Len returns the number of keys, which is 0 after Close. It mirrors len(BaseSelector.get_map()).
	Len() int

	// Close releases the selector's resources and ends all waits with an error that is os.ErrClosed. The file objects are
	// not closed. Closing again does nothing. A selector that becomes unreachable is closed. It mirrors
	// BaseSelector.close.
	Close() error
}

// Events loops over what becomes ready in sel, as `while True: for key, mask in sel.select(): ...` does in Python. A key
// that was unregistered or replaced since Select has returned it, by the loop's body for instance, is skipped. If the file object
// has a new key and is still ready, the next Select reports the new key.
//
// The loop ends when ctx is done, also between two keys, or when sel is closed. Any other error is yielded once, with a
// zero Ready, and ends it too. A Wakeup is not seen.
func Events(ctx context.Context, sel BaseSelector) iter.Seq2[Ready, error] {
	return func(yield func(Ready, error) bool) {
		for {
			batch, err := sel.SelectContext(ctx)
			switch {
			case ctx.Err() != nil || errors.Is(err, os.ErrClosed):
				return
			case err != nil:
				yield(Ready{}, err)
				return
			}
			for _, ready := range batch {
				if ctx.Err() != nil {
					return
				}
				if isCurrent(sel, ready.Key) && !yield(ready, nil) {
					return
				}
			}
		}
	}
}

// isCurrent reports whether key is still what is registered for its descriptor.
func isCurrent(sel BaseSelector, key *SelectorKey) bool {
	if s, ok := sel.(interface{ isCurrent(*SelectorKey) bool }); ok {
		return s.isCurrent(key)
	}
	current, err := sel.Key(key.Fd)
	return err == nil && current == key
}
