// Package sys holds the system calls of each kernel facility and what is peculiar to each kernel.
package sys

import (
	"math"
	"runtime"
	"syscall"
	"time"
)

// A Deadline is a point in time, in nanoseconds, as Clock counts them.
type Deadline int64

const (
	// Now has always passed. A wait until Now looks once and reads no clock.
	Now Deadline = math.MinInt64

	// Never does not come.
	Never Deadline = math.MaxInt64
)

// longest is the most that a system call is asked to wait: kernels refuse what is too long for them, each another limit.
// Callers make up for it by waiting again.
const longest = 1e6 * time.Second

// decades is how a bubble of testing/synctest is recognized. The clock of package time begins in the year 2000 in a bubble, and
// the time between start and such a clock is the difference of their dates: it is negative or decades long. The clock of a
// bubble, and so its timers, stand still while a goroutine of the bubble is in a system call.
const decades = 20 * 365 * 24 * time.Hour

var start = time.Now()

// InBubble reports whether the goroutine is in a bubble of testing/synctest. What it starts there, timers and goroutines, is
// part of the bubble and nothing that others may share.
func InBubble() bool { return strange(time.Since(start)) }

// Sleep is time.Sleep, and for the system's clock in a bubble too, where no time passes for package time, and without Go's poller, which
// package time needs.
func Sleep(d time.Duration) {
	if InBubble() || StartGoPoller() != nil {
		Select(nil, After(d))
	} else {
		time.Sleep(d)
	}
}

func strange(now time.Duration) bool { return now < 0 || now >= decades }

// Clock returns the time since the program started, or that of the system in a bubble.
func Clock() time.Duration {
	now := time.Since(start)
	if !strange(now) {
		return now
	}
	var tv syscall.Timeval
	syscall.Gettimeofday(&tv)
	return max(time.Duration(tv.Nano()), decades)
}

// After returns the deadline that lies timeout ahead: Now if that is not positive, Never if it is out of range.
func After(timeout time.Duration) Deadline {
	if timeout <= 0 {
		return Now
	}
	if timeout >= decades {
		return Never
	}
	now := Clock()
	switch {
	case now >= decades && runtime.GOOS == "windows":
		now += 16 * time.Millisecond // at which the clock there may tick
	case now >= decades:
		now += time.Microsecond // the clock there has dropped what is less
	case now+timeout >= decades:
		return Never
	}
	return Deadline(now + timeout)
}

// InBubble reports whether the deadline is one of a goroutine in a bubble.
func (d Deadline) InBubble() bool { return d != Never && time.Duration(d) >= decades }

// Left returns the time until d: 0 if d has passed, math.MaxInt64 for Never.
func (d Deadline) Left() time.Duration {
	switch d {
	case Now:
		return 0
	case Never:
		return math.MaxInt64
	}
	return max(0, time.Duration(d)-Clock())
}
