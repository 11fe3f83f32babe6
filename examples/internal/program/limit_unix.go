//go:build unix

package program

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Descriptors returns how many descriptors the program may have open.
func Descriptors() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	return int(min(limit.Cur, 1<<30)), nil
}

// OutOfDescriptors reports whether an error says that no more can be opened now.
func OutOfDescriptors(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}
