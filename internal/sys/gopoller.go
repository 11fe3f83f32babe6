//go:build unix

package sys

import (
	"sync/atomic"
	"time"
)

var goPollerRuns atomic.Bool

// StartGoPoller lets Go's runtime open the descriptors of its own poller. If that were left to the first wait, and there
// were none left by then, the runtime would end the process.
func StartGoPoller() error {
	if goPollerRuns.Load() {
		return nil
	}
	// Two of these have as many descriptors as the runtime needs.
	one, err := NewWaker()
	if err != nil {
		return err
	}
	two, err := NewWaker()
	one.Close()
	if err != nil {
		return err
	}
	two.Close()
	time.AfterFunc(0, func() {}) // the first timer starts it
	goPollerRuns.Store(true)
	return nil
}
