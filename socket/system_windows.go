package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/internal/sys"
)

// defaultPairFamily is the family of a Socketpair for which none is given.
const defaultPairFamily = AF_INET

// setsReuseaddr says whether CreateServer sets SO_REUSEADDR. Here an address is free as soon as its socket is closed, and the option
// would let others take it even before.
const setsReuseaddr = false

// maxSend is how much is sent by one call. The kernel would take all at once, however much that is, and keep it in memory.
const maxSend = 1 << 20

// streamsHaveAncillary says whether recvmsg takes room for ancillary data of a stream. WSARecvMsg is for datagrams only.
const streamsHaveAncillary = false

// What the system does not have.
const (
	wideLevel   = -1
	msgErrqueue = 0
	msgFastopen = 0
)

var (
	ws2             = windows.NewLazySystemDLL("ws2_32.dll")
	procAccept      = ws2.NewProc("accept")
	procBind        = ws2.NewProc("bind")
	procConnect     = ws2.NewProc("connect")
	procGetpeername = ws2.NewProc("getpeername")
	procGetsockname = ws2.NewProc("getsockname")
	procGetsockopt  = ws2.NewProc("getsockopt")
	procRecv        = ws2.NewProc("recv")
	procRecvfrom    = ws2.NewProc("recvfrom")
	procSend        = ws2.NewProc("send")
	procSendto      = ws2.NewProc("sendto")
	procSetsockopt  = ws2.NewProc("setsockopt")
	procWSASendTo   = ws2.NewProc("WSASendTo")
	procWSARecvFrom = ws2.NewProc("WSARecvFrom")
)

func (*sockaddr) isUnix() bool { return false } // an address like every other

func newSocket(family, typ, proto int) (int, error) {
	if err := sys.StartWinsock(); err != nil {
		return -1, err
	}
	return nonblocking(windows.WSASocket(int32(family), int32(typ), int32(proto), nil, 0, sys.PrivateSocket))
}

// newPair returns the two ends of a TCP connection.
func newPair(family, typ, proto int) ([2]int, error) {
	if family != AF_INET && family != AF_INET6 || typ != SOCK_STREAM || proto != 0 && proto != IPPROTO_TCP {
		return [2]int{}, invalid("family %d, type %d and protocol %d, want AF_INET or AF_INET6, and SOCK_STREAM", family, typ, proto)
	}
	a, b, err := sys.Socketpair(family)
	return [2]int{a, b}, err
}

func dup(fd int) (int, error) {
	if err := sys.Probe(fd); err != nil {
		return -1, err
	}
	return nonblocking(sys.Duplicate(fd, sys.PrivateSocket))
}

func accept(fd int, from *sockaddr) (int, error) {
	from.len = uint32(len(from.buf))
	s, _, errno := syscall.SyscallN(procAccept.Addr(), uintptr(fd), uintptr(unsafe.Pointer(&from.buf)), uintptr(unsafe.Pointer(&from.len)))
	if windows.Handle(s) == windows.InvalidHandle {
		from.len = 0
		return -1, errno
	}
	return nonblocking(windows.Handle(s), nil)
}

// nonblocking makes a new socket non-blocking and private, or closes it.
func nonblocking(s windows.Handle, err error) (int, error) {
	if err != nil {
		return -1, err
	}
	if err := makePrivate(int(s)); err != nil {
		windows.Closesocket(s)
		return -1, err
	}
	return int(s), nil
}

// makePrivate makes a socket non-blocking, and lets no process that is started inherit it.
func makePrivate(fd int) error {
	if err := windows.SetHandleInformation(windows.Handle(fd), windows.HANDLE_FLAG_INHERIT, 0); err != nil {
		return err
	}
	return sys.SetNonblock(fd, true)
}

// closeFd closes a socket. One with SO_LINGER cannot be closed while it is non-blocking.
func closeFd(fd int) error {
	err := windows.Closesocket(windows.Handle(fd))
	if err == windows.WSAEWOULDBLOCK {
		sys.SetNonblock(fd, false)
		err = windows.Closesocket(windows.Handle(fd))
	}
	return err
}

// kindOf returns what a descriptor is a socket of.
func kindOf(fd int) (kind, error) {
	if err := sys.Probe(fd); err != nil {
		return kind{}, err
	}
	const protocolInfo = 0x2005 // SO_PROTOCOL_INFOW
	var info windows.WSAProtocolInfo
	_, err := getsockopt(fd, SOL_SOCKET, protocolInfo, unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)))
	return kind{int(info.AddressFamily), int(info.SocketType), int(info.Protocol)}, err
}

func bind(fd int, addr *sockaddr) error {
	_, err := result(syscall.SyscallN(procBind.Addr(), uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(addr.len)))
	return err
}

func listen(fd, backlog int) error { return windows.Listen(windows.Handle(fd), backlog) }

