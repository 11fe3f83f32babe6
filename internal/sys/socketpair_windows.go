package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Socketpair returns the two ends of a TCP connection on loopback, of the family AF_INET or AF_INET6. They are non-blocking and send
// without delay.
func Socketpair(family int) (a, b int, err error) {
	if err := StartWinsock(); err != nil {
		return -1, -1, err
	}
	loopback := windows.Sockaddr(&windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if family == windows.AF_INET6 {
		loopback = &windows.SockaddrInet6{Addr: [16]byte{15: 1}}
	}
	listener, err := listenAt(loopback, family)
	if err != nil {
		return -1, -1, err
	}
	defer windows.Closesocket(listener)
	client, err := tcpSocket(family)
	if err != nil {
		return -1, -1, err
	}
	server, err := connectTo(listener, client)
	if err == nil {
		err = prepare(client)
	}
	if err == nil {
		err = prepare(server)
	}
	if err != nil {
		windows.Closesocket(client)
		windows.Closesocket(server)
		return -1, -1, err
	}
	return int(client), int(server), nil
}

func tcpSocket(family int) (windows.Handle, error) {
	return windows.WSASocket(int32(family), windows.SOCK_STREAM, windows.IPPROTO_TCP, nil, 0, PrivateSocket)
}

// listenAt returns a socket that listens on a port that no other process can share.
func listenAt(addr windows.Sockaddr, family int) (windows.Handle, error) {
	s, err := tcpSocket(family)
	if err != nil {
		return s, err
	}
	err = windows.SetsockoptInt(s, windows.SOL_SOCKET, soExclusiveAddrUse, 1)
	if err == nil {
		err = windows.Bind(s, addr)
	}
	if err == nil {
		err = windows.Listen(s, 128) // strangers may take places
	}
	if err != nil {
		windows.Closesocket(s)
		return windows.InvalidHandle, err
	}
	return s, nil
}

// connectTo connects s to the listener and returns the other end. Anybody on this machine may connect to the listener: who
// is not s is turned away.
func connectTo(listener, s windows.Handle) (windows.Handle, error) {
	addr, err := windows.Getsockname(listener)
	if err != nil {
		return windows.InvalidHandle, err
	}
	if err := windows.Connect(s, addr); err != nil {
		return windows.InvalidHandle, err
	}
	own, err := windows.Getsockname(s)
	if err != nil {
		return windows.InvalidHandle, err
	}
	for {
		peer, from, err := accept(listener)
		if err == windows.WSAECONNRESET { // a stranger has left
			continue
		}
		if err != nil || sameAddr(from, own) {
			return peer, err
		}
		windows.Closesocket(peer)
	}
}

func accept(listener windows.Handle) (windows.Handle, windows.Sockaddr, error) {
	var raw windows.RawSockaddrAny
	size := int32(unsafe.Sizeof(raw))
	n, _, errno := syscall.SyscallN(procAccept.Addr(), uintptr(listener), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	s := windows.Handle(n)
	if s == windows.InvalidHandle {
		return s, nil, errno
	}
	addr, err := raw.Sockaddr()
	if err == nil {
		err = windows.SetHandleInformation(s, windows.HANDLE_FLAG_INHERIT, 0)
	}
	if err != nil {
		windows.Closesocket(s)
		return windows.InvalidHandle, nil, err
	}
	return s, addr, nil
}

func sameAddr(a, b windows.Sockaddr) bool {
	switch a := a.(type) {
	case *windows.SockaddrInet4:
		b, ok := b.(*windows.SockaddrInet4)
		return ok && a.Addr == b.Addr && a.Port == b.Port
	case *windows.SockaddrInet6:
		b, ok := b.(*windows.SockaddrInet6)
		return ok && a.Addr == b.Addr && a.Port == b.Port
	}
	return false
}

// prepare makes a socket non-blocking and lets it send without delay.
func prepare(s windows.Handle) error {
	if err := SetNonblock(int(s), true); err != nil {
		return err
	}
	return windows.SetsockoptInt(s, windows.IPPROTO_TCP, windows.TCP_NODELAY, 1)
}
