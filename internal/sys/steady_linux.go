package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Steady reports whether a descriptor is known to be of a file that gives every poll the same answer, as long as its state is the
// same. Some files tell only the first that asks (perf events, mount tables, pressure stall triggers), or tell each thread
// something else (signalfds), or ask a process that serves them (FUSE). It is brief if the answer comes at once: a terminal may
// first have to work off its input.
func Steady(fd int) (steady, brief bool) {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil {
		return false, false
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFSOCK, unix.S_IFIFO:
		return true, true
	case unix.S_IFCHR:
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		return err == nil, false
	case 0: // an anonymous inode, of which only the name says what it is
		var name [32]byte
		n, _ := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), name[:])
		switch string(name[:max(n, 0)]) {
		case "anon_inode:[eventfd]", "anon_inode:[timerfd]", "anon_inode:inotify":
			return true, true
		}
	}
	return false, false
}
