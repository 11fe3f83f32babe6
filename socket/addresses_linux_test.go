package socket_test

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// open returns a socket of a family that this system may not have.
func open(t *testing.T, family, typ, proto int) *socket.Socket {
	t.Helper()
	s, err := socket.New(family, typ, proto)
	for _, missing := range []error{unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.EPERM, unix.ESOCKTNOSUPPORT} {
		if errors.Is(err, missing) {
			t.Skipf("no sockets of family %d here: %v", family, err)
		}
	}
	check(t, err)
	return own(t, s)
}

func netlink(port uint32) socket.RawAddr {
	data := make([]byte, 10)
	binary.NativeEndian.PutUint32(data[2:], port)
	return socket.RawAddr{Family: socket.AF_NETLINK, Data: string(data)}
}

// A question to the kernel's routing, and its answer.
func TestNetlink(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
	check(t, s.Bind(netlink(0)))
	name := sockname(t, s).(socket.RawAddr)
	if port := binary.NativeEndian.Uint32([]byte(name.Data)[2:]); name.Family != socket.AF_NETLINK || port == 0 {
		t.Errorf("the address is %v", name)
	}
	request := make([]byte, 17) // header and family
	binary.NativeEndian.PutUint32(request, uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	must[int](t)(s.Sendto(request, netlink(0)))
	answer := make([]byte, 1<<16)
	n, from, err := s.Recvfrom(answer)
	check(t, err)
	if n < 16 || binary.NativeEndian.Uint16(answer[4:]) != unix.RTM_NEWLINK || from != netlink(0) {
		t.Errorf("received %d bytes from %v", n, from)
	}
	if got := duplicate(t, fileno(t, s)); got.Family() != socket.AF_NETLINK || got.Proto() != socket.NETLINK_ROUTE {
		t.Errorf("a duplicate is %v", got)
	}
}

func TestPacket(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, socket.AF_PACKET, socket.SOCK_DGRAM, 0)
	data := make([]byte, 18)
	binary.BigEndian.PutUint16(data, unix.ETH_P_ALL)
	binary.NativeEndian.PutUint32(data[2:], 1) // the loopback interface
	check(t, s.Bind(socket.RawAddr{Family: socket.AF_PACKET, Data: string(data)}))
	name := sockname(t, s).(socket.RawAddr)
	if index := binary.NativeEndian.Uint32([]byte(name.Data)[2:]); name.Family != socket.AF_PACKET || index != 1 {
		t.Errorf("the address is %v", name)
	}
	check(t, s.Settimeout(testkit.Patience))
	udp := newUDP(t)
	must[int](t)(udp.Sendto([]byte("spam"), sockname(t, udp)))
	_, from, err := s.Recvfrom(make([]byte, 1000))
	check(t, err)
	if raw, ok := from.(socket.RawAddr); !ok || raw.Family != socket.AF_PACKET {
		t.Errorf("received from %v", from)
	}
}

func TestVsock(t *testing.T) {
	testkit.NoLeaks(t)
	address := func(cid, port uint32) socket.RawAddr {
		data := make([]byte, 14)
		binary.NativeEndian.PutUint32(data[2:], port)
		binary.NativeEndian.PutUint32(data[6:], cid)
		return socket.RawAddr{Family: socket.AF_VSOCK, Data: string(data)}
	}
	l := open(t, socket.AF_VSOCK, socket.SOCK_STREAM, 0)
	if err := l.Bind(address(socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY)); errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		t.Skipf("no transport for vsock here: %v", err)
	} else {
		check(t, err)
	}
	name := sockname(t, l).(socket.RawAddr)
	if cid := binary.NativeEndian.Uint32([]byte(name.Data)[6:]); name.Family != socket.AF_VSOCK || cid != socket.VMADDR_CID_ANY {
		t.Errorf("the address is %v", name)
	}
	const size = 1 << 18 // a number of 8 bytes in the kernel
	if err := l.Setsockopt(socket.AF_VSOCK, socket.SO_VM_SOCKETS_BUFFER_MAX_SIZE, size); errors.Is(err, unix.ENOPROTOOPT) {
		t.Skipf("no options of vsock here: %v", err)
	} else {
		check(t, err)
	}
	if got := must[int](t)(l.Getsockopt(socket.AF_VSOCK, socket.SO_VM_SOCKETS_BUFFER_MAX_SIZE)); got != size {
		t.Errorf("the option is %d, want %d", got, size)
	}
}

func TestCAN(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
	check(t, s.Bind(socket.RawAddr{Family: socket.AF_CAN, Data: string(make([]byte, 22))}))
	if name := sockname(t, s).(socket.RawAddr); name.Family != socket.AF_CAN {
		t.Errorf("the address is %v", name)
	}
}

func TestRawAddresses(t *testing.T) {
	testkit.NoLeaks(t)
	s := newSocket(t, socket.AF_INET, socket.SOCK_DGRAM)
	for _, addr := range []socket.RawAddr{{Family: -1}, {Family: 1 << 16}, {Data: string(make([]byte, 1000))}} {
		wantError(t, s.Bind(addr), os.ErrInvalid, "socket.bind")
	}
	// One that InetAddr has too.
	check(t, s.Bind(socket.RawAddr{Family: socket.AF_INET, Data: "\x00\x00\x7f\x00\x00\x01" + string(make([]byte, 8))}))
	if got := sockname(t, s).(socket.InetAddr); got.Addr().String() != "127.0.0.1" {
		t.Errorf("the address is %v", got)
	}
}
