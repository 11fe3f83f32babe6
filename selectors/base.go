package selectors

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"reflect"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// A keySet is the keys of a selector and what the kernel knows of them. All methods are called with the lock held.
type keySet interface {
	len() int
	keys() []*SelectorKey        // a new slice, in the order of registration
	find(fd int) *SelectorKey    // nil if there is none
	search(obj any) *SelectorKey // by the object, which is comparable; nil if there is none

	add(key *SelectorKey) error
	modify(key *SelectorKey) error // replaces the key of key.Fd by one with other events
	replace(key *SelectorKey)      // replaces the key of key.Fd by one with the same events
	remove(fd int)

	// report appends up to room of the keys that a wait has found to dst, or to a new slice of the right size if that is nil. The
	// wait has found n events, while it was blocked or when it looked.
	report(dst []Ready, room, n int, blocked bool) ([]Ready, error)

	close() error
}

// base has what all selectors share: the public methods, on a set of keys and the waits for it, whose lock is for the keys too.
type base struct {
	waits *wait.Waits
	set   keySet
}

// Register registers a file object and returns its key, see [BaseSelector].
func (s *base) Register(fileobj any, events Event, data any) (*SelectorKey, error) {
	const op = "selectors.register"
	if err := events.check(); err != nil {
		return nil, s.unlessClosed(op, err)
	}
	fd, err := fileno(fileobj)
	s.waits.Lock()
	defer s.waits.Unlock()
	if s.waits.Closed() {
		return nil, opError(op, -1, os.ErrClosed)
	}
	if key := s.find(fileobj, fd, err); key != nil {
		return nil, opError(op, key.Fd, ErrRegistered)
	}
	if err != nil {
		return nil, opError(op, -1, err)
	}
	key := &SelectorKey{Fileobj: fileobj, Fd: fd, Events: events, Data: data}
	if err := s.set.add(key); err != nil {
		return nil, opError(op, fd, err)
	}
	return key, nil
}

// Unregister removes a file object and returns its last key, see [BaseSelector].
func (s *base) Unregister(fileobj any) (*SelectorKey, error) {
	fd, err := fileno(fileobj)
	s.waits.Lock()
	defer s.waits.Unlock()
	key, err := s.lookup("selectors.unregister", fileobj, fd, err)
	if err != nil {
		return nil, err
	}
	s.set.remove(key.Fd)
	return key, nil
}

// Modify replaces the events and the data of a file object and returns its new key, see [BaseSelector].
func (s *base) Modify(fileobj any, events Event, data any) (*SelectorKey, error) {
	const op = "selectors.modify"
	if err := events.check(); err != nil {
		return nil, s.unlessClosed(op, err)
	}
	fd, err := fileno(fileobj)
	s.waits.Lock()
	defer s.waits.Unlock()
	old, err := s.lookup(op, fileobj, fd, err)
	if err != nil {
		return nil, err
	}
	key := &SelectorKey{Fileobj: old.Fileobj, Fd: old.Fd, Events: events, Data: data}
	if events == old.Events {
		s.set.replace(key)
	} else if err := s.set.modify(key); err != nil {
		s.set.remove(key.Fd)
		return nil, opError(op, key.Fd, err)
	}
	return key, nil
}

// Key returns the key of a file object, see [BaseSelector].
func (s *base) Key(fileobj any) (*SelectorKey, error) {
	fd, err := fileno(fileobj)
	s.waits.Lock()
	defer s.waits.Unlock()
	return s.lookup("selectors.get_key", fileobj, fd, err)
}

// Keys returns the keys in the order of registration, see [BaseSelector].
func (s *base) Keys() iter.Seq[*SelectorKey] {
	return func(yield func(*SelectorKey) bool) {
		for _, key := range s.snapshot() {
			if !yield(key) {
				return
			}
		}
	}
}

func (s *base) snapshot() []*SelectorKey {
	s.waits.Lock()
	defer s.waits.Unlock()
	if s.waits.Closed() {
		return nil
	}
	return s.set.keys()
}

// Len returns the number of keys, see [BaseSelector].
func (s *base) Len() int {
	s.waits.Lock()
	defer s.waits.Unlock()
	if s.waits.Closed() {
		return 0
	}
	return s.set.len()
}

// Select waits until a file object is ready and returns all that are, see [BaseSelector].
func (s *base) Select(timeout time.Duration) ([]Ready, error) {
	return s.wait(context.Background(), nil, math.MaxInt, timeout)
}

// SelectInto is Select into a buffer of the caller's, see [BaseSelector].
func (s *base) SelectInto(ready []Ready, timeout time.Duration) (n int, err error) {
	if len(ready) == 0 {
		return 0, s.unlessClosed("selectors.select", errEmptyBuffer)
	}
	ready, err = s.wait(context.Background(), ready[:0], len(ready), timeout)
	return len(ready), err
}

