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
	exact.open()
	together.open()
}

// choose chooses how to block.
//
// A loop that is alone in the process blocks in the kernel, which is cheapest. So do the first few that wait, about one for
// each processor, where it is dearer to share or to be parked. Whose descriptors are not all known to be steady always does.
func (w *Waits) choose(deadline sys.Deadline) {
	forced, alone := Way(Force.Load()), w.isAlone()
	w.way, w.pause = InKernel, false
	switch s := w.set.(type) {
	case *Epoll:
		if s.Haunted {
			w.way, w.pause = Together, true
			break
		}
		if forced == nowhere && alone && s.fd.watch() {
			break
		}
		free := !deadline.InBubble() && s.isSteady()
		switch {
		case free && forced != InKernel && forced != Together && s.canPark():
			w.way = Parked
		case (!free || w.apart || forced == InKernel || forced != Together && threads.Load() < few()) && s.fd.watch():
		default:
			// Without a descriptor for a waker or a duplicate, and where there is no other way, all that is left is to look now and then.
			w.way, w.pause = Together, !free || w.apart
		}
	case *List:
		switch {
		case w.apart || deadline.InBubble() || forced == InKernel:
		case forced != Together && threads.Load() < few():
		case deadline == sys.Never && sys.InBubble():
		default:
			w.way = Together
		}
	}
	switch w.way {
	case InKernel:
		threads.Add(1)
	case Together:
		w.ticket = tickets.Get().(*ticket)
	}
}

// few is how many waits may hold a thread where others would share one.
func few() int32 { return int32(max(2, runtime.GOMAXPROCS(0))) }

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
	}
	return w.set.Sleep(deadline)
}

// share blocks among others. Where that turns out to be impossible, the wait stays apart from then on.
func (w *Waits) share(deadline sys.Deadline) (n int, err error) {
	t := w.ticket
	switch s := w.set.(type) {
	case *Epoll:
		if w.pause {
			t.pause(min(deadline, sys.After(time.Millisecond)))
			return -1, nil
		}
		if !crowded.join(t, s.armed.number) {
			w.apart = true
			return 0, nil
		}
		t.sleep(deadline)
		w.apart = crowded.leave(t)
		return -1, nil
	case *List:
		if !together.join(t, s.blocked) {
			w.apart = true
			return 0, nil
		}
		t.sleep(deadline)
		together.leave(t)
		n, err = s.Ask(s.blocked, sys.Now)
		if n == 0 && err == nil && s.BySelect {
			// An epoll reports a hang-up whether it is asked for or not, and would do so again.
			hung, _ := sys.Poll(s.blocked, sys.Now)
			w.apart = hung > 0
		}
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
	places []place // in the descriptors of together
	fd     int     // in crowded
	index  int     // there; negative if it is not any more
	failed bool    // crowded has
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

// pause is sleep for a short while.
func (t *ticket) pause(until sys.Deadline) {
	if until.InBubble() {
		sys.Select(nil, until)
	} else {
		t.sleep(until)
	}
}

// reset forgets a call.
func (t *ticket) reset() {
	select {
	case <-t.called:
	default:
	}
}
