package sys

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Lead is how long before a deadline a wait leaves Go's timers for an Alarm. The runtime sleeps in whole milliseconds,
// so that its timers are up to one late; the other one is for the scheduler.
const Lead = 2 * time.Millisecond

// An Alarm calls a function at a deadline, as exactly as the kernel's timers are. It is meant for the last Lead of a wait:
// while any alarm is set, one thread sleeps in the kernel for all of them.
type Alarm struct {
	wake  func() // called with the clock locked
	at    Deadline
	index int // in clock.alarms, counted from 1; 0 if not set
}

// Set sets an alarm that is not set.
func (a *Alarm) Set(at Deadline) { clock.add(a, at) }

// Stop makes sure that the alarm does not go off any more. One that is not set may be stopped.
func (a *Alarm) Stop() { clock.remove(a) }

var clock alarmClock

type alarmClock struct {
	mu       sync.Mutex
	alarms   alarmHeap
	running  bool          // run is on
	earliest atomic.Uint32 // counts the changes of what comes first; the futex that run sleeps on
}

func (c *alarmClock) add(a *Alarm, at Deadline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.at = at
	heap.Push(&c.alarms, a)
	switch {
	case !c.running:
		c.running = true
		go runClock()
	case a.index == 1:
		c.earliest.Add(1)
		futexWake(&c.earliest)
	}
}

func (c *alarmClock) remove(a *Alarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.index != 0 {
		heap.Remove(&c.alarms, a.index-1)
	}
}

// runClock is a function without arguments, so that starting it does not allocate.
func runClock() { clock.run() }

// run sets off the alarms until none is left.
func (c *alarmClock) run() {
	for {
		c.mu.Lock()
		for len(c.alarms) > 0 && c.alarms[0].at.Left() == 0 {
			heap.Pop(&c.alarms).(*Alarm).wake()
		}
		if len(c.alarms) == 0 {
			c.running = false
			c.mu.Unlock()
			return
		}
		next, seen := c.alarms[0].at, c.earliest.Load()
		c.mu.Unlock()
		futexWait(&c.earliest, seen, next.Left())
	}
}

// From linux/futex.h; golang.org/x/sys has none of them.
const (
	futexWaitPrivate = 0 | 128
	futexWakePrivate = 1 | 128
)

// futexWait sleeps until timeout is over, word is no longer old, futexWake is called, or for no reason.
func futexWait(word *atomic.Uint32, old uint32, timeout time.Duration) {
	ts := unix.NsecToTimespec(int64(timeout))
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitPrivate, uintptr(old), uintptr(unsafe.Pointer(&ts)), 0, 0)
}

func futexWake(word *atomic.Uint32) {
	syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakePrivate, 1, 0, 0, 0)
}

// alarmHeap implements heap.Interface.
type alarmHeap []*Alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at < h[j].at }

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *alarmHeap) Push(a any) {
	*h = append(*h, a.(*Alarm))
	a.(*Alarm).index = len(*h)
}

func (h *alarmHeap) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.index = 0
	return a
}
