package wait

import (
	"container/heap"
	"os"
	"slices"
	"sync"
	"time"
	"weak"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// An Alarm calls a function at a deadline, as exactly as the kernel's timers are. Go's are about a millisecond coarse, since
// the runtime sleeps in whole milliseconds: the last stretch before the deadline is left to the exact clock.
type Alarm struct {
	fire func() // called with the exact clock locked

	mu     sync.Mutex
	at     sys.Deadline // Never if the alarm is not set
	timer  *time.Timer
	due    sys.Deadline // when the timer goes off; Never if it does not run. Stop leaves it running
	handed bool         // to the exact clock

	// In exact.alarms, and with its lock.
	when  sys.Deadline
	index int // counted from 1; 0 if it is not there
}

// NewAlarm returns an alarm that calls fire, which must not wait.
func NewAlarm(fire func()) *Alarm {
	exact.open() // without it, the alarm is late by a millisecond
	return &Alarm{fire: fire}
}

// lastStretch is how long before its deadline an alarm is handed to the exact clock.
const lastStretch = 2 * time.Millisecond

// Set sets an alarm that is not set.
func (a *Alarm) Set(at sys.Deadline) {
	if at == sys.Never {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = at
	if a.timer != nil && a.due <= at-sys.Deadline(lastStretch) {
		return // when the timer goes off, it will be set anew: a loop of waits does not set it each time
	}
	a.approach()
}

// approach sets the timer, or hands the alarm to the exact clock.
func (a *Alarm) approach() {
	left := a.at.Left() - lastStretch
	a.due = sys.Never
	switch {
	case left <= 0:
		a.handed = true
		exact.add(a, a.at)
		return
	case a.timer != nil:
		a.timer.Reset(left)
	default:
		// The timer refers to the alarm weakly, so that it does not keep the owner of the alarm from being collected.
		a.timer = time.AfterFunc(left, weakly(a))
	}
	a.due = a.at - sys.Deadline(lastStretch)
}

func weakly(a *Alarm) func() {
	p := weak.Make(a)
	return func() {
		if a := p.Value(); a != nil {
			a.timerFired()
		}
	}
}

// timerFired is called when the timer goes off.
func (a *Alarm) timerFired() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = sys.Never
	if a.at != sys.Never && !a.handed {
		a.approach()
	}
}

// Stop makes sure that the alarm does not go off any more. One that is not set may be stopped.
func (a *Alarm) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = sys.Never
	if a.handed {
		a.handed = false
		exact.remove(a)
	}
}

// Close lets nothing be left of an alarm that is not set any more.
func (a *Alarm) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
}

// exact is the clock for alarms that go off soon. While there are any, a goroutine waits for a timerfd in Go's poller.
var exact exactClock

type exactClock struct {
	mu      sync.Mutex
	alarms  alarmHeap
	running bool
	file    *os.File // of the timerfd; nil if there is none
	fd      int
	refused bool    // the system has no timerfd that can be used
	buf     [8]byte // of run
}

// open makes the timerfd, which is never closed, and reports whether it need not be called again.
func (c *exactClock) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil && !c.refused && sys.StartGoPoller() == nil {
		var err error
		c.fd, c.file, err = openTimerfd()
		c.refused = slices.Contains([]error{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EINVAL, unix.ENODEV, unix.ENOTSUP}, err)
	}
	return c.file != nil || c.refused
}

// openTimerfd returns a timerfd in Go's poller. There are systems that have none, or let nobody set it.
func openTimerfd() (fd int, file *os.File, err error) {
	if fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return -1, nil, err
	}
	if err = unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{}, nil); err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	file, _, err = sys.InGoPoller(fd, "timerfd")
	return fd, file, err
}

func (c *exactClock) add(a *Alarm, when sys.Deadline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.when = when
	heap.Push(&c.alarms, a)
	switch {
	case !c.running:
		c.running = true
		go runExactClock()
	case a.index == 1:
		c.wind(when)
	}
}

func (c *exactClock) remove(a *Alarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.index != 0 {
		heap.Remove(&c.alarms, a.index-1)
	}
}

// wind sets the timerfd.
func (c *exactClock) wind(when sys.Deadline) {
	if c.file != nil {
		value := unix.NsecToTimespec(max(1, int64(when.Left()))) // zero would stop it
		unix.TimerfdSettime(c.fd, 0, &unix.ItimerSpec{Value: value}, nil)
	}
}

// runExactClock is a function without arguments, so that starting it does not allocate.
func runExactClock() { exact.run() }

// run sets off the alarms until none is left.
func (c *exactClock) run() {
	for {
		c.mu.Lock()
		for len(c.alarms) > 0 && c.alarms[0].when.Left() == 0 {
			heap.Pop(&c.alarms).(*Alarm).fire()
		}
		if len(c.alarms) == 0 {
			c.running = false
			c.mu.Unlock()
			return
		}
		next, file := c.alarms[0].when, c.file
		c.wind(next)
		c.mu.Unlock()
		if file == nil {
			time.Sleep(min(next.Left(), time.Millisecond)) // late rather than never
		} else {
			file.Read(c.buf[:])
		}
	}
}

// alarmHeap implements heap.Interface.
type alarmHeap []*Alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].when < h[j].when }

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
