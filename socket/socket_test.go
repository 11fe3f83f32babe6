//go:build unix || windows

package socket_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestStream(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		l := n.listen(t, 128)
		addr := sockname(t, l)
		client := newSocket(t, n.family, socket.SOCK_STREAM)
		check(t, client.Connect(addr))
		server, from, err := l.Accept()
		check(t, err)
		own(t, server)
		if name := sockname(t, client); from != name {
			t.Errorf("the client is %v, Accept says %v", name, from)
		}
		if peer := must[net.Addr](t)(client.Getpeername()); peer != addr {
			t.Errorf("connected to %v, want %v", peer, addr)
		}
		send(t, client, "spam")
		wantRecv(t, server, "spam")
		check(t, server.Sendall([]byte("eggs")))
		wantRecv(t, client, "eggs")
		check(t, client.Shutdown(socket.SHUT_WR))
		wantRecv(t, server, "")
		send(t, server, "ham")
		wantRecv(t, client, "ham", socket.MSG_PEEK)
		wantRecv(t, client, "ham")
		check(t, server.Close())
		wantRecv(t, client, "")
		_, err = client.Send([]byte("spam"))
		wantError(t, err, socket.ErrBrokenPipe, "send", "fd")
	})
}

// A datagram is waited for and taken away also if nothing of it is wanted.
func TestReceiveNothing(t *testing.T) {
	receive := map[string]func(s *socket.Socket) (n int, truncated bool, err error){
		"Recvfrom": func(s *socket.Socket) (int, bool, error) {
			n, _, err := s.Recvfrom(nil)
			return n, true, err
		},
		"Recvmsg": func(s *socket.Socket) (int, bool, error) {
			n, _, flags, _, err := s.Recvmsg(nil, 0)
			return n, flags&socket.MSG_TRUNC != 0, err
		},
	}
	for kind, open := range map[string]func(t testing.TB) (a, b *socket.Socket){"UDP": connectedUDP, "Unix": unixDatagrams} {
		for name, receive := range receive {
			t.Run(kind+", "+name, func(t *testing.T) {
				if name == "Recvmsg" {
					testkit.NotEmulated(t, "recvmsg(2) without buffers")
				}
				testkit.NoLeaks(t)
				a, b := open(t)
				call := testkit.Go(t, func() {
					if n, truncated, err := receive(b); n != 0 || !truncated || err != nil {
						t.Errorf("received %d bytes into nothing, truncated: %t, %v", n, truncated, err)
					}
				}).Blocked()
				send(t, a, "spam")
				call.Wait()
				send(t, a, "eggs")
				wantRecv(t, b, "eggs")
			})
		}
	}
}

// MSG_TRUNC lets Linux say how long a datagram is, whatever room there is.
func TestLengthOfDatagram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("MSG_TRUNC is nothing to ask for here")
	}
	testkit.NoLeaks(t)
	a, b := connectedUDP(t)
	send(t, a, "spam and eggs")
	for _, room := range []int{0, 4, 100} {
		if n, _, err := b.Recvfrom(make([]byte, room), socket.MSG_PEEK, socket.MSG_TRUNC); n != 13 || err != nil {
			t.Errorf("with room for %d bytes, the datagram has %d, %v", room, n, err)
		}
	}
}

func TestDatagrams(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		a, b := newSocket(t, n.family, socket.SOCK_DGRAM), newSocket(t, n.family, socket.SOCK_DGRAM)
		check(t, a.Bind(n.any(t)))
		check(t, b.Bind(n.any(t)))
		for _, data := range []string{"spam", ""} {
			if n := must[int](t)(a.Sendto([]byte(data), sockname(t, b))); n != len(data) {
				t.Errorf("sent %d bytes of %q", n, data)
			}
			buf := make([]byte, 100)
			n, from, err := b.Recvfrom(buf)
			check(t, err)
			if string(buf[:n]) != data || from != sockname(t, a) {
				t.Errorf("received %q from %v, want %q from %v", buf[:n], from, data, sockname(t, a))
			}
		}
		check(t, a.Connect(sockname(t, b)))
		send(t, a, "spam and eggs")
		send(t, a, "ham")
		buf := make([]byte, 4)
		if n, err := b.Recv(buf); runtime.GOOS == "windows" { // which does not cut it silently
			wantError(t, err, socket.ErrMessageTooLong, "socket.recv")
		} else if string(buf[:n]) != "spam" || err != nil {
			t.Errorf("received %q of the first datagram, %v", buf[:n], err)
		}
		wantRecv(t, b, "ham")
		send(t, a, "")
		send(t, a, "lovely")
		if n, _, err := b.Recvfrom(nil); n != 0 || err != nil {
			t.Errorf("received %d bytes into nothing, %v", n, err)
		}
		for range 2 { // which does nothing
			if n := must[int](t)(b.Recv(nil)); n != 0 {
				t.Errorf("received %d bytes into nothing", n)
			}
		}
		wantRecv(t, b, "lovely")
		if n := must[int](t)(b.Recv(nil)); n != 0 { // although there is nothing
			t.Errorf("received %d bytes into nothing", n)
		}
		b.Setblocking(false)
		_, _, err := b.Recvfrom(buf)
		wantError(t, err, socket.ErrWouldBlock)
	})
}

