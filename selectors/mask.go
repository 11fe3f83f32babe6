//go:build unix || windows

package selectors

import "github.com/pyselect/pyselect/internal/sys"

// pollEvents returns the events of poll(2) that a selector asks for. Windows has the same ones, by other means.
func pollEvents(events Event) (mask uint16) {
	if events&EventRead != 0 {
		mask |= sys.In
	}
	if events&EventWrite != 0 {
		mask |= sys.Out
	}
	return mask
}

// readyEvents returns what the events of poll(2) or epoll(7) mean to a selector: all but out make it readable, and all but
// in writable, so that errors and hang-ups surface as whatever was asked for.
func readyEvents(mask, in, out uint32) (ready Event) {
	if mask&^out != 0 {
		ready |= EventRead
	}
	if mask&^in != 0 {
		ready |= EventWrite
	}
	return ready
}
