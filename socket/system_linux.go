package socket

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

const (
	atomically = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

	// wideLevel is the level whose options are numbers of 8 bytes.
	wideLevel = unix.AF_VSOCK

	msgFastopen = unix.MSG_FASTOPEN
	msgErrqueue = unix.MSG_ERRQUEUE
)

func (a *sockaddr) isUnix() bool { return a.family() == AF_UNIX }

func newSocket(family, typ, proto int) (int, error) {
	return unix.Socket(family, typ|atomically, proto)
}

func newPair(family, typ, proto int) ([2]int, error) {
	return unix.Socketpair(family, typ|atomically, proto)
}

func dup(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) }

func accept(fd int, from *sockaddr) (int, error) {
	from.len = uint32(len(from.buf))
	n, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&from.buf)), uintptr(unsafe.Pointer(&from.len)),
		atomically, 0, 0)
	return from.result(n, errno)
}

func bind(fd int, addr *sockaddr) error {
	_, err := result(unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(addr.len)))
	return err
}

func connect(fd int, addr *sockaddr) error {
	_, err := result(unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(addr.len)))
	return err
}

func getsockname(fd int, addr *sockaddr) error {
	addr.len = uint32(len(addr.buf))
	_, err := result(unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(unsafe.Pointer(&addr.len))))
	return err
}

func getpeername(fd int, addr *sockaddr) error {
	addr.len = uint32(len(addr.buf))
	_, err := result(unix.Syscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(unsafe.Pointer(&addr.len))))
	return err
}

func recvfrom(fd int, p []byte, flags int, from *sockaddr) (int, error) {
	from.len = uint32(len(from.buf))
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		uintptr(flags), uintptr(unsafe.Pointer(&from.buf)), uintptr(unsafe.Pointer(&from.len)))
	return from.result(n, errno)
}

// sendto sends to an address, or to where the socket is connected to if to is empty.
func sendto(fd int, p []byte, flags int, to *sockaddr) (int, error) {
	if to.isEmpty() {
		n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
			uintptr(flags), 0, 0)
		return result(n, 0, errno)
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		uintptr(flags), uintptr(unsafe.Pointer(&to.buf)), uintptr(to.len))
	return result(n, 0, errno)
}

func recvmsg(fd int, buffers [][]byte, oob []byte, flags int, from *sockaddr) (n, oobn, msgFlags int, err error) {
	var msg unix.Msghdr
	vectors(&msg, buffers, oob)
	msg.Name, msg.Namelen = &from.buf[0], uint32(len(from.buf))
	r, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), uintptr(flags|unix.MSG_CMSG_CLOEXEC))
	from.len = msg.Namelen
	n, err = from.result(r, errno)
	return n, int(msg.Controllen), int(msg.Flags) &^ unix.MSG_CMSG_CLOEXEC, err
}

func sendmsg(fd int, buffers [][]byte, oob []byte, flags int, to *sockaddr) (int, error) {
	var msg unix.Msghdr
	vectors(&msg, buffers, oob)
	if !to.isEmpty() {
		msg.Name, msg.Namelen = &to.buf[0], to.len
	}
	n, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), uintptr(flags))
	return result(n, 0, errno)
}

func vectors(msg *unix.Msghdr, buffers [][]byte, oob []byte) {
	iov := make([]unix.Iovec, len(buffers))
	for i, p := range buffers {
		iov[i].Base = unsafe.SliceData(p)
		iov[i].SetLen(len(p))
	}
	msg.Iov = unsafe.SliceData(iov)
	msg.SetIovlen(len(iov))
	msg.Control = unsafe.SliceData(oob)
	msg.SetControllen(len(oob))
}

// getsockopt returns how many bytes of value an option has.
func getsockopt(fd, level, option int, value []byte) (int, error) {
	size := uint32(len(value))
	_, err := result(unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(value))), uintptr(unsafe.Pointer(&size)), 0))
	return int(size), err
}

// kindOf returns what a descriptor is a socket of.
func kindOf(fd int) (k kind, err error) {
	for option, value := range map[int]*int{unix.SO_DOMAIN: &k.family, unix.SO_TYPE: &k.typ, unix.SO_PROTOCOL: &k.proto} {
		if *value, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil {
			return k, err
		}
	}
	return k, nil
}

// isShut reports whether nothing more can come.
func isShut(fd int) bool {
	fds := []sys.PollFd{sys.Entry(fd, unix.POLLRDHUP)}
	_, err := sys.Poll(fds, sys.Now)
	return err == nil && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0 // which POLLERR alone does not say
}

// available returns how many bytes of a stream there are.
func available(fd, _ int) (int, error) {
	n, err := unix.IoctlGetUint32(fd, unix.TIOCINQ)
	return int(n), err
}

func result(n, _ uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