func TestModes(t *testing.T) {
	testkit.NoLeaks(t)
	a, _ := pair(t)
	want := func(blocking bool, timeout time.Duration) {
		t.Helper()
		if a.Getblocking() != blocking || a.Gettimeout() != timeout {
			t.Errorf("blocking is %t, timeout is %v; want %t, %v", a.Getblocking(), a.Gettimeout(), blocking, timeout)
		}
	}
	want(true, pyselect.Forever)
	a.Setblocking(false)
	want(false, 0)
	check(t, a.Settimeout(time.Second))
	want(true, time.Second)
	wantError(t, a.Settimeout(-1), os.ErrInvalid, "settimeout")
	want(true, time.Second)
	check(t, a.Settimeout(0))
	want(false, 0)
	check(t, a.Settimeout(pyselect.Forever))
	want(true, pyselect.Forever)
	check(t, a.Settimeout(time.Second))
	a.Setblocking(true)
	want(true, pyselect.Forever)

	// Whatever the mode is, the kernel's is the same.
	if !isNonblocking(t, fileno(t, a)) {
		t.Error("the descriptor of a blocking Socket is blocking")
	}
}

// operations that have to wait, on a socket for which nothing is possible.
var waits = []struct {
	name string
	idle func(t testing.TB) *socket.Socket
	call func(s *socket.Socket) error
}{
	{"accept", listening, func(s *socket.Socket) error {
		_, _, err := s.Accept()
		return err
	}},
	{"recv", full, func(s *socket.Socket) error {
		_, err := s.Recv(make([]byte, 1))
		return err
	}},
	{"recv", full, func(s *socket.Socket) error {
		_, err := s.Recv(make([]byte, 1), socket.MSG_PEEK)
		return err
	}},
	{"recvfrom", full, func(s *socket.Socket) error {
		_, _, err := s.Recvfrom(make([]byte, 1))
		return err
	}},
	{"send", full, func(s *socket.Socket) error {
		_, err := s.Send(make([]byte, 1))
		return err
	}},
	{"send", full, func(s *socket.Socket) error { return s.Sendall(make([]byte, 1)) }},
	{"recvmsg", full, func(s *socket.Socket) error {
		_, _, _, _, err := s.Recvmsg([][]byte{make([]byte, 1)}, 100)
		return err
	}},
	{"sendmsg", full, func(s *socket.Socket) error {
		_, err := s.Sendmsg([][]byte{make([]byte, 1)}, nil, nil)
		return err
	}},
	{"sendfile", full, func(s *socket.Socket) error {
		f, err := os.Open(os.Args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = s.Sendfile(f, 0, 1)
		return err
	}},
}

func listening(t testing.TB) *socket.Socket { return networks[0].listen(t, 128) }

// full returns a socket that is neither readable nor writable.
func full(t testing.TB) *socket.Socket {
	s, _ := pair(t)
	fill(t, s)
	return s
}

func TestNonblocking(t *testing.T) {
	testkit.NoLeaks(t)
	for _, op := range waits {
		s := op.idle(t)
		s.Setblocking(false)
		before := testkit.OpenFds()
		err := op.call(s)
		wantError(t, err, socket.ErrWouldBlock, "socket."+op.name+": ")
		wantError(t, err, eAgain)
		if fds := newFds(before); len(fds) != 0 {
			t.Errorf("%s has opened %d", op.name, fds)
		}
	}
}

func TestDontwait(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	fill(t, a)
	check(t, a.Settimeout(time.Hour))
	_, err := a.Recv(make([]byte, 1), socket.MSG_PEEK, socket.MSG_DONTWAIT)
	wantError(t, err, socket.ErrWouldBlock)
	_, err = a.Send(make([]byte, 1), socket.MSG_DONTWAIT)
	wantError(t, err, socket.ErrWouldBlock)
	send(t, b, "spam")
	wantRecv(t, a, "spam", socket.MSG_DONTWAIT)
}

func TestTimeout(t *testing.T) {
	testkit.NoLeaks(t)
	const timeout = 20 * time.Millisecond
	for _, op := range waits {
		s := op.idle(t)
		check(t, s.Settimeout(timeout))
		for range 2 {
			testkit.Duration(t, timeout, func() {
				wantError(t, op.call(s), os.ErrDeadlineExceeded, "socket."+op.name+": fd ")
			})
		}
	}
}

func TestTimeoutOfOneIsNotThatOfTheNext(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	check(t, a.Settimeout(time.Millisecond))
	_, err := a.Recv(make([]byte, 1))
	wantError(t, err, os.ErrDeadlineExceeded)
	a.Setblocking(true)
	call := testkit.Go(t, func() { wantRecv(t, a, "spam") }).Blocked()
	send(t, b, "spam")
	call.Wait()
}

func TestWaitersQueue(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	first := testkit.Go(t, func() { wantRecv(t, a, "spam") }).Blocked()
	check(t, a.Settimeout(20*time.Millisecond))
	testkit.Duration(t, 20*time.Millisecond, func() {
		_, err := a.Recv(make([]byte, 1))
		wantError(t, err, os.ErrDeadlineExceeded)
	})
	send(t, b, "spam")
	first.Wait()
}

func TestReadersAndWritersWaitTogether(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	fill(t, a)
	reader := testkit.Go(t, func() { wantRecv(t, a, "spam") }).Blocked()
	writer := testkit.Go(t, func() { check(t, a.Sendall([]byte("eggs"))) }).Blocked()
	send(t, b, "spam")
	reader.Wait()
	testkit.Drain(t, fileno(t, b))
	writer.Wait()
}

func TestCloseWakes(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *socket.Socket){
		"Close": func(t *testing.T, s *socket.Socket) { check(t, s.Close()) },
		"Detach": func(t *testing.T, s *socket.Socket) {
			fd := must[int](t)(s.Detach())
			t.Cleanup(func() { closeFd(t, fd) }) // not before the calls have returned
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			for _, op := range waits {
				s := op.idle(t)
				var calls []*testkit.Call
				for range 3 {
					calls = append(calls, testkit.Go(t, func() {
						wantError(t, op.call(s), os.ErrClosed, "socket."+op.name+": ")
					}).Blocked())
				}
				end(t, s)
				for _, call := range calls {
					call.Wait()
				}
			}
		})
	}
}

