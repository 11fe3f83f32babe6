package socket_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// withErrors returns a connection that has nothing to read and no room to write, whose acknowledgements get into its error queue, and a
// function that waits until one is there.
func withErrors(t *testing.T) (s, peer *socket.Socket, occur func()) {
	t.Helper()
	const timestamps = unix.SOF_TIMESTAMPING_TX_ACK | unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_ID |
		unix.SOF_TIMESTAMPING_OPT_TSONLY
	s, peer = networks[0].connect(t)
	if err := s.Setsockopt(socket.SOL_SOCKET, unix.SO_TIMESTAMPING, timestamps); err != nil {
		t.Skipf("no timestamps here: %v", err)
	}
	fill(t, s)
	fd := fileno(t, s)
	alone := func() bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
		unix.Poll(p, 0)
		return p[0].Revents == unix.POLLERR
	}
	drained := func() bool {
		_, _, _, _, err := s.Recvmsg(nil, 512, socket.MSG_ERRQUEUE)
		return errors.Is(err, socket.ErrWouldBlock)
	}
	occur = func() {
		testkit.Eventually(t, "the error queue to be empty", drained)
		taken := make([]byte, 32<<10)
		testkit.Eventually(t, "something in the error queue", func() bool {
			peer.Recv(taken, socket.MSG_DONTWAIT)
			fill(t, s)
			return alone()
		})
	}
	return s, peer, occur
}

// An event that Go's poller takes for an error neither ends a Recv that waits nor keeps the next from waiting.
func TestErrorQueueDuringRecv(t *testing.T) {
	testkit.NoLeaks(t)
	s, peer, occur := withErrors(t)
	for range 3 {
		call := testkit.Go(t, func() { wantRecv(t, s, "spam") }).Blocked()
		occur()
		call.Blocked()
		const pause = 200 * time.Millisecond
		before := cpuTime(t)
		time.Sleep(pause) // in which it does not use the processor, although there is an error all the time
		if used := cpuTime(t) - before; used > pause*3/4 {
			t.Errorf("a Recv that waits has used the processor for %v of %v", used, pause)
		}
		send(t, peer, "spam")
		call.Wait()
	}
	check(t, s.Settimeout(10*time.Millisecond))
	testkit.Duration(t, 10*time.Millisecond, func() {
		_, err := s.Recv(make([]byte, 1))
		wantError(t, err, os.ErrDeadlineExceeded)
	})
	check(t, s.Settimeout(pyselect.Forever))
	call := testkit.Go(t, func() {
		_, err := s.Recv(make([]byte, 1))
		wantError(t, err, os.ErrClosed)
	}).Blocked()
	check(t, s.Close())
	call.Wait()
}

// The error of a datagram ends the Recv that waits, and only this.
func TestErrorOfADatagram(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := newUDP(t), newUDP(t)
	addr := sockname(t, b)
	check(t, b.Close())
	check(t, a.Connect(addr))
	for range 3 {
		call := testkit.Go(t, func() {
			_, err := a.Recv(make([]byte, 10))
			wantError(t, err, socket.ErrConnectionRefused)
		}).Blocked()
		send(t, a, "spam")
		call.Wait()
	}
	b = newSocket(t, socket.AF_INET, socket.SOCK_DGRAM)
	check(t, b.Bind(addr))
	call := testkit.Go(t, func() { wantRecv(t, a, "eggs") }).Blocked()
	_, err := b.Sendto([]byte("eggs"), sockname(t, a))
	check(t, err)
	call.Wait()
}

// Something in the error queue of a datagram socket is not its end.
func TestErrorQueueOfDatagrams(t *testing.T) {
	testkit.NoLeaks(t)
	s, peer := newUDP(t), newUDP(t)
	const timestamps = unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE
	if err := s.Setsockopt(socket.SOL_SOCKET, unix.SO_TIMESTAMPING, timestamps); err != nil {
		t.Skipf("no timestamps here: %v", err)
	}
	must[int](t)(s.Sendto([]byte("spam"), sockname(t, peer)))
	fds := []unix.PollFd{{Fd: int32(fileno(t, s))}}
	if n, _ := unix.Poll(fds, 1000); n == 0 {
		t.Skip("no timestamps here")
	}
	check(t, s.Settimeout(10*time.Millisecond))
	testkit.Duration(t, 10*time.Millisecond, func() {
		_, _, err := s.Recvfrom(make([]byte, 10))
		wantError(t, err, os.ErrDeadlineExceeded)
	})
	check(t, s.Settimeout(pyselect.Forever))
	call := testkit.Go(t, func() { wantRecv(t, s, "eggs") }).Blocked()
	must[int](t)(peer.Sendto([]byte("eggs"), sockname(t, s)))
	call.Wait()
	n, _, flags, _, err := s.Recvmsg(nil, 512, socket.MSG_ERRQUEUE)
	if err != nil || flags&socket.MSG_ERRQUEUE == 0 {
		t.Errorf("the error queue has %d bytes, flags %#x, %v", n, flags, err)
	}
}

