//go:build unix

package socket_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

const (
	eAddrNotAvail = unix.EADDRNOTAVAIL
	eAfNoSupport  = unix.EAFNOSUPPORT
	eAgain        = unix.EAGAIN
	eAlready      = unix.EALREADY
	eBadFd        = unix.EBADF
	eInProgress   = unix.EINPROGRESS
	eInvalid      = unix.EINVAL
	eIsConn       = unix.EISCONN
	eNoProtoOpt   = unix.ENOPROTOOPT
	eNotSock      = unix.ENOTSOCK

	pairFamily = socket.AF_UNIX

	tooMuch = 1 << 22 // to send to the other one of a pair at once
)

// gone is the error of a wait to send to the other one of a pair, when that has been closed before it has received all.
var gone = socket.ErrBrokenPipe

var kinds = map[string]func() (selectors.BaseSelector, error){
	"select":  func() (selectors.BaseSelector, error) { return selectors.NewSelectSelector() },
	"poll":    func() (selectors.BaseSelector, error) { return selectors.NewPollSelector() },
	"default": func() (selectors.BaseSelector, error) { return selectors.NewDefaultSelector() },
}

func readFd(fd uintptr, p []byte) (int, error) { return unix.Read(int(fd), p) }

func writeFd(fd uintptr, p []byte) (int, error) { return unix.Write(int(fd), p) }

func closeFd(t testing.TB, fd int) { check(t, unix.Close(fd)) }

// dupFd returns a duplicate that other programs inherit.
func dupFd(t testing.TB, fd int) int { return must[int](t)(unix.Dup(fd)) }

func isInherited(t testing.TB, fd int) bool {
	return must[int](t)(unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0))&unix.FD_CLOEXEC == 0
}

func isNonblocking(t testing.TB, fd int) bool {
	return must[int](t)(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0))&unix.O_NONBLOCK != 0
}

func makeBlocking(t testing.TB, fd int) { check(t, unix.SetNonblock(fd, false)) }

// limit sets SO_RCVTIMEO or SO_SNDTIMEO.
func limit(t testing.TB, s *socket.Socket, option int, timeout time.Duration) {
	t.Helper()
	tv := unix.NsecToTimeval(timeout.Nanoseconds())
	check(t, unix.SetsockoptTimeval(fileno(t, s), socket.SOL_SOCKET, option, &tv))
}

// linger returns what SetLinger has set.
func linger(t testing.TB, s *socket.Socket) (on bool, seconds int) {
	t.Helper()
	l, err := unix.GetsockoptLinger(fileno(t, s), socket.SOL_SOCKET, sys.SoLinger)
	check(t, err)
	return l.Onoff != 0, int(l.Linger)
}

// cpuTime returns how long this process has used the processor.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage unix.Rusage
	check(t, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