func TestClosed(t *testing.T) {
	testkit.NoLeaks(t)
	s, _ := pair(t)
	fd := fileno(t, s)
	check(t, s.Close())
	check(t, s.Close())
	if testkit.IsOpen(fd) {
		t.Errorf("descriptor %d is open after Close", fd)
	}
	wantClosed(t, s)
}

// The zero Socket is a closed one, and does not close standard input.
func TestZeroSocket(t *testing.T) {
	testkit.NoLeaks(t)
	var connection struct{ socket.Socket }
	wantClosed(t, &connection.Socket)
	check(t, connection.Close())
	if runtime.GOOS != "windows" && !testkit.IsOpen(0) {
		t.Error("standard input is closed")
	}
}

func wantClosed(t *testing.T, s *socket.Socket) {
	t.Helper()
	addr := socket.HostPort("127.0.0.1:1")
	for _, op := range waits {
		wantError(t, op.call(s), os.ErrClosed, op.name)
	}
	for name, call := range map[string]func() error{
		"settimeout":  func() error { return s.Settimeout(time.Second) },
		"bind":        func() error { return s.Bind(addr) },
		"listen":      func() error { return s.Listen(128) },
		"connect":     func() error { return s.Connect(addr) },
		"sendto":      func() error { _, err := s.Sendto(nil, addr); return err },
		"shutdown":    func() error { return s.Shutdown(socket.SHUT_RD) },
		"getsockname": func() error { _, err := s.Getsockname(); return err },
		"getpeername": func() error { _, err := s.Getpeername(); return err },
		"getsockopt":  func() error { _, err := s.Getsockopt(socket.SOL_SOCKET, socket.SO_TYPE); return err },
		"setsockopt":  func() error { return s.Setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) },
		"dup":         func() error { _, err := s.Dup(); return err },
		"syscallconn": func() error { _, err := s.SyscallConn(); return err },
		"fileno":      func() error { _, err := s.Fileno(); return err },
		"detach":      func() error { _, err := s.Detach(); return err },
		"netconn":     func() error { _, err := s.NetConn(); return err },
		"netlistener": func() error { _, err := s.NetListener(); return err },
	} {
		wantError(t, call(), os.ErrClosed, "socket."+name+": ")
	}
	for _, addr := range []net.Addr{addr, nil} {
		if errno := s.ConnectEx(addr); errno != eBadFd {
			t.Errorf("ConnectEx is %v, want EBADF", errno)
		}
	}
	// That comes before what else is wrong.
	wantError(t, s.Settimeout(-1), os.ErrClosed)
	wantError(t, s.SetLinger(true, -1), os.ErrClosed)
	wantError(t, s.Bind(nil), os.ErrClosed)
	wantError(t, s.Connect(nil), os.ErrClosed)
	_, err := s.Sendto(nil, nil)
	wantError(t, err, os.ErrClosed)
	_, err = s.Recv(nil)
	wantError(t, err, os.ErrClosed)
	_, err = pyselect.Fileno(s)
	wantError(t, err, os.ErrClosed)
}

