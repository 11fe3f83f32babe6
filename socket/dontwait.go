//go:build unix && !aix

package socket

import "golang.org/x/sys/unix"

// MSG_DONTWAIT is the flag of Recv and Send that makes one call non-blocking.
const MSG_DONTWAIT = unix.MSG_DONTWAIT
