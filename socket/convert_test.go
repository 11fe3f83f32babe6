//go:build unix || windows

package socket_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// keepsPort is why net.FileConn fails.
const keepsPort = "nobody can take a socket away from a completion port"

func TestNetConn(t *testing.T) {
	testkit.NotOnWine(t, keepsPort)
	eachNetwork(t, func(t *testing.T, n network) {
		a, b := n.connect(t)
		conn := must[net.Conn](t)(a.NetConn())
		defer conn.Close()
		if got, want := conn.RemoteAddr().String(), sockname(t, b).String(); got != want {
			t.Errorf("the net.Conn is connected to %s, want %s", got, want)
		}
		_, err := conn.Write([]byte("spam"))
		check(t, err)
		wantRecv(t, b, "spam")
		check(t, a.Close())
		send(t, b, "eggs")
		check(t, b.Shutdown(socket.SHUT_WR))
		if data := must[[]byte](t)(io.ReadAll(conn)); !bytes.Equal(data, []byte("eggs")) {
			t.Errorf("the net.Conn has read %q", data)
		}
	})
}

func TestNetListener(t *testing.T) {
	testkit.NotOnWine(t, keepsPort)
	eachNetwork(t, func(t *testing.T, n network) {
		l := must[net.Listener](t)(n.listen(t, 128).NetListener())
		defer l.Close()
		client := newSocket(t, n.family, socket.SOCK_STREAM)
		call := testkit.Go(t, func() {
			conn := must[net.Conn](t)(l.Accept())
			must[int](t)(conn.Write([]byte("spam")))
			check(t, conn.Close())
		})
		check(t, client.Connect(l.Addr()))
		call.Wait()
		wantRecv(t, client, "spam")
	})
}

func TestNetConnErrors(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_DGRAM)
	if l, err := s.NetListener(); err == nil {
		t.Error("a datagram socket has become a net.Listener")
		l.Close()
	}
}

func TestFromConn(t *testing.T) {
	testkit.NoLeaks(t)
	client, server := testkit.TCPPair(t)
	s := own(t, must[*socket.Socket](t)(socket.FromConn(client)))
	check(t, client.Close())
	if got := sockname(t, s).String(); got != server.RemoteAddr().String() {
		t.Errorf("the address is %s, want %s", got, server.RemoteAddr())
	}
	call := testkit.Go(t, func() { wantRecv(t, s, "spam") }).Blocked()
	must[int](t)(server.Write([]byte("spam")))
	call.Wait()

	_, err := socket.FromConn(nil)
	wantError(t, err, os.ErrInvalid)
	_, err = socket.FromConn(client)
	wantError(t, err, os.ErrClosed)
	_, err = socket.FromConn(testkit.File(t))
	wantError(t, err, eNotSock, "fd")
}

func TestFromFd(t *testing.T) {
	testkit.NoLeaks(t)
	fd, peer := testkit.Socketpair(t)
	makeBlocking(t, fd)
	s := must[*socket.Socket](t)(socket.FromFd(fd))
	if fileno(t, s) == fd {
		t.Error("FromFd has taken the descriptor")
	}
	check(t, s.Settimeout(time.Millisecond))
	_, err := s.Recv(make([]byte, 1))
	wantError(t, err, os.ErrDeadlineExceeded)
	check(t, s.Close())
	testkit.Write(t, fd, "spam")
	if data := testkit.Drain(t, peer); data != "spam" {
		t.Errorf("after Close of the Socket, the descriptor has sent %q", data)
	}
}

func TestDetachAndAdopt(t *testing.T) {
	testkit.NoLeaks(t)
	before := testkit.OpenFds()
	s, peer := pair(t)
	fd := fileno(t, s)
	check(t, s.Settimeout(time.Millisecond))
	_, err := s.Recv(make([]byte, 1)) // so that there is a duplicate
	wantError(t, err, os.ErrDeadlineExceeded)
	detached := must[int](t)(s.Detach())
	if detached != fd || !testkit.IsOpen(fd) {
		t.Fatalf("Detach returned %d, want %d, open", detached, fd)
	}
	if fds := newFds(before); len(fds) != 2 {
		t.Errorf("after Detach, %d are open, want the pair only", fds)
	}
	check(t, s.Close())
	again := own(t, must[*socket.Socket](t)(socket.Adopt(detached)))
	if fileno(t, again) != fd {
		t.Errorf("adopted %d as %d", fd, fileno(t, again))
	}
	call := testkit.Go(t, func() { wantRecv(t, again, "spam") }).Blocked() // though the descriptor does not block
	send(t, peer, "spam")
	call.Wait()
}

// The timeout of a Socket is one of its net.Conn, for each call, until a deadline is set.
func TestNetConnTimeout(t *testing.T) {
	testkit.NotOnWine(t, keepsPort)
	eachNetwork(t, func(t *testing.T, n network) {
		a, b := n.connect(t)
		const timeout = 20 * time.Millisecond
		check(t, a.Settimeout(timeout))
		conn, err := a.NetConn()
		check(t, err)
		defer conn.Close()
		buf := make([]byte, 1<<16)
		for range 2 {
			testkit.Duration(t, timeout, func() {
				if _, err := conn.Read(buf); !os.IsTimeout(err) {
					t.Errorf("Read returned %v", err)
				}
			})
		}
		testkit.Duration(t, timeout, func() {
			for err = nil; err == nil; {
				_, err = conn.Write(buf)
			}
			if !os.IsTimeout(err) {
				t.Errorf("Write returned %v", err)
			}
		})
		check(t, conn.SetReadDeadline(time.Time{}))
		call := testkit.Go(t, func() {
			if n, err := conn.Read(buf); string(buf[:n]) != "spam" || err != nil {
				t.Errorf("read %q, %v", buf[:n], err)
			}
		}).Blocked()
		time.Sleep(2 * timeout)
		send(t, b, "spam")
		call.Wait()
		check(t, conn.SetDeadline(time.Now().Add(-time.Second)))
		for _, call := range []func([]byte) (int, error){conn.Read, conn.Write} {
			if _, err := call(buf); !os.IsTimeout(err) {
				t.Errorf("after the deadline, a call returned %v", err)
			}
		}
		check(t, conn.SetWriteDeadline(time.Time{}))
		testkit.Drain(t, fileno(t, b))
		check(t, conn.(interface{ CloseWrite() error }).CloseWrite())
		again := own(t, must[*socket.Socket](t)(socket.FromConn(conn.(syscall.Conn))))
		if sockname(t, again) != sockname(t, a) {
			t.Errorf("the socket of the net.Conn is %v", again)
		}

		for _, timeout := range []time.Duration{0, pyselect.Forever} {
			check(t, a.Settimeout(timeout))
			conn, err := a.NetConn()
			check(t, err)
			send(t, b, "eggs")
			if n, err := conn.Read(buf); !bytes.Equal(buf[:n], []byte("eggs")) || err != nil {
				t.Errorf("read %q, %v", buf[:n], err)
			}
			check(t, conn.Close())
		}
	})
}
