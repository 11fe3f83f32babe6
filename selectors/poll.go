//go:build unix

package selectors

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// PollSelector waits with poll(2). It mirrors Python's selectors.PollSelector.
//
// It reports in the order of registration. Regular files are always ready. An object that is closed while registered is
// reported as ready until it is unregistered. poll(2) of macOS refuses some devices, such as terminals: the error of Register is
// unix.EINVAL then, and says that a SelectSelector can watch them.
type PollSelector struct {
	base
	list listSet
}

// NewPollSelector returns an empty selector. The error is an errno, like unix.EMFILE.
func NewPollSelector() (*PollSelector, error) {
	s := new(PollSelector)
	s.list = listSet{events: pollEvents, ready: func(revents uint16) Event { return readyEvents(uint32(revents), unix.POLLIN, unix.POLLOUT) }}
	s.list.Ask = sys.Poll
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" { // where poll(2) is a kqueue inside
		s.list.check = func(fd int, events uint16) error { return checkWatchable(fd, events, sys.Poll) }
	}
	if err := s.list.init(); err != nil {
		return nil, opError("selectors.PollSelector", -1, err)
	}
	s.base = base{&s.list.Waits, &s.list}
	return s, nil
}

// checkWatchable returns an error if poll says of a descriptor that it is not open, although it is. Such a file would be reported as
// ready again and again.
func checkWatchable(fd int, events uint16, poll func([]sys.PollFd, sys.Deadline) (int, error)) error {
	entry := []sys.PollFd{sys.Entry(fd, events)}
	if _, err := poll(entry, sys.Now); err != nil || entry[0].Revents&unix.POLLNVAL == 0 || sys.Probe(fd) != nil {
		return nil
	}
	return fmt.Errorf("poll cannot watch this file, a SelectSelector can: %w", unix.EINVAL)
}
