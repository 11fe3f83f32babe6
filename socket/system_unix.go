//go:build unix

package socket

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// What all Unix systems have alike.

// defaultPairFamily is the family of a Socketpair for which none is given.
const defaultPairFamily = AF_UNIX

// setsReuseaddr says whether CreateServer sets SO_REUSEADDR.
const setsReuseaddr = true

// maxSend is how much is sent by one call.
const maxSend = maxPart

// streamsHaveAncillary says whether recvmsg takes room for ancillary data of a stream.
const streamsHaveAncillary = true

type cmsghdr = unix.Cmsghdr

func cmsgLen(length int) int { return unix.CmsgLen(length) }

func cmsgSpace(length int) int { return unix.CmsgSpace(length) }

// makePrivate makes a descriptor close-on-exec and non-blocking.
func makePrivate(fd int) error {
	unix.CloseOnExec(fd)
	return unix.SetNonblock(fd, true)
}

// closeFd closes a descriptor. EINTR and ECONNRESET are no failure to do so.
func closeFd(fd int) error {
	if err := unix.Close(fd); err != unix.EINTR && err != unix.ECONNRESET {
		return err
	}
	return nil
}

func listen(fd, backlog int) error { return unix.Listen(fd, backlog) }

func shutdown(fd, how int) error { return unix.Shutdown(fd, how) }

func read(fd int, p []byte) (int, error) { return unix.Read(fd, p) }

func write(fd int, p []byte) (int, error) { return unix.Write(fd, p) }

// hasConnected reports whether an attempt to connect has ended.
func hasConnected(fd int) (bool, error) {
	n, err := sys.Poll([]sys.PollFd{sys.Entry(fd, sys.Out)}, sys.Now)
	return n > 0, err
}

func getsockoptInt(fd, level, option int) (int, error) {
	if level == wideLevel {
		wide, err := unix.GetsockoptUint64(fd, level, option)
		return int(wide), err
	}
	return unix.GetsockoptInt(fd, level, option)
}

// getsockoptTimeout is unix.GetsockoptTimeval, which would allocate.
func getsockoptTimeout(fd, option int) (time.Duration, error) {
	var timeout unix.Timeval
	_, err := getsockopt(fd, SOL_SOCKET, option, unsafe.Slice((*byte)(unsafe.Pointer(&timeout)), unsafe.Sizeof(timeout)))
	return time.Duration(timeout.Nano()), err
}

func setsockoptInt(fd, level, option, value int) error {
	if level == wideLevel {
		return unix.SetsockoptUint64(fd, level, option, uint64(value))
	}
	return unix.SetsockoptInt(fd, level, option, value)
}

func setsockopt(fd, level, option int, value []byte) error {
	return unix.SetsockoptString(fd, level, option, string(value))
}

func setLinger(fd int, on bool, seconds int) error {
	l := unix.Linger{Linger: int32(seconds)}
	if on {
		l.Onoff = 1
	}
	return unix.SetsockoptLinger(fd, SOL_SOCKET, sys.SoLinger, &l)
}

// sendfile wraps sendfile(2). The error is errors.ErrUnsupported if the system does not have it, or not for this file.
func sendfile(fd int, file syscall.RawConn, offset int64, size int) (n int, err error) {
	end := offset
	if file.Control(func(in uintptr) { n, err = unix.Sendfile(fd, int(in), &end, size) }) != nil {
		return 0, os.ErrClosed
	}
	if n = max(n, int(end-offset)); n > 0 {
		return n, nil // some systems say EAGAIN although they have sent a part
	}
	if slices.Contains([]error{unix.EINVAL, unix.ENOSYS, unix.EPERM, unix.EOPNOTSUPP, unix.ENOTSUP}, err) {
		err = errors.ErrUnsupported
	}
	return 0, err
}

// checkInNoPort has nothing to do: there are no completion ports.
func checkInNoPort(int) error { return nil }
