//go:build unix || windows

package sys

import "sync"

// The sets of an fdSets, and what an entry waits for in each.
const (
	readable = iota
	writable
	exceptional
)

var setEvents = [...]uint16{readable: In, writable: Out, exceptional: Pri}

var fdSetsPool = sync.Pool{New: func() any { return new(fdSets) }}

// Select wraps select(2). It waits until a descriptor is ready or the deadline has passed, whatever signals arrive, and
// returns the number of entries that have revents. One that is not open makes it fail, mostly with EBADF: Probe tells which.
func Select(fds []PollFd, deadline Deadline) (n int, err error) {
	sets := fdSetsPool.Get().(*fdSets)
	defer fdSetsPool.Put(sets)
	defer sets.reset()
	for i := range fds {
		for set, event := range setEvents {
			if uint16(fds[i].Events)&event != 0 {
				if err := sets.add(set, int(fds[i].Fd)); err != nil {
					return 0, err
				}
			}
		}
	}
	bits, err := sets.wait(deadline)
	if bits == 0 || err != nil {
		return 0, err
	}
	for i := range fds {
		found := uint16(0)
		for set, event := range setEvents {
			if uint16(fds[i].Events)&event != 0 && sets.has(set, int(fds[i].Fd)) {
				found |= event
			}
		}
		SetFound(&fds[i], found)
		if found != 0 {
			n++
		}
	}
	return n, nil
}
