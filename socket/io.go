//go:build unix || windows

package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"

	"github.com/pyselect/pyselect/internal/sys"
)

var (
	recvOp     = newOperation(operation{name: "socket.recv", receives: true, inProgress: eAgain})
	recvfromOp = newOperation(operation{name: "socket.recvfrom", receives: true, inProgress: eAgain})
	sendOp     = newOperation(operation{name: "socket.send", writes: true, inProgress: eAgain})
	sendtoOp   = newOperation(operation{name: "socket.sendto", writes: true, inProgress: eAgain})
	sendfileOp = newOperation(operation{name: "socket.sendfile", writes: true, inProgress: eAgain})
)

const onLinux = runtime.GOOS == "linux"

func union(flags []int) (all int) {
	for _, flag := range flags {
		all |= flag
	}
	return all
}

// part returns what is not too much for one call: some systems refuse 2 GB and more.
func part(p []byte) []byte { return p[:min(len(p), maxPart)] }

const maxPart = 1 << 30

func sendPart(p []byte) []byte { return p[:min(len(p), maxSend)] }

// Recv receives up to len(p) bytes, or one datagram, of which it drops what does not fit. Zero bytes of a stream mean that
// the peer has shut it down, without an error, as in Python. With MSG_TRUNC, n may be the length of the whole datagram, more than
// len(p). If p is empty, Recv does nothing. It does not allocate. It mirrors socket.recv_into.
//
// A blocking socket waits for all of p with MSG_WAITALL, and for as much as SO_RCVLOWAT says if Setsockopt has set it. (With MSG_PEEK, it
// does so on Linux only; Windows does not have SO_RCVLOWAT.) If a part was received before an error, n says how much.
//
// The error is ErrWouldBlock if there is nothing to receive and the socket is non-blocking, the flags have MSG_DONTWAIT or
// MSG_ERRQUEUE, or the time that the option SO_RCVTIMEO of a blocking socket says is over. On Windows it is, as in Python,
// ErrMessageTooLong for a datagram that does not fit into p, of which p has the beginning then, ErrConnectionReset after a datagram was sent
// to where nobody receives, and ErrBrokenPipe after a Shutdown of this side.
func (s *Socket) Recv(p []byte, flags ...int) (n int, err error) {
	if len(p) == 0 {
		return 0, s.answer(recvOp.name, nil)
	}
	c := call{op: recvOp, p: part(p), flags: union(flags)}
	if s.waitsForMore(c.flags) {
		return s.receiveEnough(c)
	}
	err = s.do(&c)
	return c.n, err
}

// Recvfrom is Recv that also returns the sender, which is nil if the kernel does not say it, as with streams, and that
// takes a datagram away even if p is empty. It mirrors socket.recvfrom_into.
//
// On Linux and Windows it does not allocate if the sender is that of the last datagram.
func (s *Socket) Recvfrom(p []byte, flags ...int) (n int, from net.Addr, err error) {
	c := call{op: recvfromOp, p: part(p), flags: union(flags), named: true}
	spare := len(p) == 0 && s.needsRoom()
	if spare {
		c.p = make([]byte, 1)
	}
	if s.waitsForMore(c.flags) {
		n, err = s.receiveEnough(c)
		return n, nil, err
	}
	if err = s.do(&c); err != nil && !(spare && errno(err) == eMsgSize) {
		return 0, nil, err
	}
	if c.flags&MSG_TRUNC == 0 {
		c.n = min(c.n, len(p))
	}
	return c.n, s.senders.addr(&c.addr), nil
}

// needsRoom reports whether the kernel does not wait for a datagram if there is no room at all for it.
func (s *Socket) needsRoom() bool { return !onLinux && s.kind.typ != SOCK_STREAM }

