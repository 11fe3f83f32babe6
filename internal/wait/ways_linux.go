package wait

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
)

// Force, if it is not zero, is the way in which all block that can. For tests.
var Force atomic.Int32

// threads is the number of goroutines that hold a thread in the kernel.
var threads atomic.Int32

// lastWait is the id of the epoll for which a wait has blocked last. Waits of other facilities do not change it.
var lastWait atomic.Uint64

// Prepare opens the descriptors that all waits share. It does so early: later, a shared descriptor could get the number of a
// registered descriptor that has been closed. If Prepare fails, the next call of Prepare tries again.
func Prepare() {
	if !prepared.Load() {
		prepared.Store(exact.open() && parkingLot.open() && pollCrowd.open())
	}
}

var prepared atomic.Bool

// choose chooses how to block.
//
// An epoll whose loop is alone in the process blocks in the kernel, which is cheapest. Every other epoll parks, if Go's poller
// takes it. Of the waits that cannot park, the first few, about one for each processor, block in the kernel, because that is
// cheaper than to share. The others share. A set with a descriptor that is not known to be steady always blocks in the kernel, and
// so does a wait in a bubble of testing/synctest. A wait that has no descriptor left for its way pauses.
func (w *Waits) choose(deadline sys.Deadline) {
	e, _ := w.set.(*Epoll)
	forced, few := Way(Force.Load()), func() bool { return threads.Load() < maxThreads() }
	alone := e != nil && w.isAlone()
	shares := !w.apart && !deadline.InBubble() && (deadline != sys.Never || !sys.InBubble()) && (e == nil || e.isSteady())
	switch {
	case e != nil && e.PauseNext:
		w.way = Pausing
	case alone && forced == nowhere && few() && w.set.Watch():
		w.way = InKernel
	case e != nil && shares && forced != InKernel && forced != Together && e.canPark():
		w.way = Parked
	case (!shares || forced == InKernel || forced != Together && few()) && w.set.Watch():
		w.way = InKernel
	case shares:
		w.way = Together
	default:
		w.way = Pausing
	}
	switch w.way {
	case InKernel:
		threads.Add(1)
	case Together:
		w.ticket = tickets.Get().(*ticket)
	}
}

// maxThreads is how many waits may hold a thread where others would share one.
func maxThreads() int32 { return int32(max(2, runtime.NumCPU())) }

// isAlone reports whether waits have blocked for this epoll many times in a row, and for no other epoll in between. The program is
// then taken for a single loop, so that nothing else needs the processor. With one processor, isAlone is always false.
func (w *Waits) isAlone() bool {
	const many = 32
	if lastWait.Load() != w.id {
		lastWait.Store(w.id)
		w.streak = 0
		return false
	}
	w.streak++
	return w.streak >= many && w.id != 0 && runtime.GOMAXPROCS(0) > 1
}

// block blocks as chosen.
func (w *Waits) block(deadline sys.Deadline) (n int, err error) {
	switch w.way {
	case Parked:
		return w.set.(*Epoll).park(deadline)
	case Together:
		return w.share(deadline)
	case Pausing:
		return pause(deadline)
	}
	return w.set.Sleep(deadline)
}

// share blocks together with others. Where that turns out to be impossible, the wait stays apart from then on.
func (w *Waits) share(deadline sys.Deadline) (n int, err error) {
	t := w.ticket
	switch s := w.set.(type) {
	case *Epoll:
		if w.apart = !pollCrowd.join(t, s.armed.number); w.apart {
			return 0, nil
		}
		t.sleep(deadline)
		w.apart = pollCrowd.leave(t)
		return -1, nil
	case *List:
		if w.hung {
			// An epoll reports a hang-up even if nobody asks for it, and would do so again and again. So join leaves out what has
			// hung up, and this wait looks at it again every 100 milliseconds.
			if _, err := sys.Poll(s.blocked, sys.Now); err != nil {
				w.apart = true
				return 0, nil
			}
			deadline = min(deadline, sys.After(100*time.Millisecond))
		}
		if w.apart = !parkingLot.join(t, s.blocked, w.hung); w.apart {
			return 0, nil
		}
		t.sleep(deadline)
		parkingLot.leave(t)
		n, err = s.Ask(s.blocked, sys.Now)
		w.hung = n == 0 && s.BySelect
	}
	return n, err
}

// unblock ends a block that does not hold a thread.
func (w *Waits) unblock() {
	if w.way == Parked {
		w.set.(*Epoll).endPark()
	} else {
		w.ticket.call()
	}
}

// vacate gives back what the block has used.
func (w *Waits) vacate() {
	switch w.way {
	case InKernel:
		threads.Add(-1)
	case Together:
		w.ticket.reset()
		tickets.Put(w.ticket)
		w.ticket = nil
	}
}

// A ticket is a goroutine that waits among others.
type ticket struct {
	called chan struct{}
	alarm  Alarm
	places []place // in parkingLot
	fd     int     // in pollCrowd
	index  int     // in pollCrowd.tickets, counted from 1; 0 if the ticket is not there
	gone   bool    // the ticket has left pollCrowd, or must not join it
	failed bool    // ppoll(2) of pollCrowd has failed
}

var tickets = sync.Pool{New: func() any {
	t := &ticket{called: make(chan struct{}, 1)}
	t.alarm.fire = t.call
	return t
}}

// call wakes the goroutine, if need be when it falls asleep.
func (t *ticket) call() {
	select {
	case t.called <- struct{}{}:
	default:
	}
}

// sleep sleeps until the ticket is called or the deadline has passed.
func (t *ticket) sleep(deadline sys.Deadline) {
	t.alarm.Set(deadline)
	<-t.called
	t.alarm.Stop()
}

// reset forgets a call.
func (t *ticket) reset() {
	t.gone, t.failed = false, false
	select {
	case <-t.called:
	default:
	}
}
