package socket_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestPairs(t *testing.T) {
	testkit.NoLeaks(t)
	for _, family := range []int{socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6} {
		a, b, err := socket.Socketpair(family, socket.SOCK_STREAM, 0)
		if family == socket.AF_INET6 && errors.Is(err, eAddrNotAvail) {
			continue // no IPv6 here
		}
		check(t, err)
		own(t, a)
		own(t, b)
		if want := max(family, socket.AF_INET); a.Family() != want || b.Family() != want {
			t.Errorf("a pair of family %d is %v and %v", family, a, b)
		}
		send(t, a, "spam")
		wantRecv(t, b, "spam")
		send(t, b, "eggs")
		wantRecv(t, a, "eggs")
	}
	for _, kind := range [][3]int{
		{socket.AF_UNIX, socket.SOCK_STREAM, 0}, {socket.AF_INET, socket.SOCK_DGRAM, 0}, {socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP},
	} {
		_, _, err := socket.Socketpair(kind[0], kind[1], kind[2])
		wantError(t, err, os.ErrInvalid, "socket.socketpair")
	}
}

// The errors that all systems have are those of Winsock.
func TestErrorNumbers(t *testing.T) {
	for err, number := range map[error]windows.Errno{
		socket.ErrConnectionRefused: windows.WSAECONNREFUSED,
		socket.ErrConnectionReset:   windows.WSAECONNRESET,
		socket.ErrConnectionAborted: windows.WSAECONNABORTED,
		socket.ErrBrokenPipe:        windows.WSAESHUTDOWN,
		socket.ErrTimeout:           windows.WSAETIMEDOUT,
		socket.ErrInProgress:        windows.WSAEWOULDBLOCK,
		socket.ErrAddressInUse:      windows.WSAEADDRINUSE,
		socket.ErrNotConnected:      windows.WSAENOTCONN,
	} {
		if !errors.Is(err, number) {
			t.Errorf("%v is not %v", err, number)
		}
	}
}

// That a datagram met nobody is reported once, to who receives, and nothing is wrong with the socket.
func TestNobodyReceives(t *testing.T) {
	testkit.NotOnWine(t, "nobody hears of a datagram that has met nobody")
	testkit.NoLeaks(t)
	a, b := connectedUDP(t)
	nobody := newUDP(t)
	addr := sockname(t, nobody)
	check(t, nobody.Close())
	call := testkit.Go(t, func() {
		_, _, err := b.Recvfrom(make([]byte, 10))
		wantError(t, err, socket.ErrConnectionReset, "socket.recvfrom")
	}).Blocked()
	must[int](t)(b.Sendto([]byte("spam"), addr))
	call.Wait()
	send(t, a, "eggs")
	wantRecv(t, b, "eggs")
}
