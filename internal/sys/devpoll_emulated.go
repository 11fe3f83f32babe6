//go:build emulated_devpoll && linux

package sys

import (
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An emulatedSet emulates a set of /dev/poll in memory, on ppoll(2), for tests of what is above it. Where kernels differ, it is as the
// one that is harder to get along with.
type emulatedSet struct {
	inUse   sync.RWMutex // locked by a change; polls share it
	looking sync.Mutex   // held while a poll looks, but not while it sleeps; for what is below
	entries map[int32]*emulatedEntry
	next    int32 // the descriptor at which the next look begins
}

type emulatedEntry struct {
	events uint16
	opened bool // the descriptor has been open since it was put into the set
	file   emulatedFile
	idle   bool // the last look has found nothing: the kernel does not look again until this file has an event
}

// An emulatedFile is the file of a descriptor. Files without an inode of their own, like eventfds, are all the same here.
type emulatedFile struct{ dev, ino uint64 }

// fileOf returns the zero value for a descriptor that is not open.
func fileOf(fd int32) emulatedFile {
	var stat unix.Stat_t
	if unix.Fstat(int(fd), &stat) != nil {
		return emulatedFile{}
	}
	return emulatedFile{uint64(stat.Dev), stat.Ino}
}

var emulatedSets sync.Map // by descriptor

// openDevpoll returns a descriptor that is POLLERR to poll(2), as one of /dev/poll is.
func openDevpoll() (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	unix.Close(p[0])
	emulatedSets.Store(p[1], &emulatedSet{entries: map[int32]*emulatedEntry{}})
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
		if entry == nil {
			entry = new(emulatedEntry)
		}
		file := fileOf(c.Fd)
		isOpen := file != emulatedFile{}
		switch {
		case c.Events == pollRemove:
			if entry.opened {
				delete(set.entries, c.Fd)
			}
		case isOpen && entry.opened && entry.events == uint16(c.Events):
			// Solaris takes it for what it has, even if it is another file.
		default:
			entry.events |= uint16(c.Events)
			entry.idle = false
			if isOpen {
				entry.opened, entry.file = true, file
			}
			set.entries[c.Fd] = entry
		}
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
	deadline := Never
	if ms >= 0 {
		deadline = After(time.Duration(ms) * time.Millisecond)
	}
	for {
		n, err := set.look(found)
		if left := deadline.Left(); n == 0 && err == nil && left > 0 {
			n, err = set.sleep(found, left)
		}
		if n > 0 || err != nil || deadline.Left() == 0 {
			return n, err
		}
	}
}

// look takes what is ready into found, as far as there is room.
func (s *emulatedSet) look(found []PollFd) (n int, err error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	for left := s.fds(); len(left) > 0 && n < len(found); {
		asked := left[:min(len(left), len(found)-n)] // and no more: what is found and has no room would be lost
		if _, errno := ppoll(asked, 0); errno != 0 {
			return 0, errno
		}
		for _, f := range asked {
			s.entries[f.Fd].idle = f.Revents == 0
			n += s.take(found[n:], f)
		}
		left = left[len(asked):]
	}
	return n, nil
}

// sleep waits until something is ready, and takes that into found. If it returns nothing, there may be something to look at.
func (s *emulatedSet) sleep(found []PollFd, timeout time.Duration) (n int, err error) {
	s.looking.Lock()
	fds := s.fds()
	s.looking.Unlock()
	if _, errno := ppoll(fds, timeout); errno != 0 {
		return 0, errno
	}
	s.looking.Lock()
	defer s.looking.Unlock()
	for _, f := range fds {
		entry := s.entries[f.Fd]
		if f.Revents == 0 || f.Revents == unix.POLLNVAL { // to close a descriptor tells the kernel nothing
			continue
		}
		entry.idle = false
		if entry.file == fileOf(f.Fd) { // which may say it once only
			n += s.take(found[n:], f)
		}
	}
	return n, nil
}

// take takes a descriptor that is ready into found, if there is room, and returns how many those are.
func (s *emulatedSet) take(found []PollFd, f PollFd) (n int) {
	if f.Revents == 0 || len(found) == 0 {
		return 0
	}
	if found[0] = f; len(found) == 1 {
		s.next = f.Fd + 1
	}
	return 1
}

// fds returns what to look at, in the order of descriptors, from the next one on. That does not include one whose last
// look has found nothing and that was closed since, nor the file that has its number now.
func (s *emulatedSet) fds() (fds []PollFd) {
	numbers := slices.Sorted(maps.Keys(s.entries))
	next, _ := slices.BinarySearch(numbers, s.next)
	for _, n := range slices.Concat(numbers[next:], numbers[:next]) {
		entry, file := s.entries[n], fileOf(n)
		if !entry.opened || entry.idle && entry.file != file {
			continue
		}
		entry.file = file
		fds = append(fds, Entry(int(n), entry.events))
	}
	return fds
}

// sleep is more exact than Go's timers on Linux.
func sleep(d time.Duration) { ppoll(nil, d) }

func isOverLimit(fds []PollFd) bool {
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	return uint64(len(fds)) > limit.Cur
}