func TestUnreachableIsClosed(t *testing.T) {
	testkit.NoLeaks(t)
	peer := func() *socket.Socket {
		a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
		check(t, err)
		check(t, a.Settimeout(time.Millisecond))
		_, err = a.Recv(make([]byte, 1)) // so that there is a duplicate
		wantError(t, err, os.ErrDeadlineExceeded)
		return own(t, b)
	}()
	testkit.CollectGarbage(t)
	wantRecv(t, peer, "")
}

func TestSendPartial(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		a, _ := n.connect(t)
		a.Setblocking(false)
		data := make([]byte, 64<<20)
		sent := must[int](t)(a.Send(data))
		if sent == 0 || sent == len(data) {
			t.Errorf("sent %d of %d bytes at once, want a part", sent, len(data))
		}
		fill(t, a)
		wantError(t, a.Sendall(data), socket.ErrWouldBlock)
		check(t, a.Settimeout(10*time.Millisecond))
		testkit.Duration(t, 10*time.Millisecond, func() { wantError(t, a.Sendall(data), os.ErrDeadlineExceeded) })
	})
}

func TestSendall(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		a, b := n.connect(t)
		data := []byte(strings.Repeat("spam and eggs, ", 1<<20))
		call := testkit.Go(t, func() {
			check(t, a.Sendall(data))
			check(t, a.Shutdown(socket.SHUT_WR))
		}).Blocked()
		received := must[[]byte](t)(io.ReadAll(b))
		call.Wait()
		if string(received) != string(data) {
			t.Errorf("received %d bytes, other ones than the %d sent", len(received), len(data))
		}
	})
}

// Each datagram has its own sender, also if the last one had another.
func TestDatagramsOfSeveralSenders(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		newBound := func() *socket.Socket {
			s := newSocket(t, n.family, socket.SOCK_DGRAM)
			check(t, s.Bind(n.any(t)))
			return s
		}
		s, senders := newBound(), []*socket.Socket{newBound(), newBound()}
		for i := range 4 {
			from := senders[i%2]
			must[int](t)(from.Sendto([]byte("spam"), sockname(t, s)))
			if _, got, err := s.Recvfrom(make([]byte, 10)); got != sockname(t, from) || err != nil {
				t.Errorf("received from %v, %v, want %v", got, err, sockname(t, from))
			}
		}
	})
}

func TestSignalsInterruptNothing(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Signals(t)
	a, b := networks[0].connect(t)
	check(t, a.Settimeout(50*time.Millisecond))
	testkit.Duration(t, 50*time.Millisecond, func() {
		_, err := a.Recv(make([]byte, 1))
		wantError(t, err, os.ErrDeadlineExceeded)
	})
	for range 1000 {
		send(t, a, "spam")
		wantRecv(t, b, "spam")
	}
}

