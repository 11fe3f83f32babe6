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

// lastWait is the id of the set that was waited for last.
var lastWait atomic.Uint64

// Prepare opens what is shared by all waits, so that it does not take the number of a descriptor that is closed while it is
// registered. Where that fails now, it may succeed later.
func Prepare() {
	if !prepared.Load() {
		prepared.Store(exact.open() && parkingLot.open() && pollCrowd.open())
	}
}

var prepared atomic.Bool

// choose chooses how to block.
//
// A loop that is alone in the process blocks in the kernel, which is cheapest. So do the first few that wait, about one for
// each processor, where it is dearer to share or to be parked. A set with a descriptor that is not known to be steady always blocks
// in the kernel.
func (w *Waits) choose(deadline sys.Deadline) {
	e, _ := w.set.(*Epoll)
	forced, few := Way(Force.Load()), func() bool { return threads.Load() < maxThreads() }
	alone := e != nil && w.isAlone()
	shares := !w.apart && !deadline.InBubble() && (deadline != sys.Never || !sys.InBubble()) && (e == nil || e.isSteady())
	switch {
	case e != nil && e.Haunted:
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

// isAlone reports whether all of many waits before this one were for the same set. Then nobody else needs the processor, if
// there is more than one.
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
			// An epoll reports a hang-up to those who do not ask for it, too, and would do so again and again. They look for themselves.
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

// ring ends a block that does not hold a thread.
func (w *Waits) ring() {
	if w.way == Parked {
		w.set.(*Epoll).unblock()
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
	index  int     // there, counted from 1; 0 if it is not there
	gone   bool    // it must not be there any more
	failed bool    // pollCrowd has
}

var tickets = sync.Pool{New: func() any {
	t := &ticket{called: make(chan struct{}, 1)}
	t.alarm.ring = t.call
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
