package testkit

import (
	"net"
	"os"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
)

const slowness = 4 // of the system: Wine has one process that does much for all others

// OpenFds returns the sockets and the completion ports that are open.
func OpenFds() (fds []int) {
	for _, fd := range Handles() {
		if sys.Probe(fd) == nil || isPort(fd) {
			fds = append(fds, fd)
		}
	}
	return fds
}

// Handles returns all handles of the process. It asks for those of the system: to try each number takes far longer.
func Handles() (handles []int) {
	type handle struct {
		_, process, number uintptr
		_                  [4]uint32
	}
	const header = 2 * unsafe.Sizeof(uintptr(0))
	for size := uint32(1 << 20); ; size *= 2 {
		info := make([]uint64, size/8)
		err := windows.NtQuerySystemInformation(windows.SystemExtendedHandleInformation, unsafe.Pointer(&info[0]), size, nil)
		if err == windows.STATUS_INFO_LENGTH_MISMATCH {
			continue
		}
		if err != nil {
			panic(err)
		}
		count := *(*uintptr)(unsafe.Pointer(&info[0]))
		for _, h := range unsafe.Slice((*handle)(unsafe.Add(unsafe.Pointer(&info[0]), header)), count) {
			if int(h.process) == os.Getpid() {
				handles = append(handles, int(h.number))
			}
		}
		return handles
	}
}

var procNtQueryObject = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryObject")

func isPort(fd int) bool {
	const objectTypeInformation = 2
	var info struct {
		name   windows.NTUnicodeString
		others [256]uint64
	}
	status, _, _ := procNtQueryObject.Call(uintptr(fd), objectTypeInformation, uintptr(unsafe.Pointer(&info)), unsafe.Sizeof(info), 0)
	return status == 0 && info.name.String() == "IoCompletion"
}

// Pipe returns two connected sockets: select takes nothing else. They are non-blocking and closed at the end of the test.
func Pipe(t testing.TB) (r, w int) {
	t.Helper()
	return Socketpair(t)
}

// Socketpair returns two connected stream sockets, which are non-blocking and closed at the end of the test.
func Socketpair(t testing.TB) (a, b int) {
	t.Helper()
	a, b, err := sys.Socketpair(windows.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	x, y := own(t, a), own(t, b)
	x.peer, y.peer = y, x
	return a, b
}

// Dup returns a duplicate of a socket. It is closed at the end of the test. Its number cannot be chosen.
func Dup(t testing.TB, fd, least int) int {
	t.Helper()
	if least > 0 {
		t.Skip("the system does not let one choose the number of a descriptor")
	}
	dup, err := duplicate(fd)
	Check(t, err)
	if s := sockets[fd]; s != nil {
		s.peer = nil // which does not hear of it when only one of the duplicates is closed
	}
	own(t, int(dup))
	return int(dup)
}

// duplicate opens a handle of this process while it opens the duplicate.
func duplicate(fd int) (windows.Handle, error) { return sys.Duplicate(fd, windows.WSA_FLAG_OVERLAPPED) }

// An owned socket is one that has been handed out.
type owned struct {
	fd     int
	peer   *owned
	closed bool
}

var sockets = map[int]*owned{}

func own(t testing.TB, fd int) *owned {
	s := &owned{fd: fd}
	sockets[fd] = s
	t.Cleanup(func() {
		if !s.closed {
			windows.Closesocket(windows.Handle(fd))
		}
		delete(sockets, fd)
	})
	return s
}

// Close closes a descriptor that one of the functions above has returned, before the end of the test, and waits until its
// peer knows.
func Close(t testing.TB, fd int) {
	t.Helper()
	if err := windows.Closesocket(windows.Handle(fd)); err != nil {
		t.Fatal(err)
	}
	sockets[fd].closed = true
	sockets[fd].arrive(t)
}

// arrive waits until the peer has something to read.
func (s *owned) arrive(t testing.TB) {
	t.Helper()
	if s != nil && s.peer != nil && !s.peer.closed {
		becomes(t, s.peer.fd, sys.In, acknowledgement)
	}
}

// What is sent may take a moment to arrive, and its acknowledgement may be delayed.
const (
	moment          = 20 * time.Millisecond
	acknowledgement = 250 * time.Millisecond
)

// becomes reports whether a socket is readable or writable before the timeout is over.
func becomes(t testing.TB, fd int, events uint16, timeout time.Duration) bool {
	t.Helper()
	n, err := sys.Select([]sys.PollFd{sys.Entry(fd, events)}, sys.After(timeout))
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// Refused returns a non-blocking socket that connects to where nobody listens. It is closed at the end of the test.
func Refused(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := &windows.SockaddrInet4{Port: l.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	l.Close()
	s, err := windows.Socket(windows.AF_INET, windows.SOCK_STREAM, windows.IPPROTO_TCP)
	if err != nil {
		t.Fatal(err)
	}
	own(t, int(s))
	Check(t, sys.SetNonblock(int(s), true))
	if err := windows.Connect(s, addr); err != windows.WSAEWOULDBLOCK {
		t.Fatalf("connect: %v, want %v", err, windows.WSAEWOULDBLOCK)
	}
	return int(s)
}

// Write writes s to a descriptor and waits until its peer can read.
func Write(t testing.TB, fd int, s string) {
	t.Helper()
	if n, err := send(fd, []byte(s)); n != len(s) || err != nil {
		t.Fatalf("write to fd %d: %d, %v", fd, n, err)
	}
	sockets[fd].arrive(t)
}

func send(fd int, p []byte) (int, error) {
	var n uint32
	err := windows.WSASend(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}, 1, &n, 0, nil, nil)
	return int(n), err
}

// Drain reads all that can be read from a descriptor.
func Drain(t testing.TB, fd int) string {
	t.Helper()
	var all []byte
	buf := make([]byte, 1<<16)
	for {
		var n, flags uint32
		err := windows.WSARecv(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(buf)), Buf: &buf[0]}, 1, &n, &flags, nil, nil)
		switch {
		case err == windows.WSAEWOULDBLOCK:
			if !becomes(t, fd, sys.In, moment) {
				return string(all)
			}
		case err != nil:
			t.Fatalf("read from fd %d: %v", fd, err)
		case n == 0:
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

// Fill writes to a descriptor until it is not writable any more, and returns how much it has written.
func Fill(t testing.TB, fd int) (total int) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		before := total
		for size := len(buf); size > 0; {
			if n, err := send(fd, buf[:size]); err == nil {
				total += n
			} else if err == windows.WSAEWOULDBLOCK {
				size /= 2
			} else {
				t.Fatalf("write to fd %d: %v", fd, err)
			}
		}
		if total == before {
			return total
		}
		becomes(t, fd, sys.Out, acknowledgement) // TCP may have room again a moment later
	}
}

// NeedFds does nothing: there is no limit of open sockets but memory.
func NeedFds(testing.TB, int) {}

// Signals skips the test.
func Signals(t testing.TB) {
	t.Helper()
	t.Skip("the system has no signals")
}

// IsOpen reports whether a socket is open.
func IsOpen(fd int) bool { return sys.Probe(fd) == nil }

// NotOnWine skips the test under Wine, for a reason that is Wine's and not Windows's.
func NotOnWine(t testing.TB, reason string) {
	t.Helper()
	if OnWine() {
		t.Skipf("under Wine, %s", reason)
	}
}

// OnWine reports whether the system is Wine.
func OnWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