func connect(fd int, addr *sockaddr) error {
	_, err := result(syscall.SyscallN(procConnect.Addr(), uintptr(fd), uintptr(unsafe.Pointer(&addr.buf)), uintptr(addr.len)))
	return err
}

// hasConnected reports whether an attempt to connect has ended.
func hasConnected(fd int) (bool, error) {
	n, err := sys.Select([]sys.PollFd{sys.Entry(fd, sys.Out|sys.Pri)}, sys.Now) // a failure is exceptional
	return n > 0, err
}

func shutdown(fd, how int) error { return windows.Shutdown(windows.Handle(fd), how) }

func getsockname(fd int, addr *sockaddr) error { return addr.get(procGetsockname, fd) }

func getpeername(fd int, addr *sockaddr) error { return addr.get(procGetpeername, fd) }

func (a *sockaddr) get(proc *windows.LazyProc, fd int) error {
	a.len = uint32(len(a.buf))
	n, _, errno := syscall.SyscallN(proc.Addr(), uintptr(fd), uintptr(unsafe.Pointer(&a.buf)), uintptr(unsafe.Pointer(&a.len)))
	_, err := a.result(n, failed(n, errno))
	return err
}

func read(fd int, p []byte) (int, error) {
	return result(syscall.SyscallN(procRecv.Addr(), uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0))
}

func write(fd int, p []byte) (int, error) {
	return result(syscall.SyscallN(procSend.Addr(), uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0))
}

// forKernel returns flags without those that the kernel does not take: receiveEnough waits for all, and no call waits in the kernel.
func forKernel(flags int) uint32 { return uint32(flags &^ (MSG_WAITALL | MSG_DONTWAIT)) }

func recvfrom(fd int, p []byte, flags int, from *sockaddr) (int, error) {
	from.len = uint32(len(from.buf))
	n, _, errno := syscall.SyscallN(procRecvfrom.Addr(), uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		uintptr(forKernel(flags)), uintptr(unsafe.Pointer(&from.buf)), uintptr(unsafe.Pointer(&from.len)))
	if errno = failed(n, errno); errno == eMsgSize { // the sender is known all the same
		return len(p), errno
	}
	return from.result(n, errno)
}

// sendto sends to an address, or to where the socket is connected to if to is empty.
func sendto(fd int, p []byte, flags int, to *sockaddr) (int, error) {
	name, size := to.pointer()
	return result(syscall.SyscallN(procSendto.Addr(), uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		uintptr(forKernel(flags)), uintptr(name), uintptr(size)))
}

// pointer returns the address as a system call takes it.
func (a *sockaddr) pointer() (name unsafe.Pointer, size int32) {
	if a.isEmpty() {
		return nil, 0
	}
	return unsafe.Pointer(&a.buf), int32(a.len)
}

// recvmsg receives ancillary data of datagrams, for which alone the system has any.
func recvmsg(fd int, buffers [][]byte, oob []byte, flags int, from *sockaddr) (n, oobn, msgFlags int, err error) {
	bufs := vectors(buffers, maxPart)
	from.len = uint32(len(from.buf))
	var received uint32
	if len(oob) == 0 {
		got := forKernel(flags)
		r, _, errno := syscall.SyscallN(procWSARecvFrom.Addr(), uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(bufs))),
			uintptr(len(bufs)), uintptr(unsafe.Pointer(&received)), uintptr(unsafe.Pointer(&got)),
			uintptr(unsafe.Pointer(&from.buf)), uintptr(unsafe.Pointer(&from.len)), 0, 0)
		_, err = result(r, 0, errno)
		msgFlags = int(got)
	} else {
		// With too little room, the kernel does not say how much data there is.
		room := make([]byte, max(len(oob), 1024))
		msg := windows.WSAMsg{
			Name: (*syscall.RawSockaddrAny)(unsafe.Pointer(&from.buf)), Namelen: int32(len(from.buf)),
			Buffers: unsafe.SliceData(bufs), BufferCount: uint32(len(bufs)), Flags: forKernel(flags),
			Control: windows.WSABuf{Len: uint32(len(room)), Buf: unsafe.SliceData(room)},
		}
		err = windows.WSARecvMsg(windows.Handle(fd), &msg, &received, nil, nil)
		from.len, msgFlags = uint32(msg.Namelen), int(msg.Flags)
		if oobn = copy(oob, room[:min(int(msg.Control.Len), len(room))]); oobn < int(msg.Control.Len) {
			msgFlags |= MSG_CTRUNC
		}
	}
	if err == windows.WSAEMSGSIZE { // something was cut off
		err = nil
		msgFlags |= MSG_TRUNC
		received = uint32(size(buffers))
	}
	return int(received), oobn, msgFlags &^ MSG_PEEK, err
}

