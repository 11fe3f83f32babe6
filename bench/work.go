//go:build linux

package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// A setup prepares a work with the descriptors to watch, of which some are ready, and returns a function that does it n
// times.
type setup func(fds []int, ready int) func(n int)

var works = map[impl]map[string]setup{
	xsys: {
		"epoll":           xsysEpoll,
		"poll":            xsysPoll,
		"select":          xsysSelect,
		"modify":          xsysModify,
		"register":        xsysRegister,
		"register-socket": xsysRegisterSocket,
		"pingpong":        pingPong(xsysEpollWait, pyselect.Forever),
		"pingpong-1s":     pingPong(xsysEpollWait, time.Second),
		"pingpong-poll":   pingPong(xsysPollWait, pyselect.Forever),
		"syscall":         xsysSyscall,
	},
	here: {
		"epoll":                epollPollInto,
		"epoll-poll":           epollPollSlice,
		"poll":                 pollPollInto,
		"select":               selectCall,
		"selector":             selectorSelectInto(selectors.NewEpollSelector),
		"selector-poll":        selectorSelectInto(selectors.NewPollSelector),
		"selector-select":      selectorSelectInto(selectors.NewSelectSelector),
		"selector-slice":       selectorSelect,
		"modify":               epollModify,
		"selector-modify":      selectorModify,
		"selector-modify-data": selectorModifyData,
		"register":             func(fds []int, _ int) func(n int) { return epollRegister(fds[0]) },
		"selector-register":    selectorRegister,
		"register-socket":      registerSocket,
		"register-conn":        registerConn,
		"pingpong":             pingPong(epollWait, pyselect.Forever),
		"pingpong-1s":          pingPong(epollWait, time.Second),
		"pingpong-poll":        pingPong(pollWait, pyselect.Forever),
		"pingpong-select":      pingPong(selectWait, pyselect.Forever),
		"selector-pingpong":    pingPong(selectorWait(selectors.NewEpollSelector), pyselect.Forever),
	},
}

// work is what a process does that measures: args are the implementation, the work, the numbers of descriptors watched and
// ready, and the milliseconds that it is to take. It prints a sample.
func work(args []string) {
	watched, err := strconv.Atoi(args[2])
	check(err)
	ready, err := strconv.Atoi(args[3])
	check(err)
	msec, err := strconv.ParseFloat(args[4], 64)
	check(err)

	if quantity := quantityWorks[args[1]]; quantity != nil {
		measured := quantity(watched)
		fmt.Println(measured.value, measured.more)
		return
	}
	prepare := works[impl(args[0])][args[1]]
	if prepare == nil {
		log.Fatalf("no work %s", args[1])
	}
	do := prepare(eventfds(watched, ready), ready)
	sample := time.Duration(msec * 1e6)
	n, took := 1, time.Duration(0)
	for ; ; n *= 2 {
		if took, _ = timed(do, n); took >= sample/5 {
			break
		}
	}
	n = int(float64(n)*float64(sample)/float64(took)) + 1
	took, mallocs := timed(do, n)
	fmt.Println(float64(took)/float64(n), float64(mallocs)/float64(n))
}

func timed(do func(n int), n int) (took time.Duration, mallocs uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	do(n)
	took = time.Since(start)
	runtime.ReadMemStats(&after)
	return took, after.Mallocs - before.Mallocs
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// checkReady checks the result of a wait.
func checkReady(n, ready int, err error) {
	if n != ready || err != nil {
		log.Fatalf("%d ready, want %d: %v", n, ready, err)
	}
}

// eventfds returns n eventfds, of which some are readable, evenly spread.
func eventfds(n, ready int) []int {
	fds := make([]int, n)
	for i := range fds {
		var err error
		fds[i], err = unix.Eventfd(uint((i+1)*ready/n-i*ready/n), unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		check(err)
	}
	return fds
}

func rawEpoll(fds ...int) (epfd int) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	check(err)
	for _, fd := range fds {
		check(unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
	}
	return epfd
}

func xsysEpoll(fds []int, ready int) func(n int) {
	epfd, events := rawEpoll(fds...), make([]unix.EpollEvent, len(fds))
	return func(n int) {
		for range n {
			n, err := unix.EpollWait(epfd, events, 0)
			checkReady(n, ready, err)
		}
	}
}

func pollFds(fds []int) []unix.PollFd {
	entries := make([]unix.PollFd, len(fds))
	for i, fd := range fds {
		entries[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	return entries
}

func xsysPoll(fds []int, ready int) func(n int) {
	entries, polled := pollFds(fds), make([]unix.PollFd, len(fds))
	return func(n int) {
		for range n {
			n, err := unix.Poll(entries, 0)
			checkReady(n, ready, err)
			polled = polled[:0]
			for _, e := range entries {
				if e.Revents != 0 {
					polled = append(polled, e)
				}
			}
			checkReady(len(polled), ready, nil)
		}
	}
}

func xsysSelect(fds []int, ready int) func(n int) {
	var all unix.FdSet
	for _, fd := range fds {
		all.Set(fd)
	}
	nfds, readable := fds[len(fds)-1]+1, make([]int, len(fds))
	return func(n int) {
		for range n {
			set, timeout := all, unix.Timeval{}
			n, err := unix.Select(nfds, &set, nil, nil, &timeout)
			checkReady(n, ready, err)
			readable = readable[:0]
			for _, fd := range fds {
				if set.IsSet(fd) {
					readable = append(readable, fd)
				}
			}
			checkReady(len(readable), ready, nil)
		}
	}
}

func xsysModify(fds []int, _ int) func(n int) {
	epfd, event := rawEpoll(fds...), unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fds[0])}
	return func(n int) {
		for range n {
			check(unix.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fds[0], &event))
			event.Events ^= unix.EPOLLIN | unix.EPOLLOUT
		}
	}
}

func xsysRegisterSocket([]int, int) func(n int) {
	ends := socketpair()
	return xsysRegister(ends[:], 0)
}

func xsysRegister(fds []int, _ int) func(n int) {
	epfd, event := rawEpoll(), unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fds[0])}
	return func(n int) {
		for range n {
			check(unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fds[0], &event))
			check(unix.EpollCtl(epfd, unix.EPOLL_CTL_DEL, fds[0], nil))
		}
	}
}

