//go:build unix || windows

package socket_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// Each kind of address that can be given is that of the same socket.
func TestEachKindOfAddress(t *testing.T) {
	testkit.NoLeaks(t)
	l := networks[0].listen(t, 128)
	addr := sockname(t, l).(socket.InetAddr)
	udp := net.UDPAddrFromAddrPort(addr.AddrPort)
	for _, addr := range []net.Addr{
		addr, socket.HostPort(addr.String()), socket.HostPort(fmt.Sprintf("localhost:%d", addr.Port())), socket.HostPort(fmt.Sprintf(":%d", addr.Port())),
		net.TCPAddrFromAddrPort(addr.AddrPort), udp, &net.TCPAddr{Port: udp.Port}, &net.TCPAddr{IP: udp.IP.To16(), Port: udp.Port},
	} {
		s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
		if err := s.Connect(addr); err != nil {
			t.Errorf("connect to %T %v: %v", addr, addr, err)
		}
	}
	for _, addr := range []net.Addr{&net.IPAddr{}, &net.IPAddr{IP: udp.IP}, socket.HostPort("127.0.0.1:"), socket.HostPort("localhost:0"), &net.UDPAddr{}} {
		s := newSocket(t, socket.AF_INET, socket.SOCK_DGRAM)
		check(t, s.Bind(addr))
	}
	if six, err := socket.New(socket.AF_INET6, socket.SOCK_DGRAM, 0); err == nil {
		own(t, six)
		check(t, six.Bind(&net.UDPAddr{}))
		if got := sockname(t, six).(socket.InetAddr); got.Addr() != netip.IPv6Unspecified() {
			t.Errorf("the address is %v", got)
		}
	}
}

func TestUnixAddressOfNet(t *testing.T) {
	testkit.NoLeaks(t)
	path := networks[2].any(t).(socket.UnixAddr)
	u := newSocket(t, socket.AF_UNIX, socket.SOCK_STREAM)
	check(t, u.Bind(&net.UnixAddr{Name: string(path)}))
	if got := sockname(t, u); got != path {
		t.Errorf("the address is %q, want %q", got, path)
	}
}

func TestAddressStrings(t *testing.T) {
	for _, test := range []struct {
		addr          net.Addr
		network, want string
	}{
		{socket.InetAddr{AddrPort: netip.MustParseAddrPort("[::1]:80")}, "ip", "[::1]:80"},
		{socket.UnixAddr("/tmp/s"), "unix", "/tmp/s"},
		{socket.UnixAddr("\x00name"), "unix", "@name"},
		{socket.UnixAddr(""), "unix", ""},
		{socket.RawAddr{Family: 16, Data: "\x00\x01\xff"}, "raw", "family 16: 0001ff"},
		{socket.HostPort("localhost:http"), "ip", "localhost:http"},
	} {
		if test.addr.Network() != test.network || test.addr.String() != test.want {
			t.Errorf("%#v is %q of %q, want %q of %q", test.addr, test.addr.String(), test.addr.Network(), test.want, test.network)
		}
	}
}

func TestHostPort(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_DGRAM)
	for _, address := range []string{"", "localhost", "127.0.0.1:70000", "127.0.0.1:-1", "a:b:c"} {
		wantError(t, s.Bind(socket.HostPort(address)), os.ErrInvalid, "socket.bind")
	}
	check(t, s.Bind(socket.HostPort("[::ffff:127.0.0.1]:0")))
	if got := sockname(t, s).(socket.InetAddr); got.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("the address is %v", got)
	}
	if six, err := socket.New(socket.AF_INET6, socket.SOCK_DGRAM, 0); err == nil {
		own(t, six)
		check(t, six.Setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0))
		check(t, six.Bind(socket.HostPort("[::ffff:127.0.0.1]:0")))
		if got := sockname(t, six).(socket.InetAddr); got.Addr() != netip.MustParseAddr("::ffff:127.0.0.1") {
			t.Errorf("the address is %v", got)
		}
	}
}

func TestHostPortOfUnixSocket(t *testing.T) {
	testkit.NoLeaks(t)
	u := newSocket(t, socket.AF_UNIX, socket.SOCK_STREAM)
	wantError(t, u.Bind(socket.HostPort("127.0.0.1:0")), os.ErrInvalid)
}

