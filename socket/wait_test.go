//go:build unix || windows

package socket_test

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// datagrams are sockets for which the kernel says "not now" for ever when they are shut down.
var datagrams = map[string]func(t *testing.T) *socket.Socket{
	"UDP": func(t *testing.T) *socket.Socket {
		return newUDP(t)
	},
	"connected UDP": func(t *testing.T) *socket.Socket {
		s := newUDP(t)
		check(t, s.Connect(sockname(t, s)))
		return s
	},
	"Unix": func(t *testing.T) *socket.Socket {
		a, _ := unixDatagrams(t)
		return a
	},
}

func TestShutdownEndsReceiving(t *testing.T) {
	receiving := map[string]func(s *socket.Socket) (int, error){
		"Recv": func(s *socket.Socket) (int, error) { return s.Recv(make([]byte, 10)) },
		"Recvfrom": func(s *socket.Socket) (int, error) {
			n, _, err := s.Recvfrom(make([]byte, 10))
			return n, err
		},
		"Recvmsg": func(s *socket.Socket) (int, error) {
			n, _, _, _, err := s.Recvmsg([][]byte{make([]byte, 10)}, 0)
			return n, err
		},
	}
	for kind, open := range datagrams {
		for name, receive := range receiving {
			t.Run(kind+" "+name, func(t *testing.T) {
				if kind == "UDP" && runtime.GOOS != "linux" {
					t.Skip("this system may not shut down a socket that is not connected")
				}
				testkit.NoLeaks(t)
				s := open(t)
				nothing := func() {
					if n, err := receive(s); runtime.GOOS == "windows" && err != nil {
						wantError(t, err, socket.ErrBrokenPipe) // which it is there to receive too
					} else if n != 0 || err != nil {
						t.Errorf("received %d bytes, %v", n, err)
					}
				}
				call := testkit.Go(t, nothing).Blocked()
				if err := s.Shutdown(socket.SHUT_RDWR); err != nil { // Linux says so of one that is not connected, and does it
					wantError(t, err, socket.ErrNotConnected)
				}
				call.Wait()
				nothing()
				check(t, s.Settimeout(testkit.Patience))
				nothing()
			})
		}
	}
}

func TestShutdownHasNoSender(t *testing.T) {
	testkit.NotOn(t, "windows", "end of what there is to receive that is no error")
	testkit.NoLeaks(t)
	s := datagrams["connected UDP"](t)
	check(t, s.Shutdown(socket.SHUT_RDWR))
	if n, from, err := s.Recvfrom(make([]byte, 10)); n != 0 || from != nil || err != nil {
		t.Errorf("received %d bytes from %v, %v", n, from, err)
	}
}

// An error after a part is not lost: otherwise the stream would seem to have ended.
func TestErrorAfterAPart(t *testing.T) {
	testkit.NotOnWine(t, "a connection that lingers for no time is not reset")
	testkit.NoLeaks(t)
	client, server := testkit.TCPPair(t)
	s := own(t, must[*socket.Socket](t)(socket.FromConn(client)))
	var n int
	var err error
	call := testkit.Go(t, func() { n, err = s.Recv(make([]byte, 10), socket.MSG_WAITALL) })
	must[int](t)(server.Write([]byte("spam")))
	call.Blocked()
	testkit.Eventually(t, "the part to be received", func() bool {
		unread, _, _, err := pyselect.Select([]*socket.Socket{s}, nil, nil, 0)
		return len(unread) == 0 && err == nil
	})
	check(t, server.SetLinger(0))
	check(t, server.Close())
	call.Wait()
	if wantError(t, err, socket.ErrConnectionReset); n != 4 {
		t.Errorf("received %d bytes", n)
	}
}

// Urgent data is there or not.
func TestUrgentDataDoesNotWait(t *testing.T) {
	testkit.NoLeaks(t)
	client, server := networks[0].connect(t)
	if n, err := server.Recv(make([]byte, 1), socket.MSG_OOB); err == nil {
		t.Errorf("received %d bytes of no urgent data", n)
	}
	_, err := client.Send([]byte("!"), socket.MSG_OOB)
	check(t, err)
	_, _, x, err := pyselect.Select(nil, nil, []*socket.Socket{server}, testkit.Patience)
	check(t, err)
	if len(x) != 1 {
		t.Fatal("no urgent data")
	}
	wantRecv(t, server, "!", socket.MSG_OOB)
}

// What was there before is not lost.
func TestShutdownLeavesWhatIsThere(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system may discard what is there")
	}
	testkit.NoLeaks(t)
	a, b := unixDatagrams(t)
	send(t, a, "spam")
	check(t, b.Shutdown(socket.SHUT_RD))
	for _, want := range []string{"spam", "", ""} {
		wantRecv(t, b, want)
	}
}