// xsysSyscall does the system call that costs least.
func xsysSyscall([]int, int) func(n int) {
	return func(n int) {
		for range n {
			syscall.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		}
	}
}

func newEpoll(fds ...int) *pyselect.Epoll {
	e, err := pyselect.NewEpoll()
	check(err)
	for _, fd := range fds {
		check(e.Register(fd, pyselect.EPOLLIN))
	}
	return e
}

func epollPollInto(fds []int, ready int) func(n int) {
	e, events := newEpoll(fds...), make([]pyselect.EpollEvent, len(fds))
	return func(n int) {
		for range n {
			n, err := e.PollInto(events, 0)
			checkReady(n, ready, err)
		}
	}
}

func epollPollSlice(fds []int, ready int) func(n int) {
	e := newEpoll(fds...)
	return func(n int) {
		for range n {
			events, err := e.Poll(0, -1)
			checkReady(len(events), ready, err)
		}
	}
}

func newPoll(fds ...int) *pyselect.Poll {
	p := pyselect.NewPoll()
	for _, fd := range fds {
		check(p.Register(fd, pyselect.POLLIN))
	}
	return p
}

func pollPollInto(fds []int, ready int) func(n int) {
	p, events := newPoll(fds...), make([]pyselect.PollEvent, len(fds))
	return func(n int) {
		for range n {
			n, err := p.PollInto(events, 0)
			checkReady(n, ready, err)
		}
	}
}

func selectCall(fds []int, ready int) func(n int) {
	return func(n int) {
		for range n {
			readable, _, _, err := pyselect.Select(fds, nil, nil, 0)
			checkReady(len(readable), ready, err)
		}
	}
}

func newSelector[S selectors.BaseSelector](create func() (S, error), fds ...int) S {
	sel, err := create()
	check(err)
	for _, fd := range fds {
		_, err := sel.Register(fd, selectors.EventRead, nil)
		check(err)
	}
	return sel
}

func selectorSelectInto[S selectors.BaseSelector](create func() (S, error)) setup {
	return func(fds []int, ready int) func(n int) {
		sel, buf := newSelector(create, fds...), make([]selectors.Ready, len(fds))
		return func(n int) {
			for range n {
				n, err := sel.SelectInto(buf, 0)
				checkReady(n, ready, err)
			}
		}
	}
}

func selectorSelect(fds []int, ready int) func(n int) {
	sel := newSelector(selectors.NewEpollSelector, fds...)
	return func(n int) {
		for range n {
			found, err := sel.Select(0)
			checkReady(len(found), ready, err)
		}
	}
}

func epollModify(fds []int, _ int) func(n int) {
	e, mask := newEpoll(fds...), pyselect.EPOLLOUT
	return func(n int) {
		for range n {
			check(e.Modify(fds[0], mask))
			mask ^= pyselect.EPOLLIN | pyselect.EPOLLOUT
		}
	}
}

func selectorModify(fds []int, _ int) func(n int) {
	sel, events := newSelector(selectors.NewEpollSelector, fds...), selectors.EventWrite
	return func(n int) {
		for range n {
			_, err := sel.Modify(fds[0], events, nil)
			check(err)
			events ^= selectors.EventRead | selectors.EventWrite
		}
	}
}

