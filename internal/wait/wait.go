// Package wait is how goroutines wait for descriptors: one loop for all facilities of the kernel, and the ways to block that
// it chooses from. docs/waiting.md describes it.
package wait

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
)

// A Set is the descriptors that one object waits for, with the system calls of its facility. All methods but Sleep are called with
// the lock of its Waits held, and Sleep by one goroutine at a time. docs/waiting.md explains the words.
type Set interface {
	// Look asks the kernel what is ready now, and returns how much is; it need not find more than room.
	Look(room int) (n int, err error)

	// Watch makes sure that Wake can end a Sleep, if anybody may have to end it. It returns false if that fails, because there is
	// no descriptor left for instance.
	Watch() bool

	// Arm prepares a block that need not find more than room. Disarm cleans up after the block. woken says that Wake was called:
	// Disarm undoes that.
	Arm(room int)
	Disarm(woken bool)

	// Sleep waits in the kernel until something is ready, Wake is called or the deadline has passed. It returns how much is
	// ready. A negative number says that a Look has to find that out.
	Sleep(deadline sys.Deadline) (n int, err error)

	// Wake ends the Sleep, also if it is still to begin.
	Wake()
}

// A Report is called with the number of entries that were found: by the last block if blocked is true, by the last Look
// otherwise. It hands them over to the caller, and returns whether the caller waits for any of them.
type Report func(n int, blocked bool) (found bool, err error)

// Waits are the waits for one set. The lock is also for what its owner keeps beside the set.
type Waits struct {
	sync.Mutex
	LookFirst bool // look before the next wait blocks: it will likely find something
	Kept      bool // look instead of the next block: what was found before, and the kernel does not say again, is kept for that

	set     Set
	turn    Turn
	id      uint64 // identifies the set; 0 for the List of a Poll or a Select
	streak  int    // waits in a row that were all for this set
	closed  bool
	woken   bool // Wakeup was called, and has not ended a wait yet
	waiting int  // goroutines that wait

	// Of the block that is on.
	way    Way
	kicked bool
	mayEnd bool // a context may end the wait
	apart  bool // the wait cannot share with others
	hung   bool // the wait shares, but without the descriptors that have hung up
	ticket *ticket
	left   chan struct{} // closed at its end; nil unless Close waits for that
}

var lastID atomic.Uint64

// Init prepares the waits for a set that is used many times, by many goroutines.
func (w *Waits) Init(set Set) {
	w.set, w.turn, w.id = set, NewTurn(), lastID.Add(1)
	Prepare()
}

// Closed reports whether Close has been called. The lock is held.
func (w *Waits) Closed() bool { return w.closed }

// Close ends all waits with os.ErrClosed, and calls release when none of them uses the set any more. Closing again does
// nothing.
func (w *Waits) Close(release func() error) error {
	w.Lock()
	defer w.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	w.Kick()
	if w.way != nowhere {
		w.left = make(chan struct{})
		w.Unlock()
		<-w.left
		w.Lock()
	}
	return release()
}

// Wakeup ends one wait, one that is on or the next one. The lock is held.
func (w *Waits) Wakeup() {
	w.woken = true
	w.Kick()
}

// Wait waits until report finds something, the timeout is over, Wakeup or Close is called, or ctx is done. If the timeout is not
// positive, Wait only looks once. Errors are os.ErrClosed, ctx.Err(), and those of the set and of report.
func (w *Waits) Wait(ctx context.Context, room int, timeout time.Duration, report Report) error {
	c := call{room: room, report: report}
	over, err := w.begin(ctx, &c, timeout)
	if over || err != nil {
		return err
	}
	var stop func() bool
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, w.lockAndKick)
	}
	if w.turn == nil || w.turn.Take(c.deadline, ctx.Done()) {
		w.mayEnd, w.apart, w.hung = stop != nil, false, false
		for !over && err == nil {
			if over, err = w.once(ctx, &c); !over && err == nil {
				over, err = c.deadline.Left() == 0, ctx.Err()
			}
		}
		if w.turn != nil {
			w.turn.Leave()
		}
	} else if err = ctx.Err(); err == nil {
		err = w.lastLook(&c)
	}
	if stop != nil {
		stop()
	}
	w.Lock()
	w.waiting--
	w.Unlock()
	return err
}

// A call holds what one Wait passes on to its helpers. A pointer to it needs less stack than the single arguments: a goroutine
// that waits has to fit into the smallest stack.
type call struct {
	room     int
	report   Report
	deadline sys.Deadline
}

// begin looks, if the timeout is not positive, LookFirst is set or something is kept. It reports whether the wait is over.
func (w *Waits) begin(ctx context.Context, c *call, timeout time.Duration) (over bool, err error) {
	w.Lock()
	defer w.Unlock()
	switch err := ctx.Err(); {
	case w.closed:
		return false, os.ErrClosed
	case err != nil:
		return false, err
	case timeout <= 0 || w.LookFirst || w.Kept:
		// A Wakeup is for those that wait, if there are any.
		over, err := w.look(c, w.waiting == 0)
		if over || err != nil || timeout <= 0 {
			return true, err
		}
	}
	c.deadline = sys.After(timeout)
	w.waiting++
	return false, nil
}

