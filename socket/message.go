//go:build unix || windows

package socket

import (
	"bytes"
	"net"
	"unsafe"
)

var (
	recvmsgOp = newOperation(operation{name: "socket.recvmsg", receives: true, inProgress: eAgain})
	sendmsgOp = newOperation(operation{name: "socket.sendmsg", writes: true, inProgress: eAgain})
)

// A ControlMessage is an item of ancillary data: Python's tuple (cmsg_level, cmsg_type, cmsg_data).
type ControlMessage struct {
	Level, Type int
	Data        []byte
}

// CMSG_LEN returns how long an item of ancillary data is that has length bytes of data, without the padding after it. It mirrors
// socket.CMSG_LEN.
func CMSG_LEN(length int) int { return cmsgLen(length) }

// CMSG_SPACE returns how much room an item of ancillary data needs that has length bytes of data. It mirrors socket.CMSG_SPACE.
func CMSG_SPACE(length int) int { return cmsgSpace(length) }

// Recvmsg is Recvfrom into several buffers, which are filled one after the other. It also receives up to ancbufsize bytes of ancillary
// data; CMSG_SPACE says how many an item needs. The flags that are returned may have MSG_TRUNC, if a datagram was longer than the buffers,
// and MSG_CTRUNC, if there was more ancillary data. It mirrors socket.recvmsg_into.
//
// Descriptors that come with SCM_RIGHTS are close-on-exec, and the caller's. What there is no room for is lost.
func (s *Socket) Recvmsg(buffers [][]byte, ancbufsize int, flags ...int) (
	n int, ancdata []ControlMessage, msgFlags int, from net.Addr, err error,
) {
	if ancbufsize < 0 {
		return 0, nil, 0, nil, s.answer(recvmsgOp.name, invalid("ancbufsize %d", ancbufsize))
	}
	var addr sockaddr
	c := call{op: recvmsgOp, flags: union(flags)}
	more, left := s.waitsForMore(c.flags), size(buffers)
	least := s.enough(left, c.flags)
	spare := left == 0 && s.needsRoom()
	if spare {
		buffers = [][]byte{make([]byte, 1)}
	}
	c.f = func(fd int) (int, error) {
		if more {
			if err := s.hasEnough(fd, left, c.flags); err != nil {
				return 0, err
			}
		}
		var oob []byte
		if s.kind.typ != SOCK_STREAM || streamsHaveAncillary {
			oob = make([]byte, ancbufsize)
		}
		n, oobn, got, err := recvmsg(fd, buffers, oob, c.flags, &addr)
		if err == nil {
			ancdata, msgFlags = parse(oob[:oobn]), got
		}
		if spare && n == 1 {
			n, msgFlags = 0, msgFlags|MSG_TRUNC
		}
		return n, err
	}
	err = s.whole(&c, func() bool {
		if n += c.n; c.n == 0 || !more || n >= least || c.flags&MSG_PEEK != 0 || ancdata != nil || msgFlags&MSG_CTRUNC != 0 {
			return false
		}
		left -= c.n
		buffers = rest(buffers, c.n)
		return true
	})
	if err != nil {
		return n, nil, 0, nil, err
	}
	return n, ancdata, msgFlags, s.senders.addr(&addr), nil
}

// parse takes ancillary data apart. The last item may have been cut.
func parse(oob []byte) (items []ControlMessage) {
	for len(oob) >= cmsgLen(0) {
		h := (*cmsghdr)(unsafe.Pointer(unsafe.SliceData(oob)))
		end := min(int(h.Len), len(oob))
		if end < cmsgLen(0) {
			break
		}
		m := ControlMessage{int(h.Level), int(h.Type), bytes.Clone(oob[cmsgLen(0):end])}
		m.makePrivate()
		items = append(items, m)
		oob = oob[min(cmsgSpace(len(m.Data)), len(oob)):]
	}
	return items
}

// Sendmsg is Send from several buffers, one after the other, with ancillary data, and to an address unless that is nil. A blocking stream
// sends all; the ancillary data goes with the first part. It mirrors socket.sendmsg.
//
// The error is os.ErrInvalid if addr is no valid address, or that of Send.
func (s *Socket) Sendmsg(buffers [][]byte, ancdata []ControlMessage, addr net.Addr, flags ...int) (n int, err error) {
	c := call{op: sendmsgOp, flags: union(flags)}
	if addr != nil {
		if c.addr, err = s.sockaddr(addr); err != nil {
			return 0, s.answer(sendmsgOp.name, err)
		}
	}
	if c.flags&msgFastopen != 0 && len(ancdata) == 0 {
		return s.fastopen(&c, bytes.Join(buffers, nil))
	}
	oob, to := marshal(ancdata), c.addr
	c.f = func(fd int) (int, error) { return sendmsg(fd, buffers, oob, c.flags, &to) }
	all := size(buffers)
	err = s.whole(&c, func() bool {
		if n += c.n; n >= all || !s.sendsAll(&c) {
			return false
		}
		buffers, oob = rest(buffers, c.n), nil
		return true
	})
	return n, err
}

func marshal(ancdata []ControlMessage) []byte {
	size := 0
	for _, m := range ancdata {
		size += cmsgSpace(len(m.Data))
	}
	oob := make([]byte, size)
	item := oob
	for _, m := range ancdata {
		h := (*cmsghdr)(unsafe.Pointer(unsafe.SliceData(item)))
		h.Level, h.Type = int32(m.Level), int32(m.Type)
		h.SetLen(cmsgLen(len(m.Data)))
		copy(item[cmsgLen(0):], m.Data)
		item = item[cmsgSpace(len(m.Data)):]
	}
	return oob
}

func size(buffers [][]byte) (n int) {
	for _, p := range buffers {
		n += len(p)
	}
	return n
}

// rest returns what is left of buffers after n bytes.
func rest(buffers [][]byte, n int) [][]byte {
	for n >= len(buffers[0]) {
		n -= len(buffers[0])
		buffers = buffers[1:]
	}
	return append([][]byte{buffers[0][n:]}, buffers[1:]...)
}