// SelectContext is Select until ctx is done, see [BaseSelector].
func (s *base) SelectContext(ctx context.Context) ([]Ready, error) {
	return s.wait(ctx, nil, math.MaxInt, pyselect.Forever)
}

// Wakeup ends one Select, one that is waiting or the next one, see [BaseSelector].
func (s *base) Wakeup() error {
	s.waits.Lock()
	defer s.waits.Unlock()
	if s.waits.Closed() {
		return opError("selectors.wakeup", -1, os.ErrClosed)
	}
	s.waits.Wakeup()
	return nil
}

// descriptor returns the descriptor of a selector that has one, which is what fd returns.
func (s *base) descriptor(fd func() int) (int, error) {
	s.waits.Lock()
	defer s.waits.Unlock()
	if s.waits.Closed() {
		return -1, opError("selectors.fileno", -1, os.ErrClosed)
	}
	return fd(), nil
}

// Close releases the selector's resources and ends all waits, see [BaseSelector].
func (s *base) Close() error {
	return opError("selectors.close", -1, s.waits.Close(s.set.close))
}

// wait is Select until the timeout is over or ctx is done, with up to room keys appended to dst.
func (s *base) wait(ctx context.Context, dst []Ready, room int, timeout time.Duration) ([]Ready, error) {
	err := s.waits.Wait(ctx, room, timeout, func(n int, blocked bool) (found bool, err error) {
		dst, err = s.set.report(dst, room, n, blocked)
		return len(dst) > 0, err
	})
	switch {
	case err == nil || err == ctx.Err():
		return dst, err
	case len(dst) > 0:
		return dst, nil
	}
	return dst, s.explain("selectors.select", err)
}

// explain returns the error of a wait. A SelectSelector fails if a descriptor is closed, and the kernel does not say which one:
// explain finds that descriptor and names it in the error.
func (s *base) explain(op string, err error) error {
	if l, ok := s.set.(*listSet); ok && l.BySelect {
		for _, key := range s.snapshot() {
			if err := sys.Probe(key.Fd); err != nil {
				return opError(op, key.Fd, err)
			}
		}
	}
	return opError(op, -1, err)
}

// lookup returns the key of a file object, given what Fileno has returned for it.
func (s *base) lookup(op string, fileobj any, fd int, filenoErr error) (*SelectorKey, error) {
	if s.waits.Closed() {
		return nil, opError(op, -1, os.ErrClosed)
	}
	if key := s.find(fileobj, fd, filenoErr); key != nil {
		return key, nil
	}
	if filenoErr != nil {
		return nil, opError(op, -1, fmt.Errorf("%w: %w", ErrNotRegistered, filenoErr))
	}
	return nil, opError(op, fd, ErrNotRegistered)
}

// find returns the key of a file object, given what Fileno has returned for it, or nil if it is not registered.
func (s *base) find(fileobj any, fd int, filenoErr error) *SelectorKey {
	if filenoErr == nil {
		return s.set.find(fd)
	}
	// An object that has been closed does not know its descriptor any more.
	if reflect.ValueOf(fileobj).Comparable() {
		return s.set.search(fileobj)
	}
	return nil
}

func (s *base) isCurrent(key *SelectorKey) bool {
	s.waits.Lock()
	defer s.waits.Unlock()
	return !s.waits.Closed() && s.set.find(key.Fd) == key
}

// unlessClosed returns err as the error of an operation. If the selector is closed, that is the error instead.
func (s *base) unlessClosed(op string, err error) error {
	s.waits.Lock()
	defer s.waits.Unlock()
	if s.waits.Closed() {
		err = os.ErrClosed
	}
	return opError(op, -1, err)
}

// check returns an error if events are not what can be registered.
func (e Event) check() error {
	if e == 0 || e&^(EventRead|EventWrite) != 0 {
		return fmt.Errorf("events are %v, want EventRead, EventWrite or both: %w", e, os.ErrInvalid)
	}
	return nil
}

var errEmptyBuffer = fmt.Errorf("the buffer is empty, want room for one key at least: %w", os.ErrInvalid)

// fileno is pyselect.Fileno for an operation that has a name of its own.
func fileno(fileobj any) (int, error) {
	fd, err := pyselect.Fileno(fileobj)
	return fd, errors.Unwrap(err)
}

// opError returns the error of an operation, or nil. The descriptor is -1 if there is none to name.
func opError(op string, fd int, err error) error {
	if err == nil {
		return nil
	}
	return &pyselect.OpError{Op: op, Fd: fd, Err: err}
}
