//go:build unix

package sys

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// A PollFd is a descriptor, what to wait for, and what has been found, as poll(2) takes it.
type PollFd = unix.PollFd

// What a PollFd can wait for on all systems.
const (
	In  = unix.POLLIN
	Out = unix.POLLOUT
	Pri = unix.POLLPRI
)

// Entry returns the PollFd of a descriptor.
func Entry(fd int, events uint16) PollFd {
	f := PollFd{Fd: int32(fd)}
	set(&f.Events, events)
	return f
}

// WithFd returns the entry for another descriptor.
func WithFd(f PollFd, fd int) PollFd {
	f.Fd = int32(fd)
	return f
}

// SetFound says what has been found.
func SetFound(f *PollFd, revents uint16) { set(&f.Revents, revents) }

// tooMany names the limit, if poll(2) has refused so many entries: it takes as many as the process may have descriptors, and on macOS
// never more than OPEN_MAX.
func tooMany(entries int, err error) error {
	var limit unix.Rlimit
	if err != unix.EINVAL || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return err
	}
	most := uint64(limit.Cur)
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		most = min(most, 10240)
	}
	if uint64(entries) <= most {
		return err
	}
	return fmt.Errorf("%d descriptors, want no more than %d: %w", entries, most, err)
}

// set and setBits are generic because AIX has unsigned events, unlike the others.
func set[E int16 | uint16](p *E, events uint16) { *p = E(events) }

func setBits[E int16 | uint16](p *E, events uint16) { *p |= E(events) }