// SO_RCVTIMEO and SO_SNDTIMEO are time limits of blocking sockets, in whatever way they were set, and of no others.
func TestKernelTimeouts(t *testing.T) {
	const timeout = 20 * time.Millisecond
	for _, op := range waits {
		t.Run(op.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			s := op.idle(t)
			limit(t, s, socket.SO_RCVTIMEO, timeout)
			limit(t, s, socket.SO_SNDTIMEO, timeout)
			testkit.Duration(t, timeout, func() { wantError(t, op.call(s), socket.ErrWouldBlock, op.name) })
			check(t, s.Settimeout(2*timeout))
			testkit.Duration(t, 2*timeout, func() { wantError(t, op.call(s), os.ErrDeadlineExceeded, op.name) })
		})
	}
}

// SO_SNDTIMEO is one of a connect too, which goes on.
func TestKernelTimeoutOfConnect(t *testing.T) {
	testkit.NoLeaks(t)
	const timeout = 20 * time.Millisecond
	n := networks[0]
	_, addr := n.crowded(t)
	s := newSocket(t, n.family, socket.SOCK_STREAM)
	limit(t, s, socket.SO_SNDTIMEO, timeout)
	testkit.Duration(t, timeout, func() {
		err := s.Connect(addr)
		wantError(t, err, socket.ErrInProgress, "socket.connect")
		wantError(t, err, socket.ErrWouldBlock)
	})
}

// A part that was sent is no error.
func TestKernelTimeoutOfASendInTheMiddle(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := pair(t)
	limit(t, a, socket.SO_SNDTIMEO, 20*time.Millisecond)
	const size = tooMuch
	if n, err := a.Send(make([]byte, size)); n == 0 || n == size || err != nil {
		t.Errorf("sent %d of %d bytes, %v", n, size, err)
	}
	var err error
	for err == nil { // TCP may have room again a moment later
		_, err = a.Send(make([]byte, size))
	}
	wantError(t, err, socket.ErrWouldBlock)
}

// The time is that of all of a Send, however often it waits.
func TestKernelTimeoutIsThatOfTheWholeSend(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	limit(t, a, socket.SO_SNDTIMEO, 300*time.Millisecond)
	const size = 1 << 26
	var n int
	var err error
	readSlowly(b, func() { n, err = a.Send(make([]byte, size)) })
	if n == 0 || n == size || err != nil {
		t.Errorf("sent %d of %d bytes, %v", n, size, err)
	}
}

func TestTimeoutIsThatOfTheWholeSendall(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	check(t, a.Settimeout(300*time.Millisecond))
	readSlowly(b, func() { wantError(t, a.Sendall(make([]byte, 1<<26)), os.ErrDeadlineExceeded, "socket.send") })
}

// readSlowly calls f and reads meanwhile, up to 64 KiB each millisecond.
func readSlowly(s *socket.Socket, f func()) {
	var reader sync.WaitGroup
	var ended atomic.Bool
	reader.Go(func() {
		for buf := make([]byte, 1<<16); !ended.Load(); time.Sleep(time.Millisecond) {
			s.Recv(buf, socket.MSG_DONTWAIT)
		}
	})
	f()
	ended.Store(true)
	reader.Wait()
}

func low(t *testing.T, s *socket.Socket) {
	t.Helper()
	testkit.NotOn(t, "windows", "SO_RCVLOWAT")
	check(t, s.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 5))
}

