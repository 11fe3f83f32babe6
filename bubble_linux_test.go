package pyselect_test

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
)

// In a bubble of testing/synctest, the clock of package time stands still while a goroutine is in a system call. A wait is for
// the kernel's clock, and leaves nothing running that the bubble would have to wait for.
func TestBubble(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			r, w := testkit.Pipe(t)
			wait := way.prepare(t, r)
			testkit.Go(t, func() {
				synctest.Test(t, func(t *testing.T) {
					for _, timeout := range []time.Duration{time.Microsecond, 300 * time.Microsecond, 5 * time.Millisecond} {
						realDuration(t, timeout, func() {
							if n, err := wait(timeout); n != 0 || err != nil {
								t.Errorf("%v: %d ready, %v", timeout, n, err)
							}
						})
					}
					testkit.Write(t, w, "x")
					if n, err := wait(time.Hour); n != 1 || err != nil {
						t.Errorf("%d ready, %v, want 1", n, err)
					}
				})
			}).Wait()
		})
	}
}

// realDuration is testkit.Duration by the kernel's clock.
func realDuration(t *testing.T, least time.Duration, f func()) {
	t.Helper()
	var begin, end unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &begin)
	f()
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &end)
	if took := time.Duration(end.Nano() - begin.Nano()); took < least {
		t.Errorf("took %v, want at least %v", took, least)
	}
}
