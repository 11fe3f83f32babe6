package main

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"fmt"
	"net"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/socket"
)

func sock(h C.uintptr_t, method string) *socket.Socket {
	count("Socket." + method)
	return value[*socket.Socket](h)
}

func newSocket(s *socket.Socket, err error, f *C.failure) C.uintptr_t {
	if err != nil {
		fail(f, err)
		return 0
	}
	return newHandle(s)
}

//export SocketNew
func SocketNew(family, typ, proto C.int, f *C.failure) C.uintptr_t {
	count("socket.New")
	s, err := socket.New(int(family), int(typ), int(proto))
	return newSocket(s, err, f)
}

//export SocketAdopt
func SocketAdopt(fd C.int, f *C.failure) C.uintptr_t {
	count("socket.Adopt")
	s, err := socket.Adopt(int(fd))
	return newSocket(s, err, f)
}

//export SocketPair
func SocketPair(family, typ, proto C.int, pair *C.uintptr_t, f *C.failure) {
	count("socket.Socketpair")
	a, b, err := socket.Socketpair(int(family), int(typ), int(proto))
	if err != nil {
		fail(f, err)
		return
	}
	copy(unsafe.Slice(pair, 2), []C.uintptr_t{newHandle(a), newHandle(b)})
}

// SocketIdentity returns the family, the type and the protocol.
//
//export SocketIdentity
func SocketIdentity(h C.uintptr_t, result *C.int) {
	s := value[*socket.Socket](h)
	copy(unsafe.Slice(result, 3), []C.int{C.int(s.Family()), C.int(s.Type()), C.int(s.Proto())})
}

//export SocketClose
func SocketClose(h C.uintptr_t, f *C.failure) { fail(f, sock(h, "Close").Close()) }

//export SocketDetach
func SocketDetach(h C.uintptr_t, f *C.failure) C.int {
	fd, err := sock(h, "Detach").Detach()
	fail(f, err)
	return C.int(fd)
}

//export SocketFileno
func SocketFileno(h C.uintptr_t) C.int {
	fd, _ := sock(h, "Fileno").Fileno()
	return C.int(fd)
}

//export SocketSettimeout
func SocketSettimeout(h C.uintptr_t, timeout C.int64_t, f *C.failure) {
	fail(f, sock(h, "Settimeout").Settimeout(time.Duration(timeout)))
}

//export SocketGettimeout
func SocketGettimeout(h C.uintptr_t) C.int64_t { return C.int64_t(sock(h, "Gettimeout").Gettimeout()) }

//export SocketBind
func SocketBind(h C.uintptr_t, addr *C.address, f *C.failure) {
	fail(f, sock(h, "Bind").Bind(addressFrom(addr)))
}

//export SocketListen
func SocketListen(h C.uintptr_t, backlog C.int, f *C.failure) {
	fail(f, sock(h, "Listen").Listen(int(backlog)))
}

// SocketAccept returns a descriptor.
//
//export SocketAccept
func SocketAccept(h C.uintptr_t, from *C.address, f *C.failure) C.int {
	s, addr, err := sock(h, "Accept").Accept()
	if err != nil {
		fail(f, err)
		return -1
	}
	addressTo(from, addr)
	fd, err := s.Detach()
	fail(f, err)
	return C.int(fd)
}

//export SocketConnect
func SocketConnect(h C.uintptr_t, addr *C.address, f *C.failure) {
	fail(f, sock(h, "Connect").Connect(addressFrom(addr)))
}

//export SocketConnectEx
func SocketConnectEx(h C.uintptr_t, addr *C.address) C.int {
	return C.int(sock(h, "ConnectEx").ConnectEx(addressFrom(addr)))
}

//export SocketRecv
func SocketRecv(h C.uintptr_t, p C.buffer, flags C.int, f *C.failure) C.int64_t {
	n, err := sock(h, "Recv").Recv(bytesOf(p), int(flags))
	fail(f, err)
	return C.int64_t(n)
}

//export SocketRecvfrom
func SocketRecvfrom(h C.uintptr_t, p C.buffer, flags C.int, from *C.address, f *C.failure) C.int64_t {
	n, addr, err := sock(h, "Recvfrom").Recvfrom(bytesOf(p), int(flags))
	fail(f, err)
	addressTo(from, addr)
	return C.int64_t(n)
}

//export SocketRecvmsg
func SocketRecvmsg(
	h C.uintptr_t, buffers *C.buffer, n C.int64_t, ancbufsize C.int64_t, flags C.int,
	ancdata *C.control_list, msgFlags *C.int, from *C.address, f *C.failure,
) C.int64_t {
	size, items, got, addr, err := sock(h, "Recvmsg").Recvmsg(buffersOf(buffers, n), int(ancbufsize), int(flags))
	fail(f, err)
	ancdata.items, ancdata.len = allocate(items, func(m socket.ControlMessage) C.control_message {
		data := C.buffer{(*C.char)(C.CBytes(m.Data)), C.int64_t(len(m.Data))}
		return C.control_message{C.int(m.Level), C.int(m.Type), data}
	})
	*msgFlags = C.int(got)
	addressTo(from, addr)
	return C.int64_t(size)
}

//export SocketSend
func SocketSend(h C.uintptr_t, p C.buffer, flags C.int, f *C.failure) C.int64_t {
	n, err := sock(h, "Send").Send(bytesOf(p), int(flags))
	fail(f, err)
	return C.int64_t(n)
}

