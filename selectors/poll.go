//go:build unix

package selectors

import (
	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// PollSelector waits with poll(2). It mirrors Python's selectors.PollSelector.
//
// It reports in the order of registration. Regular files are always ready. An object that is closed while registered is
// reported as ready until it is unregistered.
type PollSelector struct {
	base
	list listSet
}

// NewPollSelector returns an empty selector. The error is an errno, like unix.EMFILE.
func NewPollSelector() (*PollSelector, error) {
	s := new(PollSelector)
	s.list = listSet{events: pollEvents, ready: func(revents uint16) Event { return readyEvents(uint32(revents), unix.POLLIN, unix.POLLOUT) }}
	s.list.Ask = sys.Poll
	if err := s.list.init(); err != nil {
		return nil, opError("selectors.PollSelector", -1, err)
	}
	s.base = base{&s.list.Waits, &s.list}
	return s, nil
}

func pollEvents(events Event) (mask uint16) {
	if events&EventRead != 0 {
		mask |= unix.POLLIN
	}
	if events&EventWrite != 0 {
		mask |= unix.POLLOUT
	}
	return mask
}
