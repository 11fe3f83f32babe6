package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func openDevpoll() (int, error) { return unix.Open("/dev/poll", unix.O_RDWR|unix.O_CLOEXEC, 0) }

// writeDevpoll applies changes to a set.
func writeDevpoll(devpoll int, changes []PollFd) error {
	size := len(changes) * int(unsafe.Sizeof(PollFd{}))
	_, err := unix.Write(devpoll, unsafe.Slice((*byte)(unsafe.Pointer(&changes[0])), size))
	return err
}

// pollDevpoll wraps the ioctl DP_POLL.
func pollDevpoll(devpoll int, found []PollFd, ms int) (int, error) {
	const dpPoll = 0xD001
	arg := struct { // a dvpoll_t
		fds     *PollFd
		nfds    uint // an unsigned long, although the manual says int
		timeout int32
		setp    *byte // illumos has it, for another ioctl
	}{fds: &found[0], nfds: uint(len(found)), timeout: int32(ms)}
	// Of the functions that take a pointer and return a number, this one takes a structure that is not larger. It looks at nothing in it.
	return unix.IoctlSetStrioctlRetInt(devpoll, dpPoll, (*unix.Strioctl)(unsafe.Pointer(&arg)))
}
