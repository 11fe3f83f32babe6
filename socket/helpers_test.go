//go:build unix || windows

package socket_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

var (
	check     = testkit.Check
	wantError = testkit.WantError
)

// must returns a value, or ends the test if there is an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

// wantRecv receives once and checks what that is.
func wantRecv(t testing.TB, s *socket.Socket, want string, flags ...int) {
	t.Helper()
	buf := make([]byte, 1000)
	if runtime.GOOS == "windows" && slices.Contains(flags, socket.MSG_DONTWAIT) { // what was sent over TCP may take a moment to arrive
		pyselect.Select([]*socket.Socket{s}, nil, nil, testkit.Patience)
	}
	n, err := s.Recv(buf, flags...)
	if err != nil || string(buf[:n]) != want {
		t.Errorf("received %q, %v; want %q", buf[:n], err, want)
	}
}

func send(t testing.TB, s *socket.Socket, data string) {
	t.Helper()
	if n, err := s.Send([]byte(data)); n != len(data) || err != nil {
		t.Fatalf("sent %d bytes, %v; want %d", n, err, len(data))
	}
}

// own closes a socket at the end of the test.
func own(t testing.TB, s *socket.Socket) *socket.Socket {
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

func newSocket(t testing.TB, family, typ int) *socket.Socket {
	t.Helper()
	s, err := socket.New(family, typ, 0)
	if err != nil && runtime.GOOS == "windows" && family == socket.AF_UNIX {
		t.Skipf("no Unix sockets of type %d here: %v", typ, err)
	}
	check(t, err)
	return own(t, s)
}

func pair(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	check(t, err)
	return own(t, a), own(t, b)
}

// unixDatagrams returns two datagram sockets that are connected to each other.
func unixDatagrams(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	testkit.NotOn(t, "windows", "pairs of datagram sockets")
	a, b, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
	check(t, err)
	return own(t, a), own(t, b)
}

// newUDP returns a datagram socket with an address of the loopback interface.
func newUDP(t testing.TB) *socket.Socket {
	t.Helper()
	s := newSocket(t, socket.AF_INET, socket.SOCK_DGRAM)
	check(t, s.Bind(networks[0].any(t)))
	return s
}

// connectedUDP returns a socket whose datagrams the other one receives.
func connectedUDP(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	a, b = newUDP(t), newUDP(t)
	check(t, a.Connect(sockname(t, b)))
	return a, b
}

// duplicate returns a Socket for a duplicate of a descriptor.
func duplicate(t testing.TB, fd int) *socket.Socket {
	t.Helper()
	return own(t, must[*socket.Socket](t)(socket.FromFd(fd)))
}

// fill sends until nothing more fits in, and returns how much that was.
func fill(t testing.TB, s *socket.Socket) int {
	t.Helper()
	return testkit.Fill(t, fileno(t, s))
}

func fileno(t testing.TB, s *socket.Socket) int {
	t.Helper()
	return must[int](t)(s.Fileno())
}

func sockname(t testing.TB, s *socket.Socket) net.Addr {
	t.Helper()
	return must[net.Addr](t)(s.Getsockname())
}

// A network is a family of addresses to test with.
type network struct {
	name   string
	family int
	any    func(t testing.TB) net.Addr // an address to bind to
}

// tempPath returns a path that is short enough for a Unix address.
func tempPath(t testing.TB) string {
	t.Helper()
	dir := must[string](t)(os.MkdirTemp("", "socket"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

var networks = []network{
	{"IPv4", socket.AF_INET, func(testing.TB) net.Addr { return socket.HostPort("127.0.0.1:0") }},
	{"IPv6", socket.AF_INET6, func(testing.TB) net.Addr { return socket.HostPort("[::1]:0") }},
	{"Unix", socket.AF_UNIX, func(t testing.TB) net.Addr { return socket.UnixAddr(tempPath(t)) }},
}

// eachNetwork runs a test for each family of addresses.
func eachNetwork(t *testing.T, test func(t *testing.T, n network)) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			if n.family == socket.AF_INET6 {
				s, err := socket.New(n.family, socket.SOCK_STREAM, 0)
				if err == nil {
					err = s.Bind(n.any(t))
					s.Close()
				}
				if err != nil {
					t.Skipf("no IPv6 here: %v", err)
				}
			}
			testkit.NoLeaks(t)
			test(t, n)
		})
	}
}

// listen returns a listening socket.
func (n network) listen(t testing.TB, backlog int) *socket.Socket {
	t.Helper()
	s := newSocket(t, n.family, socket.SOCK_STREAM)
	check(t, s.Bind(n.any(t)))
	check(t, s.Listen(backlog))
	return s
}

// connect returns the two ends of a connection.
func (n network) connect(t testing.TB) (client, server *socket.Socket) {
	t.Helper()
	l := n.listen(t, 128)
	client = newSocket(t, n.family, socket.SOCK_STREAM)
	check(t, client.Connect(sockname(t, l)))
	server, _, err := l.Accept()
	check(t, err)
	return client, own(t, server)
}

// crowded returns a listening socket with a backlog that is full, and its address, which a connect does not come to an end
// with, neither way.
func (n network) crowded(t testing.TB) (l *socket.Socket, addr net.Addr) {
	t.Helper()
	l = n.listen(t, 0)
	addr = sockname(t, l)
	for range 10 {
		s := newSocket(t, n.family, socket.SOCK_STREAM)
		check(t, s.Settimeout(200*time.Millisecond))
		if err := s.Connect(addr); errors.Is(err, os.ErrDeadlineExceeded) {
			return l, addr
		} else if err != nil {
			break
		}
	}
	t.Skip("this system lets no client wait for room in the backlog")
	return nil, nil
}

// crowd sends datagrams to an address until it takes no more.
func crowd(t testing.TB, addr net.Addr) (sent int) {
	t.Helper()
	s := newSocket(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	for {
		_, err := s.Sendto([]byte("spam"), addr, socket.MSG_DONTWAIT)
		switch {
		case errors.Is(err, socket.ErrWouldBlock):
			return sent
		case errors.Is(err, socket.ErrNoBuffers):
			t.Skip("this system lets no sender wait for room")
		}
		check(t, err)
		sent++
	}
}

// eachSelector runs a test with each kind of selector that there is.
func eachSelector(t *testing.T, test func(t *testing.T, sel selectors.BaseSelector)) {
	for name, create := range kinds {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			sel := must[selectors.BaseSelector](t)(create())
			t.Cleanup(func() { sel.Close() })
			test(t, sel)
		})
	}
}

// newFds returns the descriptors that are open now and were not then.
func newFds(then []int) []int {
	return slices.DeleteFunc(testkit.OpenFds(), func(fd int) bool { return slices.Contains(then, fd) })
}