func sendmsg(fd int, buffers [][]byte, oob []byte, flags int, to *sockaddr) (int, error) {
	bufs := vectors(buffers, maxSend)
	name, size := to.pointer()
	var sent uint32
	if len(oob) != 0 {
		msg := windows.WSAMsg{
			Name: (*syscall.RawSockaddrAny)(name), Namelen: size,
			Buffers: unsafe.SliceData(bufs), BufferCount: uint32(len(bufs)),
			Control: windows.WSABuf{Len: uint32(len(oob)), Buf: unsafe.SliceData(oob)},
		}
		err := windows.WSASendMsg(windows.Handle(fd), &msg, forKernel(flags), &sent, nil, nil)
		return int(sent), err
	}
	_, err := result(syscall.SyscallN(procWSASendTo.Addr(), uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(bufs))),
		uintptr(len(bufs)), uintptr(unsafe.Pointer(&sent)), uintptr(forKernel(flags)), uintptr(name), uintptr(size), 0, 0))
	return int(sent), err
}

// vectors returns up to so many bytes of buffers as a system call takes them: one at least.
func vectors(buffers [][]byte, most int) (bufs []windows.WSABuf) {
	if len(buffers) == 0 {
		return make([]windows.WSABuf, 1)
	}
	for _, p := range buffers {
		p = p[:min(len(p), most)]
		bufs = append(bufs, windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)})
		if most -= len(p); most == 0 {
			break
		}
	}
	return bufs
}

// checkInNoPort returns an error if a socket is in a completion port, where it stays for ever, as do all its duplicates.
func checkInNoPort(fd int) error {
	port, err := windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(port)
	if _, err := windows.CreateIoCompletionPort(windows.Handle(fd), port, 0, 0); err != nil {
		return fmt.Errorf("the socket is that of a net.Conn already: %w", err)
	}
	var none struct{ port, key uintptr }
	return windows.NtSetInformationFile(windows.Handle(fd), new(windows.IO_STATUS_BLOCK), (*byte)(unsafe.Pointer(&none)),
		uint32(unsafe.Sizeof(none)), windows.FileReplaceCompletionInformation)
}

// sendfile does not exist for non-blocking sockets.
func sendfile(int, syscall.RawConn, int64, int) (int, error) { return 0, errors.ErrUnsupported }

type cmsghdr windows.WSACMSGHDR

// SetLen sets the length of an item of ancillary data, its header included.
func (h *cmsghdr) SetLen(length int) { h.Len = uintptr(length) }

const sizeCmsghdr = int(unsafe.Sizeof(cmsghdr{}))

func cmsgLen(length int) int { return cmsgAlign(sizeCmsghdr) + length }

func cmsgSpace(length int) int { return cmsgAlign(sizeCmsghdr + cmsgAlign(length)) }

func cmsgAlign(n int) int {
	const size = int(unsafe.Sizeof(uintptr(0)))
	return (n + size - 1) &^ (size - 1)
}

// makePrivate has nothing to do: no descriptors come with a message.
func (ControlMessage) makePrivate() {}

// getsockopt returns how many bytes of value an option has.
func getsockopt(fd, level, option int, value []byte) (int, error) {
	size := int32(len(value))
	_, err := result(syscall.SyscallN(procGetsockopt.Addr(), uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(value))), uintptr(unsafe.Pointer(&size))))
	return int(size), err
}

func getsockoptInt(fd, level, option int) (int, error) {
	var value [4]byte // of which an option may fill the first only
	_, err := getsockopt(fd, level, option, value[:])
	return int(int32(binary.NativeEndian.Uint32(value[:]))), err
}

func getsockoptTimeout(fd, option int) (time.Duration, error) {
	milliseconds, err := getsockoptInt(fd, SOL_SOCKET, option)
	return time.Duration(milliseconds) * time.Millisecond, err
}

func setsockopt(fd, level, option int, value []byte) error {
	_, err := result(syscall.SyscallN(procSetsockopt.Addr(), uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(unsafe.SliceData(value))), uintptr(len(value))))
	return err
}

func setsockoptInt(fd, level, option, value int) error {
	return setsockopt(fd, level, option, binary.NativeEndian.AppendUint32(nil, uint32(value)))
}

func setLinger(fd int, on bool, seconds int) error {
	var l [4]byte
	if on {
		l[0] = 1
	}
	binary.NativeEndian.PutUint16(l[2:], uint16(seconds))
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, l[:])
}

// No socket has SO_RCVLOWAT, for which alone these two are asked.

func isShut(int) bool { return false }

func available(_, size int) (int, error) { return size, nil }

// result is that of a call of Winsock which returns an int.
func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	switch errno = failed(n, errno); errno {
	case 0:
		return int(int32(n)), nil
	case eAgain:
		return -1, errAgain
	}
	return -1, errno
}

// errAgain is eAgain, which would be allocated each time.
var errAgain error = eAgain

// failed returns the error number of a call, if it has failed. Otherwise the one that is set is an old one.
func failed(n uintptr, errno syscall.Errno) syscall.Errno {
	if int32(n) != -1 {
		return 0
	}
	return errno
}
