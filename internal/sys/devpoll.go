//go:build solaris || emulated_devpoll

package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// What is said of the kernels here was read in the sources of illumos and of Solaris 11, usr/src/uts/common/io/devpoll.c, and could
// not be tried.

// pollRemove, POLLREMOVE, is what takes a descriptor out of a set. Nothing else does, not even that it is closed.
const pollRemove = 0x0800

// OpenDevpoll opens /dev/poll, which is an empty set. The descriptor is close-on-exec. Only this process can use it, and neither
// poll(2) nor Go's poller can wait for it.
func OpenDevpoll() (int, error) { return openDevpoll() }

// DevpollPut puts a descriptor into a set, or changes its events. If it fails, the descriptor is not in the set. Nobody may be in
// DevpollWait: Solaris lets the change wait for the end of that, and a signal ends this wait, so that nothing is changed and there
// is no error.
func DevpollPut(devpoll, fd int, events uint16) error {
	// That it is not open is no error to the kernel, which then never reports it, even if another goroutine opens it right after that.
	err := Probe(fd)
	if err == nil {
		// The kernel adds events to those that it has, and Solaris goes on to wait for a file that was closed and had the same number.
		// So the descriptor is removed before. But illumos does not remove one that was not open when it was put into the set, so
		// that its events would stay. So it is put there before that.
		entry := Entry(fd, events)
		err = writeDevpoll(devpoll, []PollFd{entry, Entry(fd, pollRemove), entry})
	}
	if err == nil {
		err = Probe(fd) // it may have been closed meanwhile
	}
	if err != nil {
		DevpollRemove(devpoll, fd)
	}
	return err
}

// DevpollRemove takes a descriptor out of a set, where it need not be. Nobody may be in DevpollWait, see DevpollPut.
func DevpollRemove(devpoll, fd int) error {
	return writeDevpoll(devpoll, []PollFd{Entry(fd, pollRemove)})
}

// DevpollWait waits until a descriptor is ready or the deadline has passed, whatever signals arrive, and returns how many entries
// of found it has filled. The next call begins with what had no room. A wait of a millisecond or more takes a tick of the kernel's
// clock at least.
//
// When the kernel has found nothing at a descriptor, it does not look there again until that file has an event, and to close one
// descriptor of several is none. So one that has been closed may be POLLNVAL, or never reported. If another file has its number, that
// file may be reported, or not.
func DevpollWait(devpoll int, found []PollFd, deadline Deadline) (int, error) {
	return inMilliseconds(deadline, func(ms int) (int, error) {
		n, err := pollDevpoll(devpoll, found, ms)
		if errors.Is(err, unix.EINVAL) { // Solaris wants no more room than the process may have descriptors
			var limit unix.Rlimit
			unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
			if uint64(limit.Cur) < uint64(len(found)) {
				return pollDevpoll(devpoll, found[:max(limit.Cur, 1)], ms)
			}
		}
		return n, err
	})
}