func selectorModifyData(fds []int, _ int) func(n int) {
	sel, data := newSelector(selectors.NewEpollSelector, fds...), [2]any{"a", "b"}
	return func(n int) {
		for i := range n {
			_, err := sel.Modify(fds[0], selectors.EventRead, data[i%2])
			check(err)
		}
	}
}

func epollRegister(obj any) func(n int) {
	e := newEpoll()
	return func(n int) {
		for range n {
			check(e.Register(obj, pyselect.EPOLLIN))
			check(e.Unregister(obj))
		}
	}
}

func registerSocket([]int, int) func(n int) { return epollRegister(newSocket()) }

func registerConn([]int, int) func(n int) {
	conn, err := newSocket().NetConn()
	check(err)
	return epollRegister(conn)
}

// newSocket returns one end of a socketpair, of which the other stays open.
func newSocket() *socket.Socket {
	s, err := socket.Adopt(socketpair()[0])
	check(err)
	return s
}

func socketpair() (ends [2]int) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	check(err)
	return ends
}

func selectorRegister(fds []int, _ int) func(n int) {
	sel := newSelector(selectors.NewEpollSelector)
	return func(n int) {
		for range n {
			_, err := sel.Register(fds[0], selectors.EventRead, nil)
			check(err)
			_, err = sel.Unregister(fds[0])
			check(err)
		}
	}
}

// A waiter prepares to wait until one of the descriptors is readable, and returns a function that waits and says how many
// are.
type waiter func(fds ...int) (wait func(timeout time.Duration) (ready int, err error))

func xsysEpollWait(fds ...int) func(time.Duration) (int, error) {
	epfd, events := rawEpoll(fds...), make([]unix.EpollEvent, len(fds))
	return func(timeout time.Duration) (int, error) {
		return restarted(func() (int, error) { return unix.EpollWait(epfd, events, milliseconds(timeout)) })
	}
}

func xsysPollWait(fds ...int) func(time.Duration) (int, error) {
	entries := pollFds(fds)
	return func(timeout time.Duration) (int, error) {
		return restarted(func() (int, error) { return unix.Poll(entries, milliseconds(timeout)) })
	}
}

func xsysPpollWait(fds ...int) func(time.Duration) (int, error) {
	entries := pollFds(fds)
	return func(timeout time.Duration) (int, error) {
		ts := unix.NsecToTimespec(int64(timeout))
		return restarted(func() (int, error) { return unix.Ppoll(entries, &ts, nil) })
	}
}

// restarted repeats a system call that a signal of Go's scheduler has interrupted.
func restarted(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != unix.EINTR {
			return n, err
		}
	}
}

func milliseconds(timeout time.Duration) int {
	if timeout == pyselect.Forever {
		return -1
	}
	return int(timeout.Milliseconds())
}

func selectWait(fds ...int) func(time.Duration) (int, error) {
	return func(timeout time.Duration) (int, error) {
		readable, _, _, err := pyselect.Select(fds, nil, nil, timeout)
		return len(readable), err
	}
}

func pollWait(fds ...int) func(time.Duration) (int, error) {
	p, events := newPoll(fds...), make([]pyselect.PollEvent, len(fds))
	return func(timeout time.Duration) (int, error) { return p.PollInto(events, timeout) }
}

func epollWait(fds ...int) func(time.Duration) (int, error) {
	e, events := newEpoll(fds...), make([]pyselect.EpollEvent, len(fds))
	return func(timeout time.Duration) (int, error) { return e.PollInto(events, timeout) }
}

// recvWait waits until there is something to receive, instead of a descriptor.
func recvWait(...int) func(time.Duration) (int, error) {
	s, _, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	check(err)
	buf := make([]byte, 1)
	return func(timeout time.Duration) (int, error) {
		check(s.Settimeout(timeout))
		n, err := s.Recv(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		return n, err
	}
}

func selectorWait[S selectors.BaseSelector](create func() (S, error)) waiter {
	return func(fds ...int) func(time.Duration) (int, error) {
		sel, buf := newSelector(create, fds...), make([]selectors.Ready, len(fds))
		return func(timeout time.Duration) (int, error) { return sel.SelectInto(buf, timeout) }
	}
}

// pingPong passes a byte to and fro between two goroutines, each of which waits for its end of a socketpair.
func pingPong(prepare waiter, timeout time.Duration) setup {
	return func([]int, int) func(n int) {
		ends := socketpair()
		player := func(end int) func(n int) {
			wait := prepare(end)
			return func(n int) {
				var buf [1]byte
				for range n {
					ready, err := wait(timeout)
					checkReady(ready, 1, err)
					_, err = unix.Read(end, buf[:])
					check(err)
					_, err = unix.Write(end, buf[:])
					check(err)
				}
			}
		}
		const forever = 1<<63 - 1
		pong := player(ends[1])
		go pong(forever)
		_, err := unix.Write(ends[0], []byte("x"))
		check(err)
		return player(ends[0])
	}
}
