// Package socket is the part of Python's socket module that programs written on select and selectors need: sockets that
// accept, connect, receive and send at once or say that they would block. It exists on Unix systems and on Windows.
//
// # Blocking
//
// A [Socket] is blocking, non-blocking or has a timeout, as in Python, and begins as blocking:
//
//	sock.Setblocking(false)     an operation returns at once, if need be with an error that is ErrWouldBlock
//	sock.Setblocking(true)      an operation waits until it is possible
//	sock.Settimeout(timeout)    an operation waits no longer than that: its error is os.ErrDeadlineExceeded then
//
// An operation that waits parks its goroutine, as one of a net.Conn does, and occupies no thread. Whatever the mode is, an
// operation first asks the kernel, and what is possible at once costs the system call alone. A timeout ends as exactly as the kernel's
// timers do.
//
// What a blocking descriptor does in the kernel, a blocking Socket does too: [Socket.Send] sends all, and SO_RCVTIMEO, SO_SNDTIMEO,
// SO_RCVLOWAT and MSG_WAITALL hold.
//
// # Descriptors
//
// The descriptor of a Socket is what [Socket.Fileno] returns, so that a Socket can be given to every selector. It is
// close-on-exec, and non-blocking in the kernel whatever the Socket is, and should stay so. The kernel's mode is that of all
// duplicates of a descriptor together, also of the one that a Socket was made from. If somebody makes it blocking, operations that wait
// occupy threads, and their timeouts do not hold; Close does not wait for them.
//
// For system calls that this package does not have, use [Socket.SyscallConn]. To give a socket to a child process, whose standard
// input must be blocking, call [Socket.Detach], unix.SetNonblock(fd, false) and os.NewFile.
//
// Before an operation has to wait for the first time, the Socket makes a duplicate of its descriptor, which Go's own
// poller watches; Close and Detach close that too. A Socket that is used with a selector, without waiting itself, has none.
// So a socket that has waited costs two descriptors, and on Linux one that has waited and has had something in its error queue three.
// An operation that cannot have them, because there are no more, tries again and again instead, every 50 ms after a while.
//
// # Windows
//
// The descriptor is a handle of Winsock, which programs that are started do not inherit. There is no duplicate: an operation that waits
// lets \Device\Afd, the driver beneath Winsock, say when the socket is ready, through one more handle for each direction and one thread for
// all. Errors are those of Winsock, like windows.WSAECONNREFUSED; those below are the same on all systems. Socketpair makes a TCP connection
// on loopback, which nobody else can have got hold of. There is no SO_REUSEPORT, and CreateServer does not set SO_REUSEADDR, which would let
// other programs take the address. Ancillary data comes and goes with datagrams only, and cannot be descriptors.
//
// # Addresses
//
// Addresses are [net.Addr]. A Socket returns an [InetAddr], a [UnixAddr] or a [RawAddr], which can be compared with ==. It takes
// these, a [HostPort], whose names are resolved by package net, and the addresses of package net: *net.TCPAddr, *net.UDPAddr,
// *net.IPAddr and *net.UnixAddr.
//
// # Errors
//
// The error of an operation is a [*pyselect.OpError]: it names the operation and the descriptor, and says whether a time limit has
// passed. An error that is ErrWouldBlock is the same each time, to cost no allocation, and usually names no descriptor. Use
// [errors.Is] to tell errors apart, and the error numbers of package unix or windows for what has no name here:
//
//	Python                                     here
//	OSError with an errno                      ErrConnectionRefused, ErrBrokenPipe, ..., EPERM, ...
//	BlockingIOError                            ErrWouldBlock, and EAGAIN, EINPROGRESS or EALREADY
//	TimeoutError of a socket with a timeout    os.ErrDeadlineExceeded
//	OSError EBADF: it is closed                os.ErrClosed
//	ValueError, TypeError: a bad argument      os.ErrInvalid
//
// A system call that a signal interrupts is repeated. To send to a peer that is gone is ErrBrokenPipe, or over TCP ErrConnectionReset or
// ErrConnectionAborted; the signal SIGPIPE that comes with it does not end a Go program, whatever the number of the descriptor is.
package socket
