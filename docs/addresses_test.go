//go:build unix || windows

package docs

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/pyselect/pyselect/socket"
)

func describePeer(conn *socket.Socket) error {
	addr, err := conn.Getpeername()
	if err != nil {
		return err
	}
	switch addr := addr.(type) {
	case socket.InetAddr:
		fmt.Println("port", addr.Port(), "of", addr.Addr())
	case socket.UnixAddr:
		fmt.Println("path", addr)
	}
	return nil
}

func withUDP(use func(s *socket.Socket)) {
	s, err := socket.New(socket.AF_INET, socket.SOCK_DGRAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	use(s)
}

func Example_takeApart() {
	withUDP(func(s *socket.Socket) {
		ip := netip.MustParseAddr("127.0.0.1")
		if err := s.Connect(socket.InetAddr{AddrPort: netip.AddrPortFrom(ip, 4321)}); err != nil {
			fmt.Println(err)
			return
		}
		if err := describePeer(s); err != nil {
			fmt.Println(err)
		}
	})
	// Output: port 4321 of 127.0.0.1
}

func Example_hostPort() {
	withUDP(func(s *socket.Socket) {
		fmt.Println(s.Bind(socket.HostPort(":0")))
		addr, err := s.Getsockname()
		if err != nil {
			fmt.Println(err)
			return
		}
		a := addr.(socket.InetAddr)
		fmt.Println(a.Addr(), a.Addr().Is4(), s.Family() == socket.AF_INET, a.Port() > 0)
		seen := map[net.Addr]bool{addr: true}
		again, _ := s.Getsockname()
		fmt.Println(addr == again, seen[again])
	})
	// Output:
	// <nil>
	// 0.0.0.0 true true true
	// true true
}

func Example_getaddrinfo() {
	ctx := context.Background()
	infos, err := socket.Getaddrinfo(ctx, net.JoinHostPort("127.0.0.1", "0"), 0, 0, 0, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, info := range infos {
		fmt.Println(info.Family == socket.AF_INET, info.Addr.Addr())
	}
	infos, err = socket.Getaddrinfo(ctx, ":80", socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
	fmt.Println(infos[0].Addr, err)
	// Output:
	// true 127.0.0.1
	// true 127.0.0.1
	// true 127.0.0.1
	// [::]:80 <nil>
}

func Example_pack() {
	ip, err := netip.ParseAddr("192.0.2.7")
	fmt.Println(ip.AsSlice(), err)
	_, err = netip.ParseAddr("127.1")
	fmt.Println(err != nil)
	ip, ok := netip.AddrFromSlice(make([]byte, 16))
	fmt.Println(ip, ok)
	b := binary.BigEndian.AppendUint16(nil, 0x0102)
	fmt.Println(b, binary.BigEndian.Uint32([]byte{0, 0, 1, 0}))
	htons := int(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, 0x0102)))
	fmt.Println(binary.NativeEndian.AppendUint16(nil, uint16(htons)))
	// Output:
	// [192 0 2 7] <nil>
	// true
	// :: true
	// [1 2] 256
	// [1 2]
}

func Example_network() {
	prefix, err := netip.ParsePrefix("192.0.2.0/24")
	fmt.Println(prefix.Contains(netip.MustParseAddr("::ffff:192.0.2.7").Unmap()), err)
	// Output: true <nil>
}

func Example_multicast() {
	withUDP(func(s *socket.Socket) {
		group, iface := netip.MustParseAddr("224.0.0.251"), netip.MustParseAddr("127.0.0.1")
		mreq := append(group.AsSlice(), iface.AsSlice()...)
		fmt.Println(s.SetsockoptBytes(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq))
	})
	// Output: <nil>
}
