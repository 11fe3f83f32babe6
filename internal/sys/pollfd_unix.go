//go:build unix

package sys

import "golang.org/x/sys/unix"

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

// set and setBits are generic because AIX has unsigned events, unlike the others.
func set[E int16 | uint16](p *E, events uint16) { *p = E(events) }

func setBits[E int16 | uint16](p *E, events uint16) { *p |= E(events) }
