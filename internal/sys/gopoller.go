//go:build unix

package sys

import (
	"sync/atomic"
	"time"
)

var goPollerRuns atomic.Bool

// StartGoPoller lets Go's runtime open the descriptors of its own poller. If that were left to the first timer or wait, and
// there were none left by then, the runtime would end the process. As nobody can tell whether it has them already, the first
// call fails where there is no room for them.
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
