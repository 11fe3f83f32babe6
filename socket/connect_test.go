//go:build unix || windows

package socket_test

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// refusing returns an address where nobody listens.
func (n network) refusing(t testing.TB) net.Addr {
	t.Helper()
	s := newSocket(t, n.family, socket.SOCK_STREAM)
	check(t, s.Bind(n.any(t)))
	addr := sockname(t, s)
	if runtime.GOOS == "netbsd" && n.family != socket.AF_UNIX { // says nothing as long as the address is somebody's
		check(t, s.Close())
	}
	return addr
}

func TestConnectRefused(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		addr := n.refusing(t)
		for _, timeout := range []time.Duration{testkit.Patience, pyselect.Forever} {
			s := newSocket(t, n.family, socket.SOCK_STREAM)
			check(t, s.Settimeout(timeout))
			wantError(t, s.Connect(addr), socket.ErrConnectionRefused, "socket.connect: fd ")
		}
		s := newSocket(t, n.family, socket.SOCK_STREAM)
		if errno := s.ConnectEx(addr); errno != socket.ErrConnectionRefused {
			t.Errorf("ConnectEx is %v, want ECONNREFUSED", errno)
		}
	})
}

func TestConnectNonblocking(t *testing.T) {
	eachSelector(t, func(t *testing.T, sel selectors.BaseSelector) {
		for _, n := range networks[:1] {
			l := n.listen(t, 128)
			for _, test := range []struct {
				addr net.Addr
				want syscall.Errno
			}{{sockname(t, l), 0}, {n.refusing(t), socket.ErrConnectionRefused.(syscall.Errno)}} {
				s := newSocket(t, n.family, socket.SOCK_STREAM)
				s.Setblocking(false)
				err := s.Connect(test.addr)
				if err != nil && !errors.Is(err, test.want) {
					wantError(t, err, socket.ErrWouldBlock)
					wantError(t, err, eInProgress, "socket.connect: ")
				}
				must[*selectors.SelectorKey](t)(sel.Register(s, selectors.EventWrite, nil))
				ready := must[[]selectors.Ready](t)(sel.Select(testkit.Patience))
				if len(ready) != 1 || ready[0].Key.Fileobj != s {
					t.Fatalf("ready: %v", ready)
				}
				must[*selectors.SelectorKey](t)(sel.Unregister(s))
				code := must[int](t)(s.Getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
				if err == nil || errors.Is(err, socket.ErrWouldBlock) {
					if syscall.Errno(code) != test.want {
						t.Errorf("connect to %v: SO_ERROR is %v, want %v", test.addr, syscall.Errno(code), test.want)
					}
				}
			}
		}
	})
}

func TestConnectExNonblocking(t *testing.T) {
	testkit.NoLeaks(t)
	l := networks[0].listen(t, 128)
	s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	s.Setblocking(false)
	if errno := s.ConnectEx(sockname(t, l)); errno != 0 && errno != eInProgress {
		t.Errorf("ConnectEx is %v, want 0 or EINPROGRESS", errno)
	}
	must[selected](t)(selectOne(s))
	if errno := s.ConnectEx(sockname(t, l)); errno != 0 && errno != eIsConn {
		t.Errorf("the second ConnectEx is %v, want 0 or EISCONN", errno)
	}
	if errno := s.ConnectEx(nil); errno != eInvalid {
		t.Errorf("ConnectEx of no address is %v, want EINVAL", errno)
	}
}

type selected []*socket.Socket

// selectOne waits until a socket is writable.
func selectOne(s *socket.Socket) (selected, error) {
	_, w, _, err := pyselect.Select[*socket.Socket](nil, []*socket.Socket{s}, nil, testkit.Patience)
	return w, err
}

func TestConnectWaits(t *testing.T) {
	for _, n := range []network{networks[0], networks[2]} {
		t.Run(n.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			_, addr := n.crowded(t)
			s := newSocket(t, n.family, socket.SOCK_STREAM)
			check(t, s.Settimeout(50*time.Millisecond))
			testkit.Duration(t, 50*time.Millisecond, func() {
				wantError(t, s.Connect(addr), os.ErrDeadlineExceeded, "socket.connect: fd ")
			})
			s = newSocket(t, n.family, socket.SOCK_STREAM)
			check(t, s.Settimeout(time.Millisecond))
			if errno := s.ConnectEx(addr); errno != eAgain {
				t.Errorf("ConnectEx is %v after a timeout, want EAGAIN", errno)
			}
			s = newSocket(t, n.family, socket.SOCK_STREAM)
			s.Setblocking(false)
			wantError(t, s.Connect(addr), socket.ErrWouldBlock)
			s = newSocket(t, n.family, socket.SOCK_STREAM)
			call := testkit.Go(t, func() { wantError(t, s.Connect(addr), os.ErrClosed, "socket.connect: ") }).Blocked()
			check(t, s.Close())
			call.Wait()
		})
	}
}

