package main

import (
	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/socket"
)

// unacknowledged returns how many bytes the peer of a connection, whose own side is shut down, has not received, or false if
// nobody knows.
func unacknowledged(sock *socket.Socket) (n int, known bool) {
	conn, err := sock.SyscallConn()
	if err != nil {
		return 0, false
	}
	var queued uint32
	var failed error
	err = conn.Control(func(fd uintptr) { queued, failed = unix.IoctlGetUint32(int(fd), unix.TIOCOUTQ) })
	return max(0, int(queued)-1), err == nil && failed == nil // without the end, which counts as one
}
