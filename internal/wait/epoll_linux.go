package wait

import (
	"errors"
	"iter"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
)

// An Epoll is an epoll descriptor and the waits for it. Its methods are called with the lock held.
type Epoll struct {
	Waits
	fd        *epollFd
	unsteady  map[int]struct{} // descriptors that a thread has to wait for: they are not steady, or for EPOLLEXCLUSIVE
	foreign   bool             // nobody knows what it watches
	slow      bool             // a look may sleep
	refused   bool             // Go's poller does not take it
	Bound     int              // on the events that can be ready, as far as is known
	crowded   bool             // the last look has found more than sys.Few
	PauseNext bool             // the set reports what cannot be removed: the next block is a pause
	looked    []unix.EpollEvent

	// Of the block that is on.
	armed *epollFd
	found []unix.EpollEvent
	brief bool
	tries int
	n     int
	err   error
	try   func(fd uintptr) bool
	alarm Alarm
}

// An epollFd is one descriptor of an Epoll, which has another one after a Rebuild.
type epollFd struct {
	number  int
	cleanup runtime.Cleanup

	// A duplicate in Go's own poller: the descriptor of an epoll is itself pollable. What ends the wait for it early is its read
	// deadline, set to the past.
	file   *os.File
	conn   syscall.RawConn
	closed bool // the file is
	past   atomic.Bool

	waker *sys.Waker // in the set, for a thread that waits
}

// NewEpoll returns an Epoll with a new descriptor.
func NewEpoll() (*Epoll, error) {
	if err := sys.StartGoPoller(); err != nil {
		return nil, err
	}
	fd, err := newEpollFd()
	if err != nil {
		return nil, err
	}
	return wrapEpoll(fd, 16, false), nil
}

// EpollFromFd returns an Epoll that owns fd.
func EpollFromFd(fd int) *Epoll { return wrapEpoll(ownEpollFd(fd), 1<<16, true) }

func wrapEpoll(fd *epollFd, bound int, foreign bool) *Epoll {
	e := &Epoll{fd: fd, Bound: bound, foreign: foreign}
	e.LookFirst = true
	e.try = func(uintptr) bool {
		e.tries++
		e.n, e.err = e.armed.look(e.found, e.brief, false)
		return e.n > 0 || e.err != nil || e.tries > 1
	}
	e.alarm.fire = e.endPark
	e.Init(e)
	return e
}

func newEpollFd() (*epollFd, error) {
	fd, err := sys.EpollCreate()
	if err != nil {
		return nil, err
	}
	return ownEpollFd(fd), nil
}

// ownEpollFd returns an epollFd that owns fd. fd is closed when the epollFd is closed or becomes unreachable.
func ownEpollFd(fd int) *epollFd {
	f := &epollFd{number: fd}
	f.cleanup = runtime.AddCleanup(f, func(fd int) { unix.Close(fd) }, fd)
	return f
}

func (f *epollFd) close() error {
	f.unpark()
	if f.waker != nil {
		f.waker.Close()
	}
	f.cleanup.Stop()
	return unix.Close(f.number)
}

// Fd returns the descriptor.
func (e *Epoll) Fd() int { return e.fd.number }

// Release closes the descriptor. Waits.Close calls it.
func (e *Epoll) Release() error {
	e.alarm.Close()
	return e.fd.close()
}

// Add adds the descriptor of obj. The tag comes back with its events.
func (e *Epoll) Add(fd int, obj any, events, tag uint32) error {
	steady, brief := true, true
	if !isSocket(obj) {
		steady, brief = sys.Steady(fd)
	}
	if steady = steady && events&unix.EPOLLEXCLUSIVE == 0; !steady { // nobody else may ask for it, from the beginning
		e.fd.unpark()
		if e.way == Together {
			theCrowd.leave(e.ticket)
		}
	}
	err := e.control(unix.EPOLL_CTL_ADD, fd, events, tag)
	if (errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EINVAL)) && e.fd.unpark() {
		// Go's poller adds one level of epolls above this one, and the kernel limits the number of levels.
		e.refused = true
		err = e.control(unix.EPOLL_CTL_ADD, fd, events, tag)
	}
	switch {
	case err != nil:
	case steady:
		delete(e.unsteady, fd) // an unsteady descriptor that was closed may have had this number
	default:
		if e.unsteady == nil {
			e.unsteady = make(map[int]struct{})
		}
		e.unsteady[fd] = struct{}{}
	}
	e.slow = e.slow || !brief
	if !steady && e.way != InKernel {
		e.Kick()
	}
	return err
}

