package selectors

import (
	"runtime"

	"github.com/pyselect/pyselect/internal/sys"
)

// SelectSelector waits with select(2). It mirrors Python's selectors.SelectSelector.
//
// It reports in the order of registration. Regular files are always ready. While an object is registered that has been
// closed, Select fails with unix.EBADF and names its descriptor.
//
// On Windows, it does so with windows.WSAENOTSOCK, also for all that is no socket. A non-blocking connect that has failed
// makes its socket available for writing, as on other systems.
type SelectSelector struct {
	base
	list listSet
}

// NewSelectSelector returns an empty selector. The error is an errno, or errors.ErrUnsupported where there is no
// select(2).
func NewSelectSelector() (*SelectSelector, error) {
	s := new(SelectSelector)
	s.list = listSet{events: selectEvents, ready: selectReady}
	s.list.Ask, s.list.BySelect = sys.Select, true
	if err := s.list.init(); err != nil {
		return nil, opError("selectors.SelectSelector", -1, err)
	}
	s.base = base{&s.list.Waits, &s.list}
	return s, nil
}

// failedConnect is the event that reports a failed non-blocking connect, with Out or instead of it: Pri on Windows, none on the
// other systems.
var failedConnect = map[bool]uint16{true: sys.Pri}[runtime.GOOS == "windows"]

func selectEvents(events Event) (mask uint16) {
	if events&EventRead != 0 {
		mask |= sys.In
	}
	if events&EventWrite != 0 {
		mask |= sys.Out | failedConnect
	}
	return mask
}

func selectReady(revents uint16) (ready Event) {
	if revents&sys.In != 0 {
		ready |= EventRead
	}
	if revents&^sys.In != 0 {
		ready |= EventWrite
	}
	return ready
}
