package selectors

import (
	"context"
	"fmt"
	"iter"
	"math"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/sys"
)

// A keySet is the keys of a selector and what the kernel knows of them. All methods but block are called with base.mu
// held, arm and block by one goroutine at a time.
type keySet interface {
	len() int
	keys() []*SelectorKey        // a new slice, in the order of registration
	find(fd int) *SelectorKey    // nil if there is none
	search(obj any) *SelectorKey // by the object, which is comparable; nil if there is none

	add(key *SelectorKey) error
	modify(key *SelectorKey) error // replaces the key of key.Fd by one with other events
	replace(key *SelectorKey)      // replaces the key of key.Fd by one with the same events
	remove(fd int)

	// look appends up to room keys that are ready to dst, or to a new slice of the right size if that is nil. Whoever comes
	// from a block says so with blocked, and gets what that has found.
	look(dst []Ready, room int, blocked bool) ([]Ready, error)

	arm(deadline sys.Deadline) error // prepares a block: from now on a kick ends it
	kick()

	// block waits for something to be ready, the deadline or a kick; it may return for no reason. It reports whether the next
	// wait should look before it blocks: where that is cheap, and likely to find something.
	block(deadline sys.Deadline) (lookFirst bool)

	close() error
}

// base has what all selectors share: the public methods, and how waits begin and end.
type base struct {
	mu        sync.Mutex
	set       keySet
	closed    bool
	woken     bool // Wakeup was called, and has not ended a Select yet
	waiting   int  // Selects that wait
	turn      sys.Turn
	lookFirst atomic.Bool // look before a wait blocks
}

func (s *base) init(set keySet) {
	s.set = set
	s.turn = sys.NewTurn()
}

// Register registers a file object and returns its key, see [BaseSelector].
func (s *base) Register(fileobj any, events Event, data any) (*SelectorKey, error) {
	const op = "register"
	if err := events.check(op); err != nil {
		return nil, s.unlessClosed(op, err)
	}
	fd, err := pyselect.Fileno(fileobj)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, opError(op, os.ErrClosed)
	}
	if key := s.find(fileobj, fd, err); key != nil {
		return nil, fdError(op, key.Fd, ErrRegistered)
	}
	if err != nil {
		return nil, opError(op, err)
	}
	key := &SelectorKey{Fileobj: fileobj, Fd: fd, Events: events, Data: data}
	if err := s.set.add(key); err != nil {
		return nil, fdError(op, fd, err)
	}
	return key, nil
}

// Unregister removes a file object and returns its last key, see [BaseSelector].
func (s *base) Unregister(fileobj any) (*SelectorKey, error) {
	fd, err := pyselect.Fileno(fileobj)
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.lookup("unregister", fileobj, fd, err)
	if err != nil {
		return nil, err
	}
	s.set.remove(key.Fd)
	return key, nil
}

// Modify replaces the events and the data of a file object and returns its new key, see [BaseSelector].
func (s *base) Modify(fileobj any, events Event, data any) (*SelectorKey, error) {
	const op = "modify"
	if err := events.check(op); err != nil {
		return nil, s.unlessClosed(op, err)
	}
	fd, err := pyselect.Fileno(fileobj)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.lookup(op, fileobj, fd, err)
	if err != nil {
		return nil, err
	}
	key := &SelectorKey{Fileobj: old.Fileobj, Fd: old.Fd, Events: events, Data: data}
	if events == old.Events {
		s.set.replace(key)
	} else if err := s.set.modify(key); err != nil {
		s.set.remove(key.Fd)
		return nil, fdError(op, key.Fd, err)
	}
	return key, nil
}

// Key returns the key of a file object, see [BaseSelector].
func (s *base) Key(fileobj any) (*SelectorKey, error) {
	fd, err := pyselect.Fileno(fileobj)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookup("key", fileobj, fd, err)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	return s.set.keys()
}

// Len returns the number of keys, see [BaseSelector].
func (s *base) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
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
		return 0, s.unlessClosed("select", fmt.Errorf("selectors: select: the buffer is empty: %w", os.ErrInvalid))
	}
	ready, err = s.wait(context.Background(), ready[:0], len(ready), timeout)
	return len(ready), err
}

// SelectContext is Select until ctx is done, see [BaseSelector].
func (s *base) SelectContext(ctx context.Context) ([]Ready, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.unlessClosed("select", err)
	}
	return s.wait(ctx, nil, math.MaxInt, pyselect.Forever)
}

