//go:build (unix && !linux) || emulated_devpoll

package sys

import (
	"syscall"
	"time"
)

// inMilliseconds waits until the deadline with a system call that takes milliseconds, -1 for ever, and may be interrupted by
// signals. wait wraps that call. It waits for whole milliseconds only, and the rest is slept in naps.
func inMilliseconds(deadline Deadline, wait func(ms int) (n int, err error)) (int, error) {
	const nap = 50 * time.Microsecond // at a time
	for {
		left := deadline.Left()
		ms := int(min(left, longest) / time.Millisecond)
		if deadline == Never {
			ms = -1 // the only negative number that all systems take
		}
		n, err := wait(ms)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n > 0 || left == 0:
			return n, nil
		case ms == 0:
			sleep(min(nap, left))
		}
	}
}