// waitsForMore reports whether a receiving operation waits for more than one byte, as the kernel does if the descriptor is blocking.
func (s *Socket) waitsForMore(flags int) bool {
	return s.kind.typ == SOCK_STREAM && (flags&MSG_WAITALL != 0 || s.lowat.Load() > 1) &&
		flags&(MSG_DONTWAIT|MSG_OOB|msgErrqueue) == 0 && s.isBlocking()
}

// receiveEnough performs an operation until p is full, if the flags have MSG_WAITALL, or has as much as SO_RCVLOWAT demands.
func (s *Socket) receiveEnough(c call) (n int, err error) {
	p := c.p
	c.f = func(fd int) (int, error) {
		rest := p[n:]
		if err := s.hasEnough(fd, len(rest), c.flags); err != nil {
			return 0, err
		}
		return recvfrom(fd, rest, c.flags, new(sockaddr))
	}
	err = s.whole(&c, func() bool {
		n += c.n
		return c.n > 0 && n < s.enough(len(p), c.flags) && c.flags&MSG_PEEK == 0
	})
	return n, err
}

// enough returns how many of size bytes an operation of a blocking stream waits for.
func (s *Socket) enough(size, flags int) int {
	if flags&MSG_WAITALL != 0 {
		return size
	}
	return min(size, int(s.lowat.Load()))
}

// hasEnough returns eAgain until there is as much as an operation waits for that asks for size bytes, or no more can come. A socket
// is not readable before there is as much as SO_RCVLOWAT demands, so that less must not be taken.
func (s *Socket) hasEnough(fd, size, flags int) error {
	least := min(size, int(s.lowat.Load()))
	switch {
	case flags&MSG_PEEK != 0 && onLinux: // other systems do not say whether more can come
		least = s.enough(size, flags)
	case onLinux && s.kind.family == AF_UNIX: // is readable when there is anything
		least = 0
	}
	if least <= 1 {
		return nil
	}
	n, err := available(fd, least)
	if 0 < n && n < least && !isShut(fd) {
		return eAgain
	}
	return err
}

// Send sends p, or one datagram, and returns how many bytes that were. A blocking socket waits until all of p is sent. One that is
// non-blocking or has a timeout, or with MSG_DONTWAIT among the flags, sends as many bytes as possible at once, which may be less.
// Send does not allocate. It mirrors socket.send.
//
// The error is ErrWouldBlock if nothing can be sent now and the socket is non-blocking, the flags have MSG_DONTWAIT or the time that the
// option SO_SNDTIMEO of a blocking socket says is over, and ErrBrokenPipe if the peer is gone. If a part of p was sent before the error,
// n says how much. What two goroutines send at the same time may be mixed if it does not fit at once.
func (s *Socket) Send(p []byte, flags ...int) (n int, err error) {
	c := call{op: sendOp, flags: union(flags)}
	return s.send(&c, p, 0)
}

// Sendto is Send to an address, of a datagram. With MSG_FASTOPEN, where the system has it, it connects a stream and sends. It mirrors
// socket.sendto.
//
// The error is os.ErrInvalid if addr is no valid address, or that of Send.
func (s *Socket) Sendto(p []byte, addr net.Addr, flags ...int) (n int, err error) {
	c := call{op: sendtoOp, flags: union(flags)}
	if c.addr, err = s.sockaddr(addr); err != nil {
		return 0, s.answer(sendtoOp.name, err)
	}
	if c.flags&msgFastopen != 0 {
		return s.fastopen(&c, p)
	}
	return s.send(&c, p, 0)
}

// send performs an operation that sends p, of which a part was sent already. If the socket is blocking, it sends all of p.
func (s *Socket) send(c *call, p []byte, sent int) (int, error) {
	c.p = sendPart(p[sent:])
	err := s.whole(c, func() bool {
		sent += c.n
		c.p = sendPart(p[sent:])
		return len(c.p) > 0 && s.sendsAll(c)
	})
	return sent, err
}

func (s *Socket) sendsAll(c *call) bool { return c.flags&MSG_DONTWAIT == 0 && s.isBlocking() }

