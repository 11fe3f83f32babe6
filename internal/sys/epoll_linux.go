package sys

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// EpollCreate wraps epoll_create1(2). The descriptor is close-on-exec.
func EpollCreate() (int, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// EpollCtl wraps epoll_ctl(2). The tag comes back with each event of the descriptor. A call that is brief keeps its
// processor: no other goroutine runs there until it is over, nor can the garbage collector stop the world.
func EpollCtl(epfd, op, fd int, events, tag uint32, brief bool) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(tag)}
	var errno syscall.Errno
	if brief && op != unix.EPOLL_CTL_ADD { // which may take a mutex of the whole kernel
		_, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	} else {
		_, _, errno = unix.Syscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// Few is how many events a call may ask for and still be brief.
const Few = 64

// EpollLook wraps epoll_pwait(2) with a timeout of zero. EpollCtl says what brief means. A call that asks for more than Few
// events is never brief.
func EpollLook(epfd int, events []unix.EpollEvent, brief bool) (int, error) {
	for {
		var n uintptr
		var errno syscall.Errno
		if brief && len(events) <= Few {
			n, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		} else {
			n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		}
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// EpollWait waits until there are events or the deadline has passed, whatever signals arrive.
func EpollWait(epfd int, events []unix.EpollEvent, deadline Deadline) (int, error) {
	for {
		left := deadline.Left()
		n, errno := epollWait(epfd, events, left)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, errno
		case n > 0 || left == 0 || deadline.Left() == 0:
			return n, nil
		}
	}
}

// noPwait2 says that there is no epoll_pwait2, which came with Linux 5.11. Android's filter ends the process of an app that tries it.
var noPwait2 atomic.Bool

func init() { noPwait2.Store(runtime.GOOS == "android") }

// A timespec64 is what the newer system calls take, also where a long has 32 bits.
type timespec64 struct{ sec, nsec int64 }

// epollWait wraps epoll_pwait2(2), or epoll_pwait(2) where that is missing. epoll_pwait(2) takes milliseconds: it waits for whole
// ones only, and the rest is slept in naps.
func epollWait(epfd int, events []unix.EpollEvent, timeout time.Duration) (int, syscall.Errno) {
	const nap = 50 * time.Microsecond
	msec := ^uintptr(0)
	if timeout != time.Duration(Never) {
		if !noPwait2.Load() {
			left := min(timeout, longest)
			ts := &timespec64{int64(left / time.Second), int64(left % time.Second)}
			n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(ts)), 0, 0)
			switch errno {
			case 0, unix.EINTR, unix.EBADF, unix.EFAULT, unix.EINVAL:
				return int(n), errno
			}
			noPwait2.Store(true) // the kernel says ENOSYS then, and sandboxes EPERM, EACCES or ENOTSUP
		}
		msec = uintptr(min(timeout, longest) / time.Millisecond)
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), msec, 0, 0)
	if n == 0 && errno == 0 && msec == 0 {
		ppoll(nil, min(nap, timeout))
	}
	return int(n), errno
}
