//go:build unix && !linux

package socket

// leaveGoPoller returns the error of Go's poller.
func (w *waiter) leaveGoPoller(_ *poller, err error) error { return err }
