//go:build emulated_devpoll && linux

package sys

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// An emulatedSet emulates a set of /dev/poll in memory, on ppoll(2), for tests of what is above it. Where kernels differ, it is as the
// one that is harder to get along with.
type emulatedSet struct {
	inUse   sync.RWMutex // locked by a change; polls share it
	entries map[int32]emulatedEntry
	next    atomic.Int32 // the descriptor at which the next poll begins
}

type emulatedEntry struct {
	events uint16
	opened bool // the descriptor has been open since it was put into the set
}

var emulatedSets sync.Map // by descriptor

// openDevpoll returns a descriptor that is POLLERR to poll(2), as one of /dev/poll is.
func openDevpoll() (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	unix.Close(p[0])
	emulatedSets.Store(p[1], &emulatedSet{entries: map[int32]emulatedEntry{}})
	return p[1], nil
}

func emulated(devpoll int) *emulatedSet {
	set, _ := emulatedSets.Load(devpoll)
	return set.(*emulatedSet)
}

func writeDevpoll(devpoll int, changes []PollFd) error {
	set := emulated(devpoll)
	if !set.inUse.TryLock() {
		panic("a change would have to wait for a poll, and a signal might end it without an error")
	}
	defer set.inUse.Unlock()
	if isOverLimit(changes) {
		return unix.EINVAL
	}
	for _, c := range changes {
		entry := set.entries[c.Fd]
		if c.Events == pollRemove {
			if entry.opened {
				delete(set.entries, c.Fd)
			}
			continue
		}
		entry.events |= uint16(c.Events)
		entry.opened = entry.opened || Probe(int(c.Fd)) == nil
		set.entries[c.Fd] = entry
	}
	return nil
}

func pollDevpoll(devpoll int, found []PollFd, ms int) (int, error) {
	set := emulated(devpoll)
	set.inUse.RLock()
	defer set.inUse.RUnlock()
	if isOverLimit(found) {
		return 0, unix.EINVAL
	}
	fds := set.fds()
	n := 0
	for left := fds; len(left) > 0 && n < len(found); {
		asked := left[:min(len(left), len(found)-n)] // and no more: what is found and has no room would be lost
		if _, errno := ppoll(asked, 0); errno != 0 {
			return 0, errno
		}
		n += set.take(found[n:], asked)
		left = left[len(asked):]
	}
	if n > 0 || ms == 0 {
		return n, nil
	}
	timeout := time.Duration(ms) * time.Millisecond
	if ms < 0 {
		timeout = time.Duration(Never)
	}
	if _, errno := ppoll(fds, timeout); errno != 0 {
		return 0, errno
	}
	return set.take(found, fds), nil
}

// fds returns what to ask for, in the order of descriptors, from the next one on.
func (s *emulatedSet) fds() (fds []PollFd) {
	numbers := slices.Sorted(maps.Keys(s.entries))
	next, _ := slices.BinarySearch(numbers, s.next.Load())
	for _, n := range slices.Concat(numbers[next:], numbers[:next]) {
		if s.entries[n].opened {
			fds = append(fds, Entry(int(n), s.entries[n].events))
		}
	}
	return fds
}

// take takes what is ready into found, as far as there is room.
func (s *emulatedSet) take(found, fds []PollFd) (n int) {
	for _, f := range fds {
		if f.Revents == 0 {
			continue
		}
		found[n] = f
		if n++; n == len(found) {
			s.next.Store(f.Fd + 1)
			break
		}
	}
	return n
}

// sleep is more exact than Go's timers on Linux.
func sleep(d time.Duration) { ppoll(nil, d) }

func isOverLimit(fds []PollFd) bool {
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	return uint64(len(fds)) > limit.Cur
}
