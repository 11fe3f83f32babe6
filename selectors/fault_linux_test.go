package selectors_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// epollOf returns the number of the selector's epoll.
func epollOf(t *testing.T, sel *selectors.EpollSelector) int {
	t.Helper()
	fd, err := sel.Fileno()
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// A Select whose system call fails neither spins nor hangs, and does no harm to the next one.
func TestSelectFails(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		a, b := testkit.Socketpair(t)
		for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM, unix.ENOMEM} {
			faults := map[string]testkit.Fault{"poll": {Call: unix.SYS_PPOLL, Errno: errno}}
			if epoll, ok := sel.(*selectors.EpollSelector); ok {
				// Go's poller has another descriptor.
				faults["epoll_pwait"] = testkit.Fault{
					Call: unix.SYS_EPOLL_PWAIT, Args: testkit.Args{0: epollOf(t, epoll)}, Errno: errno,
				}
			} else if k.name == "select" {
				faults = map[string]testkit.Fault{"select": {Call: unix.SYS_PSELECT6, Errno: errno}}
			}
			register(t, sel, a, read, nil)
			for name, fault := range faults {
				fault.Run(t, func() {
					for _, timeout := range []time.Duration{time.Millisecond, 20 * time.Millisecond, pyselect.Forever} {
						ready, err := sel.Select(timeout)
						wantError(t, err, errno, "selectors: select:", name+": ")
						if len(ready) > 0 {
							t.Errorf("ready beside the error: %v", pairs(ready))
						}
					}
				})
				testkit.Duration(t, time.Millisecond, func() { selects(t, sel, time.Millisecond) })
				s := beginSelect(t, sel, pyselect.Forever)
				testkit.Write(t, b, "x")
				s.ends(t, a, read)
				testkit.Drain(t, a)
			}
			unregister(t, sel, a)
		}
	})
}