// isSocket reports whether an object is one for sure, which are steady.
func isSocket(obj any) bool {
	switch obj.(type) {
	case *net.TCPConn, *net.UDPConn, *net.IPConn, *net.UnixConn, *net.TCPListener, *net.UnixListener:
		return true
	case interface {
		Getsockopt(level, opt int) (int, error)
	}:
		return true
	}
	return false
}

// Modify changes the events of a descriptor.
func (e *Epoll) Modify(fd int, events, tag uint32) error {
	return e.control(unix.EPOLL_CTL_MOD, fd, events, tag)
}

// Remove removes a descriptor.
func (e *Epoll) Remove(fd int) error {
	err := e.control(unix.EPOLL_CTL_DEL, fd, 0, 0)
	if err == nil || errors.Is(err, unix.EBADF) || errors.Is(err, unix.ENOENT) {
		delete(e.unsteady, fd)
	}
	return err
}

func (e *Epoll) control(op, fd int, events, tag uint32) error {
	if w := e.fd.waker; w != nil && fd == w.Fd() {
		return unix.EBADF // the caller's descriptor was closed, and the waker has its number now
	}
	return sys.EpollCtl(e.fd.number, op, fd, events, tag, e.isBrief())
}

// Rebuild replaces the descriptor by one with an empty set, and moves all that is still in the old one.
func (e *Epoll) Rebuild(all iter.Seq2[int, [2]uint32]) error {
	fresh, err := newEpollFd()
	if err != nil {
		return err
	}
	for fd, v := range all {
		// A descriptor that has left the set by being closed must not come back as something else.
		if e.Modify(fd, v[0], v[1]) != nil {
			continue
		}
		if err := sys.EpollCtl(fresh.number, unix.EPOLL_CTL_ADD, fd, v[0], v[1], false); err != nil {
			fresh.close()
			return err
		}
	}
	old := e.fd
	e.fd = fresh
	if e.way == nowhere || e.armed != old {
		old.close()
	} else {
		e.Kick() // Disarm will close it
	}
	return nil
}

// Found returns what the last Look has found, or the last block.
func (e *Epoll) Found(n int, blocked bool) []unix.EpollEvent {
	if blocked {
		return e.found[:n]
	}
	return e.looked[:n]
}

// Look implements Set.
func (e *Epoll) Look(room int) (int, error) {
	e.looked = resize(e.looked, min(room, e.Bound))
	n, err := e.fd.look(e.looked, e.isBrief(), !e.crowded)
	e.crowded = n > sys.Few
	return n, err
}

// Watch implements Set.
func (e *Epoll) Watch() bool { return e.fd.watch() }

// Arm implements Set.
func (e *Epoll) Arm(room int) {
	e.armed, e.found = e.fd, resize(e.found, min(room, e.Bound))
	e.tries, e.brief = 0, e.isBrief()
}

func resize(events []unix.EpollEvent, n int) []unix.EpollEvent {
	if n > cap(events) {
		return make([]unix.EpollEvent, n)
	}
	return events[:n]
}

// Sleep implements Set.
func (e *Epoll) Sleep(deadline sys.Deadline) (int, error) {
	n, err := sys.EpollWait(e.armed.number, e.found, deadline)
	return withoutWaker(e.found[:n]), err
}

// Wake implements Set.
func (e *Epoll) Wake() { e.armed.waker.Wake() }

// Disarm implements Set.
func (e *Epoll) Disarm(woken bool) {
	if woken {
		e.armed.waker.Drain()
	}
	e.PauseNext = false
	e.LookFirst = e.tries == 1 // it had no need to sleep, and so the next one may not have
	if e.armed != e.fd {
		e.armed.close()
	}
}

// wakerFd stands for the waker in the events.
const wakerFd = -1

// watch makes the epoll watch a waker, unless there is no descriptor for one.
func (f *epollFd) watch() bool {
	if f.waker != nil {
		return true
	}
	waker, err := sys.NewWaker()
	if err != nil {
		return false
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakerFd}
	if unix.EpollCtl(f.number, unix.EPOLL_CTL_ADD, waker.Fd(), &event) != nil {
		waker.Close()
		return false
	}
	f.waker = waker
	return true
}

