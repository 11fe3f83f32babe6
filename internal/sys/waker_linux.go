package sys

import (
	"golang.org/x/sys/unix"
)

// wakerPair wraps eventfd(2), which is both ends.
func wakerPair() (r, w int, err error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return -1, -1, err
	}
	return fd, fd, nil
}