func TestConnectAgainWaits(t *testing.T) {
	testkit.NoLeaks(t)
	n := networks[0]
	l, addr := n.crowded(t)
	s := newSocket(t, n.family, socket.SOCK_STREAM)
	check(t, s.Settimeout(20*time.Millisecond))
	for range 2 {
		testkit.Duration(t, 20*time.Millisecond, func() { wantError(t, s.Connect(addr), os.ErrDeadlineExceeded, "connect", "fd") })
	}
	s.Setblocking(false)
	wantError(t, s.Connect(addr), eAlready)
	wantError(t, s.Connect(addr), socket.ErrWouldBlock)
	s.Setblocking(true)
	call := testkit.Go(t, func() { check(t, s.Connect(addr)) }).Blocked()
	l.Setblocking(false)
	testkit.Eventually(t, "the connection", func() bool {
		if accepted, _, err := l.Accept(); err == nil {
			check(t, accepted.Close())
		} else {
			wantError(t, err, socket.ErrWouldBlock)
		}
		_, err := s.Getpeername()
		return err == nil
	})
	call.Wait()
}

// Somebody else who asks for SO_ERROR takes the error of the attempt away.
func TestConnectEndsWhenItsErrorIsTaken(t *testing.T) {
	testkit.NotOnWine(t, "who waits for an attempt whose error was taken before Wine's server has seen it hears nothing, in some runs")
	testkit.NoLeaks(t)
	n := networks[0]
	l, addr := n.crowded(t)
	s := newSocket(t, n.family, socket.SOCK_STREAM)
	var ended atomic.Bool
	call := testkit.Go(t, func() {
		if err := s.Connect(addr); err == nil {
			t.Error("connected to a socket that is closed")
		}
		ended.Store(true)
	}).Blocked()
	check(t, l.Close())
	for !ended.Load() {
		if code := must[int](t)(s.Getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)); code != 0 {
			break
		}
	}
	call.Wait()
}

func TestSendtoWhenThereIsRoom(t *testing.T) {
	testkit.NoLeaks(t)
	receiver := newSocket(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	check(t, receiver.Bind(networks[2].any(t)))
	addr := sockname(t, receiver)
	waiting := crowd(t, addr)
	s := newSocket(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	sendto := func() error {
		_, err := s.Sendto([]byte("eggs"), addr)
		return err
	}
	const timeout = 200 * time.Millisecond
	check(t, s.Settimeout(timeout))
	before := cpuTime(t)
	testkit.Duration(t, timeout, func() { wantError(t, sendto(), os.ErrDeadlineExceeded, "socket.sendto: fd ") })
	if used := cpuTime(t) - before; used > timeout/2 {
		t.Errorf("a wait of %v has used the processor for %v", timeout, used)
	}
	s.Setblocking(false)
	wantError(t, sendto(), socket.ErrWouldBlock)
	s.Setblocking(true)
	_, err := s.Sendto([]byte("eggs"), addr, socket.MSG_DONTWAIT)
	wantError(t, err, socket.ErrWouldBlock)
	call := testkit.Go(t, func() { check(t, sendto()) }).Blocked()
	for range waiting {
		wantRecv(t, receiver, "spam")
	}
	call.Wait()
	wantRecv(t, receiver, "eggs")

	crowd(t, addr)
	call = testkit.Go(t, func() { wantError(t, sendto(), os.ErrClosed, "socket.sendto: ") }).Blocked()
	check(t, s.Close())
	call.Wait()
}

func TestConnectWhenThereIsRoom(t *testing.T) {
	testkit.NoLeaks(t)
	n := networks[2]
	l := n.listen(t, 0)
	addr := sockname(t, l)
	for range 10 {
		s := newSocket(t, n.family, socket.SOCK_STREAM)
		s.Setblocking(false)
		if err := s.Connect(addr); errors.Is(err, socket.ErrConnectionRefused) {
			t.Skip("this system lets no client wait for room in the backlog")
		} else if errors.Is(err, eAgain) {
			break
		} else {
			check(t, err)
		}
	}
	s := newSocket(t, n.family, socket.SOCK_STREAM)
	call := testkit.Go(t, func() { check(t, s.Connect(addr)) }).Blocked()
	accepted, _, err := l.Accept()
	check(t, err)
	own(t, accepted)
	call.Wait()
}

func TestAcceptWaits(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		l := n.listen(t, 128)
		call := testkit.Go(t, func() {
			s, _, err := l.Accept()
			check(t, err)
			wantRecv(t, s, "spam")
			check(t, s.Close())
		}).Blocked()
		client := newSocket(t, n.family, socket.SOCK_STREAM)
		check(t, client.Connect(sockname(t, l)))
		send(t, client, "spam")
		call.Wait()
	})
}

func TestAcceptedIsBlocking(t *testing.T) {
	testkit.NoLeaks(t)
	l := networks[0].listen(t, 128)
	l.Setblocking(false)
	client := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	check(t, client.Connect(sockname(t, l)))
	_, _, _, err := pyselect.Select([]*socket.Socket{l}, nil, nil, testkit.Patience) // FreeBSD connects before there is something to accept
	check(t, err)
	server, _, err := l.Accept()
	check(t, err)
	if own(t, server); !server.Getblocking() {
		t.Error("an accepted socket is non-blocking, as its listener")
	}
}
