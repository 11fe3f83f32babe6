package wait

import "github.com/pyselect/pyselect/internal/sys"

// A Watch is for goroutines that wait for one socket, one at a time, together with all others that wait for sockets.
type Watch struct {
	socket [1]sys.AfdEntry
	sentry *sentry
	ticket *ticket
}

// NewWatch returns a Watch for some events of a socket. One that becomes unreachable is closed.
func NewWatch(fd int, events uint16) (*Watch, error) {
	socket, err := sys.NewAfdEntry(fd, events)
	if err != nil {
		return nil, err
	}
	sentry, err := newSentry()
	if err != nil {
		return nil, err
	}
	return &Watch{[1]sys.AfdEntry{socket}, sentry, newTicket()}, nil
}

// Begin begins a wait, which End is to end. The socket has to be open until Begin returns.
func (w *Watch) Begin() error { return w.sentry.post(w.ticket, w.socket[:]) }

// End waits until the socket is ready, Kick is called or the deadline has passed. It may also end without a reason.
func (w *Watch) End(deadline sys.Deadline) {
	w.ticket.sleep(deadline)
	w.sentry.relieve()
}

// Kick ends the wait that is on or, if there is none, the next one.
func (w *Watch) Kick() { w.ticket.call() }

// Close closes the Watch, for which nobody waits any more.
func (w *Watch) Close() { w.sentry.close() }
