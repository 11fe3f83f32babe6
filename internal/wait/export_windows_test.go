package wait

import (
	"runtime"

	"github.com/pyselect/pyselect/internal/sys"
)

// A Sentry is a sentry and the ticket that it calls.
type Sentry struct{ *sentry }

// NewSentry returns a new sentry.
func NewSentry() (Sentry, error) {
	s, err := newSentry()
	return Sentry{s}, err
}

// Wait waits until the sentry calls for a socket.
func (s Sentry) Wait(socket sys.AfdEntry) {
	t := tickets.Get().(*ticket)
	s.post(t, []sys.AfdEntry{socket})
	t.sleep(sys.Never)
	s.relieve()
}

// OnCollected lets f be called when the sentry has been collected.
func (s Sentry) OnCollected(f func()) { runtime.AddCleanup(s.sentry, func(f func()) { f() }, f) }