func TestCloseOnExec(t *testing.T) {
	testkit.NoLeaks(t)
	before := testkit.OpenFds()
	client, server := networks[0].connect(t)
	a, b := pair(t)
	fd, _ := testkit.Socketpair(t)
	adopted := own(t, must[*socket.Socket](t)(socket.Adopt(dupFd(t, fd))))
	duplicated := duplicate(t, fd)
	for _, s := range []*socket.Socket{client, server, a, b, adopted, duplicated} {
		check(t, s.Settimeout(time.Millisecond))
		_, err := s.Recv(make([]byte, 1)) // so that there is a duplicate
		wantError(t, err, os.ErrDeadlineExceeded)
	}
	fds := newFds(before)
	if len(fds) < 9 {
		t.Errorf("only %d descriptors are new", len(fds))
	}
	for _, fd := range fds {
		if isInherited(t, fd) {
			t.Errorf("descriptor %d is inherited", fd)
		}
	}
}

func TestOptions(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	for _, value := range []int{1, 0} {
		check(t, s.Setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, value))
		if got := must[int](t)(s.Getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)); (got != 0) != (value != 0) {
			t.Errorf("TCP_NODELAY is %d, want %d", got, value)
		}
	}
	check(t, s.SetsockoptBytes(socket.SOL_SOCKET, socket.SO_KEEPALIVE, []byte{1, 1, 1, 1}))
	if must[int](t)(s.Getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) == 0 {
		t.Error("SO_KEEPALIVE is not set")
	}
	if typ := must[int](t)(s.Getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)); typ != socket.SOCK_STREAM {
		t.Errorf("SO_TYPE is %d", typ)
	}
	for _, value := range []int{math.MaxInt, math.MinInt} {
		if value != int(int32(value)) {
			wantError(t, s.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, value), os.ErrInvalid, "setsockopt", "fd")
		}
	}
	_, err := s.Getsockopt(socket.SOL_SOCKET, -1)
	wantError(t, err, eNoProtoOpt, "getsockopt", "fd")
	wantError(t, s.Setsockopt(socket.SOL_SOCKET, -1, 1), eNoProtoOpt, "setsockopt", "fd")
}

func TestErrorsOfConstructors(t *testing.T) {
	testkit.NoLeaks(t)
	noFamily := eAfNoSupport
	if runtime.GOOS == "dragonfly" {
		noFamily = syscall.EPROTONOSUPPORT
	}
	_, err := socket.New(-1, socket.SOCK_STREAM, 0)
	wantError(t, err, noFamily, "socket.")
	_, _, err = socket.Socketpair(socket.AF_INET+socket.AF_UNIX-pairFamily, socket.SOCK_STREAM, 0) // the other one
	if wantError(t, err, err, "socket.socketpair"); err == nil {
		t.Error("a pair of any family is no error")
	}
	file := testkit.File(t)
	r, _ := testkit.Pipe(t)
	closed := testkit.Dup(t, r, 0)
	testkit.Close(t, closed)
	for _, from := range []func(int) (*socket.Socket, error){socket.FromFd, socket.Adopt} {
		_, err = from(int(file.Fd()))
		wantError(t, err, eNotSock, "fd")
		_, err = from(closed)
		wantError(t, err, eBadFd, "fd")
		_, err = from(-1)
		wantError(t, err, eBadFd)
	}
	if runtime.GOOS != "windows" && isNonblocking(t, int(file.Fd())) {
		t.Error("what is no socket has become non-blocking")
	}
}

func TestSetLinger(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	for _, test := range []struct {
		on      bool
		seconds int
	}{{true, 0}, {true, 5}, {false, 0}, {true, math.MaxInt16}} {
		check(t, s.SetLinger(test.on, test.seconds))
		if on, seconds := linger(t, s); on != test.on || on && seconds != test.seconds {
			t.Errorf("SetLinger(%t, %d) has set %t, %d", test.on, test.seconds, on, seconds)
		}
	}
	for _, seconds := range []int{-1, math.MaxInt16 + 1, math.MaxInt} {
		wantError(t, s.SetLinger(true, seconds), os.ErrInvalid, "socket.setsockopt: ", strconv.Itoa(seconds))
	}
	check(t, s.SetLinger(false, 0))
}

