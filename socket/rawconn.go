//go:build unix || windows

package socket

import (
	"syscall"

	"github.com/pyselect/pyselect/internal/sys"
)

// SyscallConn returns a RawConn, whose Control calls a function with the descriptor. The descriptor keeps its meaning until the function
// returns, also if the Socket is closed or becomes unreachable meanwhile. Read and Write call the function until it returns true, and
// wait in between as Recv and Send do; the function must not call Close then. It implements [syscall.Conn].
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	if err := s.answer("socket.syscallconn", nil); err != nil {
		return nil, err
	}
	return rawConn{s}, nil
}

var (
	rawReadOp  = newOperation(operation{name: "socket.read", inProgress: eAgain})
	rawWriteOp = newOperation(operation{name: "socket.write", writes: true, inProgress: eAgain})
)

type rawConn struct{ s *Socket }

func (c rawConn) Control(f func(fd uintptr)) error {
	return c.s.control("socket.control", func(fd int) error {
		f(uintptr(fd))
		return nil
	})
}

func (c rawConn) Read(f func(fd uintptr) (done bool)) error { return c.s.do(untilDone(rawReadOp, f)) }

func (c rawConn) Write(f func(fd uintptr) (done bool)) error { return c.s.do(untilDone(rawWriteOp, f)) }

// Await is Read or Write until a deadline that is not the Socket's timeout. It is for package ssl.
func (c rawConn) Await(write bool, deadline sys.Deadline, f func(fd uintptr) (done bool)) error {
	o := rawReadOp
	if write {
		o = rawWriteOp
	}
	return c.s.wait(untilDone(o, f), deadline)
}

// Kick lets what waits in Await, Read and Write call its function again. It is for package ssl.
func (c rawConn) Kick() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if p := c.s.poller; p != nil {
		p.kick()
	}
}

func untilDone(o *operation, f func(fd uintptr) (done bool)) *call {
	return &call{op: o, f: func(fd int) (int, error) {
		if !f(uintptr(fd)) {
			return 0, eAgain
		}
		return 0, nil
	}}
}
