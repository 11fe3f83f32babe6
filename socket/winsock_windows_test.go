package socket_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect"
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

// What is cut off is no error, and the rest as on other systems.
func TestRecvmsgCutsOff(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := newUDP(t), newUDP(t)
	check(t, b.Setsockopt(socket.IPPROTO_IP, socket.IP_PKTINFO, 1))
	const data, whole = "spam and eggs", 100 // of ancillary data
	for _, test := range []struct{ room, ancbufsize, flags, n, msgFlags int }{
		{40, whole, 0, len(data), 0},
		{4, whole, 0, 4, socket.MSG_TRUNC},
		{4, 0, 0, 4, socket.MSG_TRUNC},
		{40, 0, 0, len(data), 0},
		{40, 8, 0, len(data), socket.MSG_CTRUNC},
		{40, whole, socket.MSG_PEEK, len(data), 0},
		{40, 0, socket.MSG_PEEK, len(data), 0},
	} {
		must[int](t)(a.Sendto([]byte(data), sockname(t, b)))
		n, ancdata, flags, from, err := b.Recvmsg([][]byte{make([]byte, test.room)}, test.ancbufsize, test.flags)
		check(t, err)
		if n != test.n || flags != test.msgFlags || from != sockname(t, a) || (len(ancdata) == 1) != (test.ancbufsize == whole) {
			t.Errorf("%+v: received %d bytes, flags %#x, %v from %v", test, n, flags, ancdata, from)
		}
		if test.flags != 0 {
			wantRecv(t, b, data)
		}
	}
}

// A message may be empty, and one that is too large for one call goes in parts.
func TestSendmsgOfAnySize(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := connectedUDP(t)
	for _, empty := range [][][]byte{nil, {}, {nil}} {
		must[int](t)(a.Sendmsg(empty, nil, nil))
		wantRecv(t, b, "")
	}
	c, _ := pair(t)
	c.Setblocking(false)
	const large = 3 << 20
	if n := must[int](t)(c.Sendmsg([][]byte{make([]byte, large), make([]byte, large)}, nil, nil)); n <= 0 || n >= large {
		t.Errorf("sent %d bytes with one call", n)
	}
}

func TestErrorsOfAllSystems(t *testing.T) {
	_, err := newUDP(t).Sendto([]byte("spam"), socket.HostPort("255.255.255.255:9"))
	wantError(t, err, fs.ErrPermission, "socket.sendto")
	wantError(t, err, windows.WSAEACCES)
	if err := (&pyselect.OpError{Err: socket.ErrTimeout}); !err.Timeout() {
		t.Error("the timeout of the kernel is none")
	}
}

// A net.Conn whose socket is given away as a Socket goes on when that cannot be another net.Conn.
func TestNetConnOfANetConn(t *testing.T) {
	testkit.NoLeaks(t)
	client, server := testkit.TCPPair(t)
	s := own(t, must[*socket.Socket](t)(socket.FromConn(client)))
	call := testkit.Go(t, func() {
		buf := make([]byte, 10)
		if n, err := client.Read(buf); string(buf[:n]) != "spam" || err != nil {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	}).Blocked()
	_, err := s.NetConn()
	wantError(t, err, windows.ERROR_INVALID_PARAMETER, "socket.netconn", "net.Conn")
	must[int](t)(server.Write([]byte("spam")))
	call.Wait()
}

func TestShare(t *testing.T) {
	testkit.NoLeaks(t)
	a, b, err := socket.Socketpair(socket.AF_INET, socket.SOCK_STREAM, 0)
	check(t, err)
	defer b.Close()
	shared, err := a.Share(os.Getpid())
	check(t, err)
	check(t, a.Close())
	c, err := socket.FromShare(shared)
	check(t, err)
	defer c.Close()
	send(t, c, "spam")
	wantRecv(t, b, "spam")
	_, err = a.Share(os.Getpid())
	wantError(t, err, os.ErrClosed, "socket.share")
	_, err = socket.FromShare(shared[1:])
	wantError(t, err, os.ErrInvalid, "socket.fromshare")
}