//export SocketSendall
func SocketSendall(h C.uintptr_t, p C.buffer, flags C.int, f *C.failure) {
	fail(f, sock(h, "Sendall").Sendall(bytesOf(p), int(flags)))
}

//export SocketSendto
func SocketSendto(h C.uintptr_t, p C.buffer, flags C.int, addr *C.address, f *C.failure) C.int64_t {
	n, err := sock(h, "Sendto").Sendto(bytesOf(p), addressFrom(addr), int(flags))
	fail(f, err)
	return C.int64_t(n)
}

//export SocketSendmsg
func SocketSendmsg(
	h C.uintptr_t, buffers *C.buffer, n C.int64_t, ancdata *C.control_message, items C.int64_t, flags C.int, addr *C.address, f *C.failure,
) C.int64_t {
	var messages []socket.ControlMessage
	for _, m := range unsafe.Slice(ancdata, items) {
		messages = append(messages, socket.ControlMessage{Level: int(m.level), Type: int(m._type), Data: bytesOf(m.data)})
	}
	size, err := sock(h, "Sendmsg").Sendmsg(buffersOf(buffers, n), messages, addressFrom(addr), int(flags))
	fail(f, err)
	return C.int64_t(size)
}

// SocketSendfile takes the descriptor of a file.
//
//export SocketSendfile
func SocketSendfile(h C.uintptr_t, fd C.int, offset, size C.int64_t, f *C.failure) C.int64_t {
	return sendfile(sock(h, "Sendfile"), fd, offset, size, f)
}

type sendfiler interface {
	Sendfile(file *os.File, offset, count int64) (sent int64, err error)
}

func sendfile(s sendfiler, fd C.int, offset, size C.int64_t, f *C.failure) C.int64_t {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		fail(f, err)
		return 0
	}
	file := os.NewFile(uintptr(dup), "file")
	defer file.Close()
	n, err := s.Sendfile(file, int64(offset), int64(size))
	fail(f, err)
	return C.int64_t(n)
}

//export SocketShutdown
func SocketShutdown(h C.uintptr_t, how C.int, f *C.failure) {
	fail(f, sock(h, "Shutdown").Shutdown(int(how)))
}

//export SocketGetsockname
func SocketGetsockname(h C.uintptr_t, result *C.address, f *C.failure) {
	addr, err := sock(h, "Getsockname").Getsockname()
	fail(f, err)
	addressTo(result, addr)
}

//export SocketGetpeername
func SocketGetpeername(h C.uintptr_t, result *C.address, f *C.failure) {
	addr, err := sock(h, "Getpeername").Getpeername()
	fail(f, err)
	addressTo(result, addr)
}

//export SocketGetsockopt
func SocketGetsockopt(h C.uintptr_t, level, option C.int, f *C.failure) C.int {
	value, err := sock(h, "Getsockopt").Getsockopt(int(level), int(option))
	fail(f, err)
	return C.int(value)
}

// SocketGetsockoptBytes returns how many bytes of p it has filled.
//
//export SocketGetsockoptBytes
func SocketGetsockoptBytes(h C.uintptr_t, level, option C.int, p C.buffer, f *C.failure) C.int64_t {
	value, err := sock(h, "GetsockoptBytes").GetsockoptBytes(int(level), int(option), int(p.len))
	fail(f, err)
	return C.int64_t(copy(bytesOf(p), value))
}

//export SocketSetsockopt
func SocketSetsockopt(h C.uintptr_t, level, option, value C.int, f *C.failure) {
	fail(f, sock(h, "Setsockopt").Setsockopt(int(level), int(option), int(value)))
}

//export SocketSetsockoptBytes
func SocketSetsockoptBytes(h C.uintptr_t, level, option C.int, p C.buffer, f *C.failure) {
	fail(f, sock(h, "SetsockoptBytes").SetsockoptBytes(int(level), int(option), bytesOf(p)))
}

func bytesOf(p C.buffer) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p.base)), p.len) }

func buffersOf(list *C.buffer, n C.int64_t) (buffers [][]byte) {
	for _, p := range unsafe.Slice(list, n) {
		buffers = append(buffers, bytesOf(p))
	}
	return buffers
}

func addressFrom(a *C.address) net.Addr {
	data := C.GoStringN(&a.data[0], a.len)
	switch a.kind {
	case C.INET:
		return socket.HostPort(data)
	case C.UNIX:
		return socket.UnixAddr(data)
	case C.RAW:
		return socket.RawAddr{Family: int(a.family), Data: data}
	}
	return nil
}

func addressTo(a *C.address, addr net.Addr) {
	var data string
	switch addr := addr.(type) {
	case nil:
		return
	case socket.InetAddr:
		a.kind, a.family, data = C.INET, unix.AF_INET, addr.String()
		if addr.Addr().Is6() {
			a.family = unix.AF_INET6
		}
	case socket.UnixAddr:
		a.kind, a.family, data = C.UNIX, unix.AF_UNIX, string(addr)
	case socket.RawAddr:
		a.kind, a.family, data = C.RAW, C.int(addr.Family), addr.Data
	default:
		panic(fmt.Sprintf("address %v", addr))
	}
	room := unsafe.Slice((*byte)(unsafe.Pointer(&a.data)), len(a.data))
	a.len = C.int(copy(room, data))
}
