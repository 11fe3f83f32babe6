//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// NewKqueue wraps kqueue(2). The descriptor is close-on-exec.
func NewKqueue() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Kqueue()
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	return fd, nil
}

// ChangeKqueue wraps kevent(2) with one change.
func ChangeKqueue(kq int, change Kevent) error {
	var room [(keventSize + 7) / 8]uint64
	changes := Kevents(room[:])
	changes.Set(0, change)
	_, err := KeventCall(kq, changes, nil, Now)
	return err
}

// KeventCall wraps kevent(2): it applies changes and waits for events until the deadline, whatever signals arrive. It is not
// made to wait for none. A call that waits is given no changes: a signal may interrupt it when it has applied them.
func KeventCall(kq int, changes, events Kevents, deadline Deadline) (int, error) {
	for {
		left := deadline.Left()
		var ts *unix.Timespec
		if deadline != Never {
			v := unix.NsecToTimespec(int64(min(left, longest)))
			ts = &v
		}
		n, err := unix.Kevent(kq, changes.all(), events.all(), ts)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n > 0 || left == 0 || deadline.Left() == 0:
			return n, nil
		}
	}
}
