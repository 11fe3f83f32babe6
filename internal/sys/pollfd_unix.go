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

// SetFound says what has been found.
func SetFound(f *PollFd, revents uint16) { set(&f.Revents, revents) }

// set is generic because AIX has unsigned events, unlike the others.
func set[E int16 | uint16](p *E, events uint16) { *p = E(events) }
