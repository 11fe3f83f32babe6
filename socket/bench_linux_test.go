package socket_test

import (
	"encoding/binary"
	"net"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

// datagramPair returns two sockets and their descriptors, and what is needed to use the descriptors alone.
func datagramPair(b *testing.B) (s, peer *socket.Socket, addr net.Addr, fd, peerFd int, raw []byte) {
	b.Helper()
	open := func() *socket.Socket {
		s := newUDP(b)
		check(b, s.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1<<20))
		return s
	}
	s, peer = open(), open()
	addr = sockname(b, peer)
	raw = make([]byte, unix.SizeofSockaddrInet4)
	inet := addr.(socket.InetAddr)
	ip := inet.Addr().As4()
	binary.NativeEndian.PutUint16(raw, unix.AF_INET)
	binary.BigEndian.PutUint16(raw[2:], inet.Port())
	copy(raw[4:], ip[:])
	return s, peer, addr, fileno(b, s), fileno(b, peer), raw
}

func BenchmarkSendto(b *testing.B) {
	s, _, addr, fd, peer, raw := datagramPair(b)
	p := make([]byte, 64)
	compare(b,
		func() (int, error) { return s.Sendto(p, addr) },
		func() (int, error) {
			n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0,
				uintptr(unsafe.Pointer(&raw[0])), uintptr(len(raw)))
			return int(n), errno
		},
		func() { testkit.Drain(b, peer) })
}

func BenchmarkRecvfrom(b *testing.B) {
	s, peer, addr, _, fd, _ := datagramPair(b)
	p := make([]byte, 64)
	var name unix.RawSockaddrAny
	compare(b,
		func() (int, error) {
			n, _, err := peer.Recvfrom(p)
			return n, err
		},
		func() (int, error) {
			size := unix.SizeofSockaddrAny
			n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0,
				uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&size)))
			return int(n), errno
		},
		func() {
			for range batch {
				s.Sendto(p, addr)
			}
		})
}
