// Package sys holds the waits of each kernel facility and what is peculiar to each kernel. Nothing above it knows which
// system it runs on.
package sys

import (
	"math"
	"time"
)

// A Deadline is a point on the monotonic clock, in nanoseconds since the program started.
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

var start = time.Now()

// After returns the deadline that lies timeout ahead: Now if that is not positive, Never if it is out of range.
func After(timeout time.Duration) Deadline {
	if timeout <= 0 {
		return Now
	}
	now := time.Since(start)
	if timeout > math.MaxInt64-now {
		return Never
	}
	return Deadline(now + timeout)
}

// Left returns the time until d: 0 if d has passed, math.MaxInt64 for Never.
func (d Deadline) Left() time.Duration {
	switch d {
	case Now:
		return 0
	case Never:
		return math.MaxInt64
	}
	return max(0, time.Duration(d)-time.Since(start))
}

// Before returns the deadline that comes the time lead before d.
func (d Deadline) Before(lead time.Duration) Deadline {
	if d == Now || d == Never {
		return d
	}
	return d - Deadline(lead)
}