func (w *Waits) lockAndKick() {
	w.Lock()
	defer w.Unlock()
	w.Kick()
}

// lastLook is for a wait that has not had its turn in time.
func (w *Waits) lastLook(c *call) error {
	w.Lock()
	defer w.Unlock()
	_, err := w.look(c, true)
	return err
}

// once blocks once and reports. Whoever wants to end the block records the reason and kicks under the lock. So either the
// reason is seen before the block, or the kick ends it. What comes before and after it is apart, as it needs stack.
func (w *Waits) once(ctx context.Context, c *call) (over bool, err error) {
	if blocks, over, err := w.prepare(ctx, c); !blocks {
		return over, err
	}
	n, err := w.block(c.deadline)
	return w.finish(c, n, err)
}

// prepare begins a block, unless there is a reason not to.
func (w *Waits) prepare(ctx context.Context, c *call) (blocks, over bool, err error) {
	w.Lock()
	defer w.Unlock()
	if w.closed || w.woken || w.Kept {
		over, err = w.look(c, true)
		return false, over, err
	}
	if ctx.Err() != nil {
		return false, false, nil
	}
	w.enter(w.choose(c.deadline))
	w.set.Arm(c.room)
	return true, false, nil
}

// finish ends a block that has returned n and err.
func (w *Waits) finish(c *call, n int, err error) (over bool, _ error) {
	w.Lock()
	defer w.Unlock()
	w.settle()
	switch {
	case w.closed:
		return false, os.ErrClosed
	case err != nil:
		return false, err
	case n < 0:
		return w.look(c, true)
	case n > 0:
		if over, err = c.report(n, true); err != nil {
			return false, err
		}
	}
	return w.takeWakeup() || over, nil
}

// look looks and reports. The wait is over if report finds something, or if Wakeup was called and may end this wait, which is what
// wakes says.
func (w *Waits) look(c *call, wakes bool) (over bool, err error) {
	if w.closed {
		return false, os.ErrClosed
	}
	n, err := w.set.Look(c.room)
	if err == nil && n > 0 {
		over, err = c.report(n, false)
	}
	if err != nil {
		return false, err
	}
	return wakes && w.takeWakeup() || over, nil
}

func (w *Waits) takeWakeup() bool {
	woken := w.woken
	w.woken = false
	return woken
}

// A Way is a way to block. docs/waiting.md compares them.
type Way int32

const (
	nowhere  Way = iota
	InKernel     // in the kernel, with a thread, on the set itself
	Parked       // in Go's poller, which watches the set
	Together     // with others, for which one epoll or one thread of this package waits
	Pausing      // not at all: look now and then, which is all that is left without descriptors
)

// A parker is a set for which Go's poller can wait. endPark ends park.
type parker interface {
	park(deadline sys.Deadline) (n int, err error)
	endPark()
}

// A sharer is a set that can wait together with others, with a ticket.
type sharer interface {
	share(deadline sys.Deadline) (n int, err error)
}

// Force, if it is not zero, is the way in which all block that can. For tests.
var Force atomic.Int32

// threads is the number of goroutines that hold a thread in the kernel.
var threads atomic.Int32

// enter begins a block.
func (w *Waits) enter(way Way) {
	switch w.way = way; way {
	case InKernel:
		threads.Add(1)
	case Together:
		w.ticket = tickets.Get().(*ticket)
	}
}

// block blocks.
func (w *Waits) block(deadline sys.Deadline) (n int, err error) {
	switch w.way {
	case Parked:
		return w.set.(parker).park(deadline)
	case Together:
		return w.set.(sharer).share(deadline)
	case Pausing:
		return pause(deadline)
	}
	return w.set.Sleep(deadline)
}

// Kick ends the block that is on, if there is one. The lock is held.
func (w *Waits) Kick() {
	if w.way == nowhere || w.kicked {
		return
	}
	w.kicked = true
	switch w.way {
	case InKernel:
		w.set.Wake()
	case Parked:
		w.set.(parker).endPark()
	case Together:
		w.ticket.call()
	}
}

// pause is a block that ends by itself, soon.
func pause(deadline sys.Deadline) (n int, err error) {
	sys.Sleep(min(deadline.Left(), time.Millisecond))
	return -1, nil
}

// settle ends a block.
func (w *Waits) settle() {
	w.set.Disarm(w.kicked && w.way == InKernel)
	if w.kicked {
		w.kicked, w.streak = false, 0 // this program is more than one loop
	}
	switch w.way {
	case InKernel:
		threads.Add(-1)
	case Together:
		w.ticket.reset()
		tickets.Put(w.ticket)
		w.ticket = nil
	}
	w.way = nowhere
	if w.left != nil {
		close(w.left)
	}
}
