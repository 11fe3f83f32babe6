package socket_test

import (
	"encoding/binary"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

const (
	eAddrNotAvail = windows.WSAEADDRNOTAVAIL
	eAfNoSupport  = windows.WSAEAFNOSUPPORT
	eAgain        = windows.WSAEWOULDBLOCK
	eAlready      = windows.WSAEALREADY
	eBadFd        = windows.WSAENOTSOCK
	eInProgress   = windows.WSAEWOULDBLOCK
	eInvalid      = windows.WSAEINVAL
	eIsConn       = windows.WSAEISCONN
	eNoProtoOpt   = windows.WSAENOPROTOOPT
	eNotSock      = windows.WSAENOTSOCK

	pairFamily = socket.AF_INET

	tooMuch = 1 << 25 // to send to the other one of a pair at once
)

// gone is the error of a wait to send to the other one of a pair, when that has been closed before it has received all.
var gone = socket.ErrConnectionReset

var kinds = map[string]func() (selectors.BaseSelector, error){
	"select":  func() (selectors.BaseSelector, error) { return selectors.NewSelectSelector() },
	"default": func() (selectors.BaseSelector, error) { return selectors.NewDefaultSelector() },
}

func readFd(fd uintptr, p []byte) (int, error) {
	var n, flags uint32
	err := windows.WSARecv(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}, 1, &n, &flags, nil, nil)
	return int(n), err
}

func writeFd(fd uintptr, p []byte) (int, error) {
	var n uint32
	err := windows.WSASend(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}, 1, &n, 0, nil, nil)
	return int(n), err
}

func closeFd(t testing.TB, fd int) { check(t, windows.Closesocket(windows.Handle(fd))) }

// dupFd returns a duplicate that other programs inherit.
func dupFd(t testing.TB, fd int) int {
	t.Helper()
	dup, err := sys.Duplicate(fd, windows.WSA_FLAG_OVERLAPPED)
	check(t, err)
	return int(dup)
}

func isInherited(t testing.TB, fd int) bool {
	t.Helper()
	var flags uint32
	ok, _, err := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation").Call(uintptr(fd), uintptr(unsafe.Pointer(&flags)))
	if ok == 0 {
		t.Fatal(err)
	}
	return flags&windows.HANDLE_FLAG_INHERIT != 0
}

// isNonblocking asks in the only way that there is: there must be nothing to receive.
func isNonblocking(_ testing.TB, fd int) bool {
	_, err := readFd(uintptr(fd), make([]byte, 1))
	return err == windows.WSAEWOULDBLOCK
}

func makeBlocking(t testing.TB, fd int) { check(t, sys.SetNonblock(fd, false)) }

// limit sets SO_RCVTIMEO or SO_SNDTIMEO.
func limit(t testing.TB, s *socket.Socket, option int, timeout time.Duration) {
	t.Helper()
	check(t, s.Setsockopt(socket.SOL_SOCKET, option, int(timeout.Milliseconds())))
}

// linger returns what SetLinger has set.
func linger(t testing.TB, s *socket.Socket) (on bool, seconds int) {
	t.Helper()
	l := must[[]byte](t)(s.GetsockoptBytes(socket.SOL_SOCKET, socket.SO_LINGER, 4))
	return binary.NativeEndian.Uint16(l) != 0, int(binary.NativeEndian.Uint16(l[2:]))
}

// cpuTime returns how long this process has used the processor.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var created, exited, kernel, user windows.Filetime
	check(t, windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user))
	ticks := func(f windows.Filetime) int64 { return int64(f.HighDateTime)<<32 | int64(f.LowDateTime) }
	return time.Duration(ticks(kernel)+ticks(user)) * 100
}