// A connection that lingers for no time is reset when it is closed.
func TestSetLingerResets(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.NotOnWine(t, "a connection that lingers for no time is not reset")
	client, server := testkit.TCPPair(t)
	s, err := socket.FromConn(client)
	check(t, err)
	check(t, s.SetLinger(true, 0))
	check(t, client.Close())
	check(t, s.Close())
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, socket.ErrConnectionReset) {
		t.Errorf("the other end reads %v, want %v", err, socket.ErrConnectionReset)
	}
}

// As send(2) of a blocking descriptor, Send of a blocking socket returns when all is sent.
func TestSendSendsAll(t *testing.T) {
	data := bytes.Repeat([]byte("spam"), tooMuch/4)
	for _, test := range []struct {
		name    string
		timeout time.Duration
		flags   []int
		all     bool
	}{
		{"blocking", pyselect.Forever, nil, true},
		{"with a timeout", time.Minute, nil, false},
		{"non-blocking", 0, nil, false},
		{"MSG_DONTWAIT", pyselect.Forever, []int{socket.MSG_DONTWAIT}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			a, b := pair(t)
			check(t, a.Settimeout(test.timeout))
			var n int
			var err error
			call := testkit.Go(t, func() { n, err = a.Send(data, test.flags...) })
			var received bytes.Buffer
			if test.all {
				call.Blocked()
				buf := make([]byte, 1<<16)
				for received.Len() < len(data) {
					n, err := b.Recv(buf)
					check(t, err)
					received.Write(buf[:n])
				}
			}
			call.Wait()
			check(t, err)
			if n == 0 || (n == len(data)) != test.all {
				t.Errorf("sent %d of %d bytes", n, len(data))
			}
			if test.all && !bytes.Equal(received.Bytes(), data) {
				t.Error("what was received is not what was sent")
			}
		})
	}
}

// Sendto on a stream is Send.
func TestSendtoSendsAll(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := networks[0].connect(t)
	data := make([]byte, 64<<20)
	call := testkit.Go(t, func() {
		if n, err := a.Sendto(data, sockname(t, b)); n != len(data) || err != nil {
			t.Errorf("sent %d of %d bytes, %v", n, len(data), err)
		}
		check(t, a.Shutdown(socket.SHUT_WR))
	}).Blocked()
	if n := must[int64](t)(io.Copy(io.Discard, b)); n != int64(len(data)) {
		t.Errorf("received %d bytes, want %d", n, len(data))
	}
	call.Wait()
}

// What ends a blocking Send in the middle is its error, beside the number of bytes that were sent.
func TestSendEndsInTheMiddle(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(a, b *socket.Socket) error
		want error
	}{
		"Close":            {func(a, _ *socket.Socket) error { return a.Close() }, os.ErrClosed},
		"the peer is gone": {func(_, b *socket.Socket) error { return b.Close() }, gone},
		"Shutdown":         {func(a, _ *socket.Socket) error { return a.Shutdown(socket.SHUT_WR) }, socket.ErrBrokenPipe},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			a, b := pair(t)
			var n int
			var err error
			call := testkit.Go(t, func() { n, err = a.Send(make([]byte, tooMuch)) })
			_, peeked := b.Recv(make([]byte, 1), socket.MSG_PEEK)
			check(t, peeked)
			call.Blocked()
			check(t, test.end(a, b))
			call.Wait()
			if wantError(t, err, test.want); n == 0 || n == tooMuch {
				t.Errorf("%d bytes were sent", n)
			}
		})
	}
}

// Two Sends at the same time both send all.
func TestSendsAtTheSameTime(t *testing.T) {
	testkit.NoLeaks(t)
	a, b := pair(t)
	const size = tooMuch / 2
	var calls []*testkit.Call
	for _, c := range []byte{1, 2} {
		data := bytes.Repeat([]byte{c}, size)
		calls = append(calls, testkit.Go(t, func() {
			if n, err := a.Send(data); n != size || err != nil {
				t.Errorf("sent %d bytes, %v", n, err)
			}
		}).Blocked())
	}
	buf, counts := make([]byte, 1<<16), [3]int{}
	for counts[1]+counts[2] < 2*size {
		n, err := b.Recv(buf)
		check(t, err)
		for _, c := range buf[:n] {
			counts[c]++
		}
	}
	for _, call := range calls {
		call.Wait()
	}
	if counts != [3]int{0, size, size} {
		t.Errorf("received %v bytes", counts)
	}
}
