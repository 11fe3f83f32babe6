//go:build freebsd || dragonfly || illumos

package socket

import "golang.org/x/sys/unix"

const atomically = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

func newSocket(family, typ, proto int) (int, error) {
	return unix.Socket(family, typ|atomically, proto)
}

func newPair(family, typ, proto int) ([2]int, error) {
	return unix.Socketpair(family, typ|atomically, proto)
}

func acceptFd(fd int) (int, unix.Sockaddr, error) { return unix.Accept4(fd, atomically) }

func dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }
