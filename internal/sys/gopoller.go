//go:build unix

package sys

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var goPollerRuns atomic.Bool

// StartGoPoller makes Go's runtime open the descriptors of its own poller now. Otherwise the runtime opens them for the first
// timer or wait, and ends the process if no descriptors are left by then. Nobody can ask the runtime whether it has opened them.
// So the first call fails if there is no room for them, even if they are open already.
func StartGoPoller() error {
	if goPollerRuns.Load() {
		return nil
	}
	if err := needPairs(2); err != nil { // which have as many descriptors as the runtime needs
		return err
	}
	time.AfterFunc(0, func() {}) // the first timer starts it
	goPollerRuns.Store(true)
	return nil
}

// InGoPoller makes a descriptor non-blocking and puts it into Go's own poller. It owns the descriptor: that is closed if the poller
// cannot watch it.
func InGoPoller(fd int, name string) (*os.File, syscall.RawConn, error) {
	unix.SetNonblock(fd, true)
	file := os.NewFile(uintptr(fd), name)
	conn, err := file.SyscallConn()
	if err == nil {
		err = file.SetDeadline(time.Time{}) // which tells whether it is watched
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, conn, nil
}

func needPairs(n int) error {
	for range n {
		r, w, err := wakerPair()
		if err != nil {
			return err
		}
		defer closeWakerPair([2]int{r, w})
	}
	return nil
}