func TestWaitForMore(t *testing.T) {
	nothing := func(*testing.T, *socket.Socket) {}
	recv := func(flags ...int) func(s *socket.Socket, p []byte) (int, error) {
		return func(s *socket.Socket, p []byte) (int, error) { return s.Recv(p, flags...) }
	}
	recvmsg := func(flags ...int) func(s *socket.Socket, p []byte) (int, error) {
		return func(s *socket.Socket, p []byte) (int, error) {
			n, _, _, _, err := s.Recvmsg([][]byte{p[:3], nil, p[3:]}, 0, flags...)
			return n, err
		}
	}
	for name, test := range map[string]struct {
		prepare func(t *testing.T, s *socket.Socket)
		receive func(s *socket.Socket, p []byte) (int, error)
		size    int
		first   string // for which it goes on waiting
		then    string // "" for the end
		want    string
	}{
		"SO_RCVLOWAT":               {low, recv(), 100, "spam", "eggs", "spameggs"},
		"SO_RCVLOWAT, peek":         {low, recv(socket.MSG_PEEK), 100, "spam", "eggs", "spameggs"},
		"SO_RCVLOWAT, end":          {low, recv(), 100, "spam", "", "spam"},
		"MSG_WAITALL":               {nothing, recv(socket.MSG_WAITALL), 8, "spam", "eggs and ham", "spameggs"},
		"MSG_WAITALL, end":          {nothing, recv(socket.MSG_WAITALL), 8, "spam", "", "spam"},
		"MSG_WAITALL and the other": {low, recv(socket.MSG_WAITALL), 10, "spam", "eggsham", "spameggsha"},
		"Recvmsg, SO_RCVLOWAT":      {low, recvmsg(), 100, "spam", "eggs", "spameggs"},
		"Recvmsg, MSG_WAITALL":      {nothing, recvmsg(socket.MSG_WAITALL), 8, "spam", "eggs and ham", "spameggs"},
		"Recvfrom": {low, func(s *socket.Socket, p []byte) (int, error) {
			n, _, err := s.Recvfrom(p)
			return n, err
		}, 100, "spam", "eggs", "spameggs"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			client, s := networks[0].connect(t)
			check(t, client.Setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
			test.prepare(t, s)
			send(t, client, test.first)
			p := make([]byte, test.size)
			var n int
			var err error
			call := testkit.Go(t, func() { n, err = test.receive(s, p) }).Blocked()
			if test.then == "" {
				check(t, client.Shutdown(socket.SHUT_WR))
			} else {
				send(t, client, test.then)
			}
			call.Wait()
			if got := string(p[:max(n, 0)]); got != test.want || err != nil {
				t.Errorf("received %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// An option of the listener is one of those it accepts, and a duplicate has the same.
func TestLowWaterIsInherited(t *testing.T) {
	testkit.NoLeaks(t)
	n := networks[0]
	l := n.listen(t, 1)
	low(t, l)
	client := newSocket(t, n.family, socket.SOCK_STREAM)
	check(t, client.Connect(sockname(t, l)))
	accepted, _, err := l.Accept()
	check(t, err)
	own(t, accepted)
	for _, s := range []*socket.Socket{
		accepted, own(t, must[*socket.Socket](t)(accepted.Dup())), duplicate(t, fileno(t, accepted)),
	} {
		low := must[int](t)(s.Getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT))
		if low != 5 {
			t.Skip("this system does not inherit SO_RCVLOWAT")
		}
		send(t, client, "spam")
		call := testkit.Go(t, func() { wantRecv(t, s, "spameggs") }).Blocked()
		send(t, client, "eggs")
		call.Wait()
	}
}

// A flag that says not to wait counts for these too, and so does the mode of the socket.
func TestDoNotWaitForMore(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	low(t, b)
	send(t, a, "spam")
	wantRecv(t, b, "spam", socket.MSG_DONTWAIT)
	send(t, a, "spam")
	wantRecv(t, b, "spam", socket.MSG_DONTWAIT, socket.MSG_WAITALL)
	if runtime.GOOS != "linux" {
		t.Skip("this kernel may heed SO_RCVLOWAT also if the descriptor is non-blocking")
	}
	check(t, b.Settimeout(time.Hour))
	send(t, a, "spam")
	wantRecv(t, b, "spam")
	b.Setblocking(false)
	send(t, a, "spam")
	wantRecv(t, b, "spam", socket.MSG_WAITALL)
}

func TestTimeoutInABubble(t *testing.T) {
	testkit.NoLeaks(t)
	for _, op := range waits {
		begin := time.Now()
		synctest.Test(t, func(t *testing.T) {
			s := op.idle(t)
			check(t, s.Settimeout(20*time.Millisecond))
			for range 2 {
				wantError(t, op.call(s), os.ErrDeadlineExceeded, op.name)
			}
		})
		if d := time.Since(begin); d < 40*time.Millisecond {
			t.Errorf("two timeouts of 20 ms took %v", d)
		}
	}
}

// Somebody else makes the descriptor blocking, so that a system call of the Socket waits in the kernel.
func TestCloseDoesNotWaitForABlockedCall(t *testing.T) {
	for name, wait := range map[string]func(s *socket.Socket){
		"at once":             func(*socket.Socket) {},
		"after it has waited": func(s *socket.Socket) { s.Recv(make([]byte, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			a, b := pair(t)
			check(t, a.Settimeout(time.Millisecond))
			wait(a)
			check(t, a.Settimeout(pyselect.Forever))
			makeBlocking(t, fileno(t, a))
			call := testkit.Go(t, func() { a.Recv(make([]byte, 1)) }).Blocked()
			closing := testkit.Go(t, func() { check(t, a.Close()) })
			closing.Wait()
			_, err := a.Recv(make([]byte, 1))
			wantError(t, err, os.ErrClosed)
			send(t, b, "x") // so that it ends
			call.Wait()
		})
	}
}

func TestReadAndWrite(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		a, b := n.connect(t)
		text := strings.Repeat("spam and eggs ", 1<<16)
		call := testkit.Go(t, func() {
			if n, err := io.WriteString(a, text); n != len(text) || err != nil {
				t.Errorf("wrote %d bytes, %v", n, err)
			}
			check(t, a.Shutdown(socket.SHUT_WR))
		})
		if got := must[[]byte](t)(io.ReadAll(b)); string(got) != text {
			t.Errorf("read %d bytes, other ones than the %d written", len(got), len(text))
		}
		call.Wait()
		if n, err := b.Read(nil); n != 0 || err != nil {
			t.Errorf("read %d bytes into nothing, %v", n, err)
		}
		a, b = n.connect(t)
		a.Setblocking(false)
		sent, err := a.Write(make([]byte, 64<<20))
		wantError(t, err, socket.ErrWouldBlock)
		if sent == 0 || sent == 64<<20 {
			t.Errorf("wrote %d bytes", sent)
		}
		b.Close()
	})
}

// A datagram may be empty.
func TestReadDatagram(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := unixDatagrams(t)
	send(t, a, "")
	if n, err := b.Read(make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestDup(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	check(t, a.Settimeout(time.Hour))
	d := own(t, must[*socket.Socket](t)(a.Dup()))
	if d.Gettimeout() != time.Hour || d.Family() != a.Family() || d.Type() != a.Type() || fileno(t, d) == fileno(t, a) {
		t.Errorf("the duplicate of %v is %v", a, d)
	}
	check(t, a.Close())
	send(t, d, "spam")
	wantRecv(t, b, "spam")
}

func TestSyscallConn(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	raw, err := a.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) {
		check(t, a.Close()) // does not take the descriptor away
		if !testkit.IsOpen(int(fd)) {
			t.Error("the descriptor is closed")
		}
		if n, err := writeFd(fd, []byte("spam")); n != 4 || err != nil {
			t.Errorf("wrote %d bytes, %v", n, err)
		}
	}))
	wantRecv(t, b, "spam")
	wantRecv(t, b, "")
	wantError(t, raw.Control(func(uintptr) {}), os.ErrClosed, "socket.control")
	wantError(t, raw.Read(func(uintptr) bool { return true }), os.ErrClosed)
	wantError(t, raw.Write(func(uintptr) bool { return true }), os.ErrClosed)
	_, err = a.SyscallConn()
	wantError(t, err, os.ErrClosed)
}

// A RawConn keeps its socket open, which nobody else refers to.
func TestSyscallConnIsReachable(t *testing.T) {
	testkit.NoLeaks(t)
	var raw syscall.RawConn
	peer := func() *socket.Socket {
		a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
		check(t, err)
		raw, err = a.SyscallConn()
		check(t, err)
		return own(t, b)
	}()
	testkit.CollectGarbage(t)
	check(t, raw.Control(func(fd uintptr) { testkit.Write(t, int(fd), "spam") }))
	wantRecv(t, peer, "spam")
	runtime.KeepAlive(raw)
	raw = nil
	testkit.CollectGarbage(t)
	wantRecv(t, peer, "")
}

func TestSyscallConnWaits(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	raw, err := a.SyscallConn()
	check(t, err)
	buf := make([]byte, 10)
	n := 0
	call := testkit.Go(t, func() {
		check(t, raw.Read(func(fd uintptr) bool {
			n, err = readFd(fd, buf)
			return err != eAgain
		}))
	}).Blocked()
	send(t, b, "spam")
	call.Wait()
	if string(buf[:n]) != "spam" {
		t.Errorf("read %q", buf[:n])
	}
	fill(t, a)
	full := func(fd uintptr) bool {
		_, err := writeFd(fd, buf)
		return err != eAgain
	}
	check(t, a.Settimeout(10*time.Millisecond))
	testkit.Duration(t, 10*time.Millisecond, func() { wantError(t, raw.Write(full), os.ErrDeadlineExceeded) })
	a.Setblocking(true)
	call = testkit.Go(t, func() { check(t, raw.Write(full)) }).Blocked()
	testkit.Drain(t, fileno(t, b))
	call.Wait()
	a.Setblocking(false)
	if err := raw.Read(func(uintptr) bool { return false }); !errors.Is(err, socket.ErrWouldBlock) {
		t.Errorf("Read of a non-blocking socket is %v", err)
	}
}
