package pyselect_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// A wait whose system call fails neither spins nor hangs, and does no harm to the next one.
func TestWaitFails(t *testing.T) {
	for _, way := range slices.Concat(ways, waysToSleep) {
		call, name := uintptr(unix.SYS_PPOLL), "ppoll"
		switch {
		case strings.HasPrefix(way.name, "Select"):
			call, name = unix.SYS_PSELECT6, "select"
		case strings.HasSuffix(way.name, "second waiter"):
			continue // its wait is not for the kernel
		}
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM, unix.ENOMEM} {
			t.Run(way.name+"/"+unix.ErrnoName(errno), func(t *testing.T) {
				testkit.NoLeaks(t)
				r, w := testkit.Pipe(t)
				wait := way.prepare(t, r)
				testkit.Fault{Call: call, Errno: errno}.Run(t, func() {
					for _, timeout := range []time.Duration{time.Millisecond, 20 * time.Millisecond, pyselect.Forever} {
						n, err := wait(timeout)
						wantError(t, err, errno, "pyselect: ", name)
						if n != 0 {
							t.Errorf("%v: %d ready beside the error", timeout, n)
						}
					}
				})
				lateness(t, wait, time.Millisecond)
				if strings.HasSuffix(way.name, "of nothing") {
					return
				}
				testkit.Write(t, w, "x")
				if n, err := wait(pyselect.Forever); n != 1 || err != nil {
					t.Errorf("%d ready, %v, want 1", n, err)
				}
			})
		}
	}
}
