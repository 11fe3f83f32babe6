//go:build unix

package sys

import "golang.org/x/sys/unix"

// PollFd returns the entry for a descriptor in the array of Poll.
func PollFd(fd int, events uint16) unix.PollFd {
	p := unix.PollFd{Fd: int32(fd)}
	setEvents(&p.Events, events)
	return p
}

// setEvents is generic because AIX has unsigned events, unlike the others.
func setEvents[E int16 | uint16](p *E, events uint16) { *p = E(events) }
