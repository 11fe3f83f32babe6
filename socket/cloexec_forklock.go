//go:build unix && !(linux || freebsd || dragonfly || illumos)

package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func newSocket(family, typ, proto int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, typ, proto)
	return private(fd, err)
}

func newPair(family, typ, proto int) ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	pair, err := unix.Socketpair(family, typ, proto)
	if err != nil {
		return pair, err
	}
	_, err = private(pair[0], nil)
	if err != nil {
		unix.Close(pair[1])
		return pair, err
	}
	_, err = private(pair[1], nil)
	if err != nil {
		unix.Close(pair[0])
	}
	return pair, err
}

// acceptFd does not hold the lock: somebody else may have made the descriptor blocking, and nobody could fork then. So a process that is
// started just now may inherit the new descriptor.
func acceptFd(fd int) (int, unix.Sockaddr, error) {
	fd, addr, err := unix.Accept(fd)
	fd, err = private(fd, err)
	return fd, addr, err
}

func dup(fd int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Dup(fd)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	return fd, nil
}

// private makes a new descriptor close-on-exec and non-blocking, or closes it.
func private(fd int, err error) (int, error) {
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
