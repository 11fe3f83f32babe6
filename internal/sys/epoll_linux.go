package sys

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An Epoll is an epoll descriptor and the means to wait for it without a thread.
//
// The descriptor of an epoll is itself pollable, by Go's own epoll too: Block parks the goroutine there. What ends it
// early is the read deadline of the os.File around it, set to the past: by Kick, by Close, and by an Alarm at the deadline.
// A goroutine that comes back looks for itself what the matter is.
//
// The owner locks: all methods but Block are called with the owner's lock held, and Arm and Block by one goroutine at a
// time. Kick and Close may come between Arm and Block; then Block returns at once.
type Epoll struct {
	fd      int
	cleanup runtime.Cleanup // closes fd if file does not

	file     *os.File // owns fd from the first Arm on
	conn     syscall.RawConn
	parks    bool // Go's poller has taken the descriptor
	ready    func(fd uintptr) bool
	looks    int      // of this Block
	err      error    // what these have failed with
	deadline Deadline // of file: Now if it may have passed, Never if there is none
	last     bool     // this Block is the last stretch before its deadline, which is the alarm's
	alarm    Alarm

	// Where Go's poller has refused the descriptor, because it is nested too deep or is there already under the same
	// number, Block sleeps in ppoll. That this is so shows at the first Arm: it opens the waker's descriptor, which does no
	// harm, because an epoll does not confuse descriptors that have the same number one after the other.
	waker *Waker
}

// ForbidParking makes every Epoll wait as if Go's poller refused it. For tests.
var ForbidParking atomic.Bool

// NewEpoll wraps epoll_create1(2).
func NewEpoll() (*Epoll, error) {
	if err := StartGoPoller(); err != nil {
		return nil, err
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return EpollFromFd(fd), nil
}

// EpollFromFd returns an Epoll that owns fd: it is closed by Close or when the Epoll is unreachable.
func EpollFromFd(fd int) *Epoll {
	e := &Epoll{fd: fd, deadline: Never}
	e.cleanup = runtime.AddCleanup(e, func(fd int) { unix.Close(fd) }, fd)
	return e
}

// Fd returns the descriptor.
func (e *Epoll) Fd() int { return e.fd }

// Close closes the descriptor and ends a Block. It returns when nobody uses the number any more.
func (e *Epoll) Close() error {
	e.cleanup.Stop()
	if e.file == nil {
		return os.NewSyscallError("close", unix.Close(e.fd))
	}
	if e.waker != nil {
		e.waker.Close()
	}
	return e.file.Close()
}

// Ctl wraps epoll_ctl(2). The tag comes back with each event of the descriptor.
func (e *Epoll) Ctl(op, fd int, events, tag uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(tag)}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(e.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}

// Look wraps epoll_pwait(2) with a timeout of zero: it fetches events and does not wait for them.
func (e *Epoll) Look(events []unix.EpollEvent) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, os.NewSyscallError("epoll_pwait", errno)
		}
	}
}

// Arm prepares a Block: from now on a Kick ends it.
func (e *Epoll) Arm(deadline Deadline) error {
	if e.file == nil {
		if err := e.open(); err != nil {
			return err
		}
	}
	if !e.parks {
		return e.makeWaker()
	}
	// A deadline that is set already and comes sooner may stay: it costs one look in vain, but spares the waits before it
	// the clock and a call each.
	coarse := deadline.Before(Lead)
	e.last = false
	if e.deadline != Now && e.deadline <= coarse {
		return nil
	}
	left := coarse.Left()
	if left == 0 {
		e.last = true
		if e.deadline != Now {
			return nil
		}
		coarse = Never
	}
	e.deadline = coarse
	if coarse == Never {
		return e.file.SetReadDeadline(time.Time{})
	}
	return e.file.SetReadDeadline(time.Now().Add(left))
}

// open hands the descriptor to Go's poller.
func (e *Epoll) open() error {
	if err := StartGoPoller(); err != nil {
		return err
	}
	if !ForbidParking.Load() {
		if err := unix.SetNonblock(e.fd, true); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
	}
	e.file = os.NewFile(uintptr(e.fd), "epoll")
	e.cleanup.Stop()
	e.parks = e.file.SetReadDeadline(time.Time{}) == nil
	e.ready = e.look
	e.alarm.wake = e.Kick
	var err error
	e.conn, err = e.file.SyscallConn()
	return err
}

func (e *Epoll) makeWaker() (err error) {
	if e.waker == nil {
		e.waker, err = NewWaker()
	}
	return err
}

// Block waits until there may be events, the deadline has passed, or Kick or Close is called. It may also return for no
// reason. It reports whether it slept, or may have.
func (e *Epoll) Block(deadline Deadline) (slept bool, err error) {
	if !e.parks {
		return true, e.blockThread(deadline)
	}
	if e.last {
		e.alarm.Set(deadline)
		defer e.alarm.Stop()
	}
	e.looks, e.err = 0, nil
	ended := e.conn.Read(e.ready) != nil
	if ended {
		e.deadline = Now
	}
	return ended || e.looks > 1, e.err
}

// look is called when Go's poller has been prepared for a wait, and again when that wait is over.
func (e *Epoll) look(fd uintptr) bool {
	e.looks++
	if e.looks > 1 {
		return true
	}
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	var n int
	n, e.err = Poll(fds[:], Now)
	return n > 0 || e.err != nil
}

func (e *Epoll) blockThread(deadline Deadline) error {
	if !e.waker.Enter() {
		return nil
	}
	defer e.waker.Leave()
	fds := [2]unix.PollFd{
		{Fd: int32(e.fd), Events: unix.POLLIN},
		{Fd: int32(e.waker.Fd()), Events: unix.POLLIN},
	}
	n, err := Poll(fds[:], deadline)
	if n > 0 && fds[1].Revents != 0 {
		e.waker.Drain()
	}
	return err
}

// Kick ends a Block.
func (e *Epoll) Kick() {
	switch {
	case e.waker != nil:
		e.waker.Wake()
	case e.parks:
		e.file.SetReadDeadline(time.Unix(0, 0))
	}
}
