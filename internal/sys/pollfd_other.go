//go:build !unix

package sys

// A PollFd is a descriptor, what to wait for, and what has been found.
type PollFd struct {
	Fd              int
	Events, Revents uint16
}

// What a PollFd can wait for.
const (
	In  = 1
	Pri = 2
	Out = 4
)

// Entry returns the PollFd of a descriptor.
func Entry(fd int, events uint16) PollFd { return PollFd{Fd: fd, Events: events} }

// WithFd returns the entry for another descriptor.
func WithFd(f PollFd, fd int) PollFd {
	f.Fd = fd
	return f
}

// SetFound says what has been found.
func SetFound(f *PollFd, revents uint16) { f.Revents = revents }