// withoutWaker removes wakers from the events and returns how many are left. An EpollFromFd may have another Epoll's in it.
func withoutWaker(events []unix.EpollEvent) int {
	return len(slices.DeleteFunc(events, func(e unix.EpollEvent) bool { return e.Fd == wakerFd }))
}

// look fetches events, and does not let the waker take the room of one. If few of many that may be ready are likely, it asks for a
// few of them first, which is brief if the set is.
func (f *epollFd) look(events []unix.EpollEvent, brief, fewLikely bool) (int, error) {
	asked := len(events)
	if brief && fewLikely {
		asked = min(asked, sys.Few)
	}
	n, err := sys.EpollLook(f.number, events[:asked], brief)
	found := withoutWaker(events[:n])
	if n < asked || found == len(events) {
		return found, err
	}
	return f.lookOn(events, found, brief)
}

// lookOn fetches more than the first events. It is apart, as it needs stack and is rare.
func (f *epollFd) lookOn(events []unix.EpollEvent, found int, brief bool) (int, error) {
	n, err := sys.EpollLook(f.number, events[found:], brief)
	if found > 0 {
		err = nil // what has been found must not be lost
	}
	first := events[:found]
	for _, event := range events[found : found+withoutWaker(events[found:found+n])] {
		// What is ready may be reported once more.
		i := slices.IndexFunc(first, func(e unix.EpollEvent) bool { return e.Fd == event.Fd && e.Pad == event.Pad })
		if i < 0 {
			events[found] = event
			found++
		} else {
			first[i].Events |= event.Events
		}
	}
	return found, err
}

// isSteady reports whether all that is in the set is known to be steady.
func (e *Epoll) isSteady() bool { return len(e.unsteady) == 0 && !e.foreign }

// isBrief reports whether a system call for the set takes no time and cannot sleep.
func (e *Epoll) isBrief() bool { return e.isSteady() && !e.slow }

// canPark prepares a park, or returns false if Go's poller does not take the descriptor.
func (e *Epoll) canPark() bool {
	f := e.fd
	if e.refused {
		return false
	}
	if f.isOpen() {
		if f.past.Swap(false) {
			f.file.SetReadDeadline(time.Time{})
		}
		return true
	}
	// open has a goroutine, and so a stack, of its own: it is rare, and must not enlarge the stack of every goroutine that waits.
	opened := make(chan struct{})
	go func() {
		e.open()
		close(opened)
	}()
	<-opened
	return f.isOpen()
}

// isOpen reports whether the descriptor is in Go's poller.
func (f *epollFd) isOpen() bool { return f.file != nil && !f.closed }

// opening lets one goroutine at a time open a descriptor for parking. While the descriptor table of the process grows, the kernel
// lets every caller that opens a descriptor sleep, and each would hold a thread.
var opening sync.Mutex

// open puts a duplicate of the descriptor into Go's poller.
func (e *Epoll) open() {
	opening.Lock()
	defer opening.Unlock()
	f := e.fd
	fd, err := unix.FcntlInt(uintptr(f.number), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return
	}
	f.file, f.conn, err = sys.InGoPoller(fd, "epoll")
	f.closed, e.refused = false, err != nil
	f.past.Store(false)
}

// unpark takes the descriptor out of Go's poller, which ends a park, and reports whether it was there.
func (f *epollFd) unpark() bool {
	if !f.isOpen() {
		return false
	}
	f.closed = true
	f.file.Close()
	return true
}

// park implements parker. Go's poller is edge-triggered: it does not report what was ready before it was prepared for the wait. So
// the first try comes after the preparation.
func (e *Epoll) park(deadline sys.Deadline) (int, error) {
	e.alarm.Set(deadline)
	ended := e.armed.conn.Read(e.try)
	e.alarm.Stop()
	if ended != nil {
		return -1, nil
	}
	return e.n, e.err
}

// share implements sharer.
func (e *Epoll) share(deadline sys.Deadline) (int, error) { return e.inCrowd(e.armed.number, deadline) }

// endPark implements parker.
func (e *Epoll) endPark() {
	e.armed.past.Store(true)
	e.armed.file.SetReadDeadline(time.Unix(0, 0))
}