// Wakeup ends one Select, one that is waiting or the next one, see [BaseSelector].
func (s *base) Wakeup() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return opError("wakeup", os.ErrClosed)
	}
	s.woken = true
	s.set.kick()
	return nil
}

// Close releases the selector's resources and ends all waits, see [BaseSelector].
func (s *base) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.set.close(); err != nil {
		return opError("close", err)
	}
	return nil
}

// wait is Select until the timeout is over or ctx is done, with up to room keys appended to dst.
func (s *base) wait(ctx context.Context, dst []Ready, room int, timeout time.Duration) ([]Ready, error) {
	dst, over, err := s.begin(dst, room, timeout)
	if over || err != nil {
		return dst, err
	}
	defer s.end()

	deadline, done := sys.After(timeout), ctx.Done()
	if done != nil {
		stop := context.AfterFunc(ctx, s.kick)
		defer stop()
	}
	if !s.turn.Take(deadline, done) {
		if isClosed(done) {
			return dst, ctx.Err()
		}
		dst, _, err = s.look(dst, room, false)
		return dst, err
	}
	defer s.turn.Leave()
	for {
		dst, over, err := s.arm(dst, room, deadline)
		if over || err != nil {
			return dst, err
		}
		if !isClosed(done) {
			s.lookFirst.Store(s.set.block(deadline))
		}
		dst, over, err = s.look(dst, room, true)
		switch {
		case over || err != nil:
			return dst, err
		case isClosed(done):
			return dst, ctx.Err()
		case deadline.Left() == 0:
			return dst, nil
		}
	}
}

// begin looks, if that is called for, and reports whether this was all. Otherwise the caller is one that waits, until end.
func (s *base) begin(dst []Ready, room int, timeout time.Duration) (_ []Ready, over bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if timeout <= 0 || s.lookFirst.Load() {
		// A Wakeup is for those that wait, if there are any.
		dst, over, err = s.lookLocked(dst, room, false, s.waiting == 0)
		if over || err != nil || timeout <= 0 {
			return dst, true, err
		}
	}
	s.waiting++
	return dst, false, nil
}

func (s *base) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
}

// look appends what is ready, for one that waits.
func (s *base) look(dst []Ready, room int, blocked bool) (_ []Ready, over bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookLocked(dst, room, blocked, true)
}

// lookLocked appends what is ready. The wait is over if that is something, or if Wakeup was called for it.
func (s *base) lookLocked(dst []Ready, room int, blocked, wakes bool) (_ []Ready, over bool, err error) {
	if s.closed {
		return dst, false, opError("select", os.ErrClosed)
	}
	dst, err = s.set.look(dst, room, blocked)
	if err != nil {
		return dst, false, opError("select", err)
	}
	woken := s.woken && wakes
	if woken {
		s.woken = false
	}
	return dst, woken || len(dst) > 0, nil
}

// arm prepares a block, unless the wait is over already. Whatever is to end the block kicks with the lock held: either its
// reason is seen between here and the block, or the kick ends that.
func (s *base) arm(dst []Ready, room int, deadline sys.Deadline) (_ []Ready, over bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.woken {
		return s.lookLocked(dst, room, false, true)
	}
	if err := s.set.arm(deadline); err != nil {
		return dst, false, opError("select", err)
	}
	return dst, false, nil
}

func (s *base) kick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.set.kick()
	}
}

// lookup returns the key of a file object, given what Fileno has returned for it.
func (s *base) lookup(op string, fileobj any, fd int, filenoErr error) (*SelectorKey, error) {
	if s.closed {
		return nil, opError(op, os.ErrClosed)
	}
	if key := s.find(fileobj, fd, filenoErr); key != nil {
		return key, nil
	}
	if filenoErr != nil {
		return nil, opError(op, fmt.Errorf("%w: %w", ErrNotRegistered, filenoErr))
	}
	return nil, fdError(op, fd, ErrNotRegistered)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.set.find(key.Fd) == key
}

// unlessClosed returns err, or that the selector is closed, which comes first.
func (s *base) unlessClosed(op string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return opError(op, os.ErrClosed)
	}
	return err
}

// check returns an error if events are not what can be registered.
func (e Event) check(op string) error {
	if e == 0 || e&^(EventRead|EventWrite) != 0 {
		return fmt.Errorf("selectors: %s: events are %v, want EventRead, EventWrite or both: %w", op, e, os.ErrInvalid)
	}
	return nil
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func opError(op string, err error) error {
	return fmt.Errorf("selectors: %s: %w", op, err)
}

func fdError(op string, fd int, err error) error {
	return fmt.Errorf("selectors: %s: fd %d: %w", op, fd, err)
}