func TestPathsThatAreNone(t *testing.T) {
	testkit.NoLeaks(t)
	for _, path := range []string{strings.Repeat("x", 2000), "a\x00b"} {
		s := newSocket(t, socket.AF_UNIX, socket.SOCK_STREAM)
		wantError(t, s.Bind(socket.UnixAddr(path)), os.ErrInvalid, "socket.bind", "path")
		wantError(t, s.Connect(socket.UnixAddr(path)), os.ErrInvalid, "socket.connect", "path")
	}
}

// A path is taken as a whole, or not at all.
func TestLongestPath(t *testing.T) {
	testkit.NotOn(t, "windows", "datagrams of Unix sockets")
	testkit.NoLeaks(t)
	t.Chdir(t.TempDir())
	longest := 0
	for n := 90; n < 120; n++ {
		s, path := newSocket(t, socket.AF_UNIX, socket.SOCK_DGRAM), socket.UnixAddr(strings.Repeat("x", n))
		if err := s.Bind(path); err != nil {
			wantError(t, err, os.ErrInvalid, "socket.bind", fmt.Sprintf("path of %d bytes, want up to %d", n, longest))
			continue
		}
		longest = n
		if got := sockname(t, s); got != path {
			t.Errorf("the address is %q, want %q", got, path)
		}
	}
	if longest < 103 || longest >= 119 {
		t.Errorf("the longest path has %d bytes", longest)
	}
}

func TestAbstractAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has an abstract namespace")
	}
	testkit.NoLeaks(t)
	unique := fmt.Sprintf("\x00pyselect-%d-%d", os.Getpid(), time.Now().UnixNano())
	for _, name := range []string{
		unique, unique + "\x00", unique + "\x00\xff\x00x", unique + strings.Repeat("\x00", 107-len(unique)), unique + strings.Repeat("x", 108-len(unique)),
	} {
		name := socket.UnixAddr(name)
		s, c := newSocket(t, socket.AF_UNIX, socket.SOCK_DGRAM), newSocket(t, socket.AF_UNIX, socket.SOCK_DGRAM)
		check(t, s.Bind(name))
		if got := sockname(t, s); got != name {
			t.Errorf("the address is %q, want %q", got, name)
		}
		check(t, c.Bind(socket.UnixAddr("\x00c"+string(name[2:]))))
		must[int](t)(c.Sendto([]byte("spam"), name))
		_, from, err := s.Recvfrom(make([]byte, 10))
		check(t, err)
		if from != sockname(t, c) {
			t.Errorf("received from %q, want %q", from, sockname(t, c))
		}
		must[int](t)(s.Sendto([]byte("eggs"), from))
		wantRecv(t, c, "eggs")
		check(t, s.Close())
	}
	s := newSocket(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	wantError(t, s.Bind(socket.UnixAddr("\x00"+strings.Repeat("x", 108))), os.ErrInvalid, "109")
	name := unique[1:]
	l := newSocket(t, socket.AF_UNIX, socket.SOCK_STREAM)
	check(t, l.Bind(socket.UnixAddr("\x00"+name)))
	check(t, l.Listen(1))
	if got := sockname(t, l); got != socket.UnixAddr("\x00"+name) {
		t.Errorf("the address is %q, want %q", got, "@"+name)
	}
	client := newSocket(t, socket.AF_UNIX, socket.SOCK_STREAM)
	check(t, client.Connect(&net.UnixAddr{Name: "@" + name})) // as package net has it
}

func TestAddresses(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_STREAM)
	for _, addr := range []net.Addr{nil, socket.InetAddr{}, (*net.TCPAddr)(nil), (*net.UDPAddr)(nil), (*net.IPAddr)(nil), (*net.UnixAddr)(nil), &net.IPNet{}} {
		wantError(t, s.Bind(addr), os.ErrInvalid, "bind")
		wantError(t, s.Connect(addr), os.ErrInvalid, "connect")
		_, err := s.Sendto(nil, addr)
		wantError(t, err, os.ErrInvalid, "sendto")
	}
	wantError(t, s.Bind(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "nosuchinterface"}), os.ErrInvalid, "nosuchinterface")
	a, b := pair(t)
	for _, addr := range []net.Addr{sockname(t, a), must[net.Addr](t)(b.Getpeername())} {
		if addr != socket.UnixAddr("") && pairFamily == socket.AF_UNIX || addr != sockname(t, a) {
			t.Errorf("the address of one of a pair is %q", addr)
		}
	}
	_, err := s.Getpeername()
	wantError(t, err, socket.ErrNotConnected, "getpeername", "fd")
}
