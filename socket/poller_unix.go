//go:build unix

package socket

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/wait"
)

// watched is what Go's own poller watches: a duplicate of the socket's descriptor.
type watched struct {
	file *os.File
	conn syscall.RawConn // of file
}

// A waiter waits for one direction, in Go's own poller. Only the goroutine that has the turn uses the fields that are not atomic.
type waiter struct {
	turn    wait.Turn
	call    call
	alarm   *wait.Alarm
	parking atomic.Pointer[parking]
	attempt func(fd uintptr) bool // makes the call, and says whether that is over
	err     error
}

// A parking is where a goroutine parks until a socket may be ready.
type parking struct {
	park        func(attempt func(fd uintptr) bool) error // attempts again whenever the socket may be ready
	setDeadline func(time.Time) error                     // of park
	close       func() error
}

func (p *poller) open(s *Socket) error {
	if err := sys.StartGoPoller(); err != nil {
		return err
	}
	fd, err := dup(p.fd)
	if err != nil {
		return err
	}
	file, conn, err := sys.InGoPoller(fd, "socket")
	if err != nil {
		return err
	}
	p.watched = watched{file, conn}
	p.read.prepare(s, parking{conn.Read, file.SetReadDeadline, file.Close})
	p.write.prepare(s, parking{conn.Write, file.SetWriteDeadline, file.Close})
	return nil
}

func (w *waiter) prepare(s *Socket, p parking) {
	w.alarm = wait.NewAlarm(w.kick)
	w.parking.Store(&p)
	w.attempt = func(fd uintptr) bool {
		w.err = w.call.attempt(s, int(fd))
		return w.err != w.call.op.inProgress
	}
}

// needsPauses reports whether wait would not end in time. Linux does not report when the receiving socket of a Unix address has room
// again, because the sending socket counts as writable all the time.
func (c *call) needsPauses(sys.Deadline) bool { return c.op.writes && c.addr.isUnix() }

func (w *waiter) park(p *poller, deadline sys.Deadline) error {
	if deadline.InBubble() {
		w.parking.Load().resetDeadline(deadline)
	} else {
		w.alarm.Set(deadline)
		defer w.alarm.Stop()
	}
	for {
		err := w.parking.Load().park(w.attempt)
		switch {
		case err == nil:
			return w.err
		case p.isClosed():
			return os.ErrClosed
		case err != os.ErrDeadlineExceeded: // which may be a kick
			if err := w.leaveGoPoller(p, err); err != nil {
				return err
			}
		}
		w.parking.Load().resetDeadline(deadline)
		if deadline.Left() == 0 {
			return os.ErrDeadlineExceeded
		}
	}
}

// resetDeadline takes back what a kick has set. In a bubble of testing/synctest it makes park end with the deadline, since the alarm does
// not go off there.
func (p *parking) resetDeadline(deadline sys.Deadline) {
	if deadline.InBubble() {
		p.setDeadline(time.Now().Add(deadline.Left()))
	} else {
		p.setDeadline(time.Time{})
	}
}

// kick lets the operations that wait try again, also if the socket does not become ready.
func (p *poller) kick() {
	p.read.kick()
	p.write.kick()
}

func (w *waiter) kick() { w.parking.Load().setDeadline(time.Unix(0, 0)) }

// retire ends the alarm, if nobody has the turn. Who has it does so later.
func (w *waiter) retire() {
	select {
	case w.turn <- struct{}{}:
		w.alarm.Close()
		w.turn.Leave()
	default:
	}
}

// close ends all waits. It waits until the system calls of the poller have returned, which is at once, unless somebody else has made the
// descriptor blocking.
func (p *poller) close() {
	close(p.closed)
	if p.isNonblocking() {
		p.closeFiles()
	} else {
		go p.closeFiles()
	}
}

func (p *poller) closeFiles() {
	p.read.parking.Load().close() // which has left Go's poller, perhaps
	p.file.Close()
	p.read.retire()
	p.write.retire()
}

func (p *poller) isNonblocking() (yes bool) {
	p.conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		yes = err == nil && flags&unix.O_NONBLOCK != 0
	})
	return yes
}