// fastopen connects and sends p, if possible with the first packet. Otherwise p is sent when the socket is connected.
func (s *Socket) fastopen(c *call, p []byte) (int, error) {
	c.p = sendPart(p)
	err := s.try(c)
	waits := c.flags&MSG_DONTWAIT == 0 && s.Getblocking()
	switch {
	case err != nil && !(waits && errors.Is(err, ErrInProgress)):
		return 0, err
	case err == nil && (c.n == len(p) || !s.sendsAll(c)):
		return c.n, nil
	}
	c.flags, c.addr = c.flags&^msgFastopen, sockaddr{}
	return s.send(c, p, c.n)
}

// Sendall sends all of p, and waits as often as that needs; the timeout is for all of it. After an error, also of a
// non-blocking socket, it is unknown how much of p was sent. It mirrors socket.sendall.
//
// The error is that of Send.
func (s *Socket) Sendall(p []byte, flags ...int) error {
	_, err := s.sendall(p, union(flags))
	return err
}

func (s *Socket) sendall(p []byte, flags int) (sent int, err error) {
	deadline := s.deadline()
	c := call{op: sendOp, flags: flags}
	for {
		c.p = sendPart(p[sent:])
		err = s.try(&c)
		if err != nil && err == sendOp.wouldBlock {
			err = s.wait(&c, deadline)
		}
		if sent += c.n; err != nil || sent >= len(p) {
			return sent, err
		}
		if deadline != sys.Now && deadline.Left() == 0 {
			return sent, s.answer(sendOp.name, os.ErrDeadlineExceeded)
		}
	}
}

// Read is Recv as an io.Reader has it: the end of a stream is io.EOF.
func (s *Socket) Read(p []byte) (n int, err error) {
	n, err = s.Recv(p)
	if n == 0 && err == nil && len(p) > 0 && s.kind.typ != SOCK_DGRAM && s.kind.typ != SOCK_RAW {
		err = io.EOF
	}
	return n, err
}

// Write is Sendall as an io.Writer has it: n says how much was sent before an error.
func (s *Socket) Write(p []byte) (n int, err error) { return s.sendall(p, 0) }

// Sendfile sends up to count bytes of a regular file from an offset on, or all up to its end if count is negative, and returns how many
// bytes that were. It waits, or sends a part, as Send does. It uses sendfile(2) where the system has it for the file, and reads and sends
// otherwise. The position of the file does not matter, and stays. It mirrors socket.sendfile.
//
// The error is that of Send, that of reading the file, os.ErrInvalid if the file is nil or the offset negative, or os.ErrClosed if the
// file is closed.
func (s *Socket) Sendfile(file *os.File, offset, count int64) (sent int64, err error) {
	raw, err := file.SyscallConn()
	if err == nil && offset < 0 {
		err = invalid("offset %d", offset)
	}
	if err != nil || count == 0 {
		return 0, s.answer(sendfileOp.name, err)
	}
	c := call{op: sendfileOp, f: func(fd int) (int, error) {
		size := int64(maxPart)
		if count >= 0 {
			size = min(size, count-sent)
		}
		n, err := sendfile(fd, raw, offset+sent, int(size))
		if err == errors.ErrUnsupported {
			n, err = readAndSend(fd, file, offset+sent, int(size))
		}
		return n, err
	}}
	err = s.whole(&c, func() bool {
		sent += int64(c.n)
		return c.n > 0 && sent != count && s.sendsAll(&c)
	})
	return sent, err
}

func readAndSend(fd int, file *os.File, offset int64, size int) (int, error) {
	buf := make([]byte, min(size, 1<<16))
	n, err := file.ReadAt(buf, offset)
	if n == 0 {
		if err == io.EOF {
			err = nil
		}
		return 0, err
	}
	return send(fd, buf[:n], 0, &sockaddr{})
}
