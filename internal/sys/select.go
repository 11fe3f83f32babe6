//go:build unix || windows

package sys

import "sync"

// setEvents is what an entry waits for in each of the sets: readable, writable, exceptional.
var setEvents = [...]uint16{In, Out, Pri}

var fdSetsPool = sync.Pool{New: func() any { return new(fdSets) }}

// Select wraps select(2). It waits until a descriptor is ready or the deadline has passed, whatever signals arrive, and
// returns the number of entries that have revents. One that is not open makes it fail, mostly with EBADF: Probe tells which.
func Select(fds []PollFd, deadline Deadline) (n int, err error) {
	sets := fdSetsPool.Get().(*fdSets)
	defer fdSetsPool.Put(sets)
	defer sets.reset()
	all := uint16(0)
	for i := range fds {
		all |= uint16(fds[i].Events)
	}
	for set, event := range setEvents {
		if all&event != 0 {
			if err := sets.add(set, event, fds); err != nil {
				return 0, err
			}
		}
	}
	bits, err := sets.wait(deadline)
	if bits == 0 || err != nil {
		return 0, err
	}
	for i := range fds {
		fds[i].Revents = 0
	}
	for set, event := range setEvents {
		if all&event != 0 {
			n += sets.found(set, event, fds)
		}
	}
	return n, nil
}