// MSG_ERRQUEUE has nothing to do with what SO_RCVLOWAT counts.
func TestErrqueueAndLowWater(t *testing.T) {
	testkit.NoLeaks(t)
	s, peer, occur := withErrors(t)
	occur()
	check(t, s.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 5))
	send(t, peer, "x")
	if _, _, _, _, err := s.Recvmsg(nil, 512, socket.MSG_ERRQUEUE); err != nil {
		t.Error(err)
	}
}

// The kernel says how large the option is, which is more than there is room for.
func TestGetsockoptBytesTooSmall(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := pair(t)
	for _, length := range []int{0, 1, 4} {
		value, err := a.GetsockoptBytes(socket.SOL_SOCKET, unix.SO_PEERGROUPS, length)
		if len(value) > length {
			t.Errorf("%d bytes of %d, %v", len(value), length, err)
		}
	}
}

// MSG_ERRQUEUE never waits, and keeps nobody from waiting.
func TestErrqueueDoesNotWait(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := networks[0].connect(t)
	call := testkit.Go(t, func() { wantRecv(t, a, "spam") }).Blocked()
	for _, timeout := range []time.Duration{0, time.Hour, pyselect.Forever} {
		check(t, a.Settimeout(timeout))
		_, err := a.Recv(make([]byte, 10), socket.MSG_ERRQUEUE)
		wantError(t, err, socket.ErrWouldBlock)
		_, _, err = a.Recvfrom(make([]byte, 10), socket.MSG_ERRQUEUE)
		wantError(t, err, socket.ErrWouldBlock)
		_, _, _, _, err = a.Recvmsg([][]byte{make([]byte, 10)}, 100, socket.MSG_ERRQUEUE)
		wantError(t, err, socket.ErrWouldBlock)
	}
	send(t, b, "spam")
	call.Wait()
}

// Sendto with MSG_FASTOPEN connects and sends, in whatever number of packets.
func TestFastopen(t *testing.T) {
	for _, timeout := range []time.Duration{pyselect.Forever, testkit.Patience} {
		testkit.NoLeaks(t)
		n := networks[0]
		l := n.listen(t, 1)
		s := newSocket(t, n.family, socket.SOCK_STREAM)
		check(t, s.Settimeout(timeout))
		size, err := s.Sendto([]byte("spam"), sockname(t, l), socket.MSG_FASTOPEN)
		if errors.Is(err, unix.EOPNOTSUPP) {
			t.Skip("TCP Fast Open is off: sysctl net.ipv4.tcp_fastopen")
		}
		if size != 4 || err != nil {
			t.Fatalf("sent %d bytes, %v", size, err)
		}
		server, _, err := l.Accept()
		check(t, err)
		wantRecv(t, own(t, server), "spam")

		s = newSocket(t, n.family, socket.SOCK_STREAM)
		check(t, s.Settimeout(timeout))
		_, err = s.Sendto([]byte("spam"), n.refusing(t), socket.MSG_FASTOPEN)
		wantError(t, err, socket.ErrConnectionRefused)

		s = newSocket(t, n.family, socket.SOCK_STREAM)
		s.Setblocking(false)
		if _, err = s.Sendto([]byte("spam"), sockname(t, l), socket.MSG_FASTOPEN); err != nil { // unless there is a cookie
			wantError(t, err, socket.ErrInProgress)
			wantError(t, err, socket.ErrWouldBlock)
		}
	}
}

// Linux can wait for all without taking it.
func TestPeekAtAll(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := networks[0].connect(t)
	check(t, a.Setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
	send(t, a, "spam")
	p := make([]byte, 8)
	var n int
	var err error
	call := testkit.Go(t, func() { n, err = b.Recv(p, socket.MSG_WAITALL, socket.MSG_PEEK) }).Blocked()
	send(t, a, "eggs")
	call.Wait()
	if string(p[:n]) != "spameggs" || err != nil {
		t.Errorf("received %q, %v", p[:n], err)
	}
	wantRecv(t, b, "spameggs")
}

func TestNonblockingType(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM|socket.SOCK_NONBLOCK|socket.SOCK_CLOEXEC)
	a, b, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_STREAM|socket.SOCK_NONBLOCK, 0)
	check(t, err)
	for _, s := range []*socket.Socket{s, own(t, a), own(t, b)} {
		if s.Getblocking() || s.Type() != socket.SOCK_STREAM {
			t.Errorf("SOCK_NONBLOCK: blocking %t, type %d", s.Getblocking(), s.Type())
		}
	}
}
