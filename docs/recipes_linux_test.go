package docs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// onData calls received with what can be read from f, and with nothing when f has ended. The data are valid until it returns.
func onData(sel selectors.BaseSelector, f any, received func([]byte) error) error {
	fd, err := pyselect.Fileno(f)
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	_, err = sel.Register(f, selectors.EventRead, func() error {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EAGAIN:
			return nil
		case n == 0 || err == unix.EIO || err == unix.ECONNRESET: // EIO: a terminal has hung up
			sel.Unregister(f)
			return received(nil)
		case err != nil:
			return os.NewSyscallError("read", err)
		}
		return received(buf[:n])
	})
	return err
}

// openSerial opens a serial line with 115,200 baud, eight bits and no parity, in raw mode.
func openSerial(path string) (fd int, err error) {
	fd, err = unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	raw := unix.Termios{Cflag: unix.B115200 | unix.CS8 | unix.CREAD | unix.CLOCAL}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// makeRaw puts a terminal into raw mode, and returns what it was, for another IoctlSetTermios at the end.
func makeRaw(fd int) (old *unix.Termios, err error) {
	old, err = unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	raw := *old
	raw.Iflag, raw.Oflag, raw.Lflag = 0, 0, 0
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	return old, unix.IoctlSetTermios(fd, unix.TCSETS, &raw)
}

// openPty returns the two ends of a pseudoterminal: the controlling one, and the terminal.
func openPty() (ptmx int, tty *os.File, err error) {
	ptmx, err = unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	n, err := unix.IoctlGetUint32(ptmx, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(ptmx, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		unix.Close(ptmx)
	}
	return ptmx, tty, err
}

// startOnTerminal starts a program on a terminal of its own, and returns the other end of that.
func startOnTerminal(program *exec.Cmd) (ptmx int, err error) {
	ptmx, tty, err := openPty()
	if err != nil {
		return -1, err
	}
	defer tty.Close() // without which there would be no end
	program.Stdin, program.Stdout, program.Stderr = tty, tty, tty
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := program.Start(); err != nil {
		unix.Close(ptmx)
		return -1, err
	}
	return ptmx, nil
}

// start starts a program, and returns a pipe with what it prints.
func start(child *exec.Cmd) (output *os.File, err error) {
	output, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	child.Stdout, child.Stderr = w, w
	if err := child.Start(); err != nil {
		output.Close()
		return nil, err
	}
	return output, nil
}

// onExit calls exited with how the child has ended.
func onExit(sel selectors.BaseSelector, child *exec.Cmd, exited func(error) error) error {
	pidfd, err := unix.PidfdOpen(child.Process.Pid, 0) // until Wait, the number is the child's
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	_, err = sel.Register(pidfd, selectors.EventRead, func() error {
		sel.Unregister(pidfd)
		unix.Close(pidfd)
		return exited(child.Wait())
	})
	if err != nil {
		unix.Close(pidfd)
	}
	return err
}

// newTimer returns a timer that expires once in each period.
func newTimer(period time.Duration) (fd int, err error) {
	fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return -1, os.NewSyscallError("timerfd_create", err)
	}
	each := unix.NsecToTimespec(period.Nanoseconds())
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: each, Value: each}, nil); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("timerfd_settime", err)
	}
	return fd, nil
}

// onTick calls tick with how often the timer has expired since it was last read.
func onTick(sel selectors.BaseSelector, timer int, tick func(expired uint64) error) error {
	return onData(sel, timer, func(data []byte) error {
		return tick(binary.NativeEndian.Uint64(data))
	})
}

// newInotify returns what reports the files that are written in a directory, and those that come and go.
func newInotify(dir string) (fd int, err error) {
	fd, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return -1, os.NewSyscallError("inotify_init1", err)
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE|unix.IN_MOVE|unix.IN_DELETE); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("inotify_add_watch", err)
	}
	return fd, nil
}

// onChange calls changed with the name of each file, and with what has happened to it: unix.IN_CLOSE_WRITE for instance.
func onChange(sel selectors.BaseSelector, inotify int, changed func(mask uint32, name string) error) error {
	return onData(sel, inotify, func(data []byte) error {
		for len(data) > 0 {
			mask := binary.NativeEndian.Uint32(data[4:]) // unix.IN_Q_OVERFLOW: events were lost
			end := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(data[12:])
			name := unix.ByteSliceToString(data[unix.SizeofInotifyEvent:end])
			if err := changed(mask, name); err != nil {
				return err
			}
			data = data[end:]
		}
		return nil
	})
}

// routeSocket returns a socket that receives changes of the network's configuration: a set of unix.RTMGRP_LINK and others.
func routeSocket(groups uint32) (*socket.Socket, error) {
	sock, err := socket.New(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	sock.Setblocking(false)
	data := binary.NativeEndian.AppendUint32(make([]byte, 6), groups) // two zeros, and a number that the kernel chooses
	if err := sock.Bind(socket.RawAddr{Family: socket.AF_NETLINK, Data: string(data)}); err != nil {
		sock.Close()
		return nil, err
	}
	return sock, nil
}

// onRoutes calls changed with each message, and lost when there were too many: ask for all of the configuration anew then.
func onRoutes(sel selectors.BaseSelector, s *socket.Socket, changed func(syscall.NetlinkMessage) error, lost func() error) error {
	buf := make([]byte, 1<<16)
	_, err := sel.Register(s, selectors.EventRead, func() error {
		n, err := s.Recv(buf)
		switch {
		case errors.Is(err, socket.ErrWouldBlock):
			return nil
		case errors.Is(err, socket.ErrNoBuffers):
			return lost()
		case err != nil:
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		for _, m := range messages {
			if err := changed(m); err != nil {
				return err
			}
		}
		return err
	})
	return err
}

// watchMounts calls changed whenever something has been mounted or unmounted.
func watchMounts(ctx context.Context, changed func() error) error {
	fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if _, _, _, err := pyselect.SelectContext(ctx, nil, nil, []int{fd}); err != nil {
			return err
		}
		if err := changed(); err != nil {
			return err
		}
	}
}

// watchPressure calls exceeded for a trigger: "some 150000 2000000" is one for tasks that have waited 150 ms within 2 s.
func watchPressure(ctx context.Context, path, trigger string, exceeded func() error) error {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // which removes the trigger
	if _, err := unix.Write(fd, []byte(trigger+"\x00")); err != nil {
		return err
	}
	ep, err := pyselect.NewEpoll()
	if err != nil {
		return err
	}
	defer ep.Close()
	if err := ep.Register(fd, pyselect.EPOLLPRI); err != nil {
		return err
	}
	for {
		events, err := ep.PollContext(ctx, -1)
		switch {
		case err != nil:
			return err
		case events[0].Events&pyselect.EPOLLERR != 0:
			return fmt.Errorf("%s: the control group has gone", path)
		}
		if err := exceeded(); err != nil {
			return err
		}
	}
}

// watchAttribute calls changed with what an attribute is, now and whenever the kernel says that it has changed.
func watchAttribute(ctx context.Context, path string, changed func(string) error) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	p := pyselect.NewPoll()
	if err := p.Register(fd, pyselect.POLLPRI); err != nil { // what is reported is POLLPRI|POLLERR
		return err
	}
	for buf := make([]byte, 4096); ; {
		n, err := unix.Pread(fd, buf, 0) // from the beginning; until it is read, it is reported again
		if err != nil {
			return err
		}
		if err := changed(string(buf[:n])); err != nil {
			return err
		}
		if _, err := p.PollContext(ctx); err != nil {
			return err
		}
	}
}

// urgent returns what is readable when fd is in an exceptional condition.
func urgent(fd int) (*pyselect.Epoll, error) {
	ep, err := pyselect.NewEpoll()
	if err != nil {
		return nil, err
	}
	if err := ep.Register(fd, pyselect.EPOLLPRI); err != nil {
		ep.Close()
		return nil, err
	}
	return ep, nil
}

// openSampler lets the kernel note in a ring where a thread is, perSecond times in each second of its CPU time.
func openSampler(tid int, perSecond uint64) (fd int, ring []byte, err error) {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Sample: perSecond, Bits: unix.PerfBitFreq | unix.PerfBitExcludeKernel, Sample_type: unix.PERF_SAMPLE_IP,
		Wakeup: 10, // samples
	}
	fd, err = unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return -1, nil, os.NewSyscallError("perf_event_open", err)
	}
	ring, err = unix.Mmap(fd, 0, (1+8)*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return -1, nil, os.NewSyscallError("mmap", err)
	}
	return fd, ring, nil
}

// samples calls sample with each address that is new in the ring, and gives the room back to the kernel.
func samples(ring []byte, sample func(ip uint64)) {
	page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&ring[0]))
	data := ring[os.Getpagesize():]
	at := func(pos uint64) []byte { return data[pos%uint64(len(data)):][:8] } // records consist of words of 8 bytes
	tail := page.Data_tail
	for head := atomic.LoadUint64(&page.Data_head); tail < head; tail += uint64(binary.NativeEndian.Uint16(at(tail)[6:])) {
		if binary.NativeEndian.Uint32(at(tail)) == unix.PERF_RECORD_SAMPLE {
			sample(binary.NativeEndian.Uint64(at(tail + 8)))
		}
	}
	atomic.StoreUint64(&page.Data_tail, tail)
}

// watchSamples calls sample until the thread has ended.
func watchSamples(ctx context.Context, fd int, ring []byte, sample func(ip uint64)) error {
	ep, err := pyselect.NewEpoll()
	if err != nil {
		return err
	}
	defer ep.Close()
	if err := ep.Register(fd, pyselect.EPOLLIN); err != nil {
		return err
	}
	for {
		events, err := ep.PollContext(ctx, -1)
		if err != nil {
			return err
		}
		samples(ring, sample)
		if events[0].Events&pyselect.EPOLLHUP != 0 {
			return nil
		}
	}
}

// acceptShared accepts connections of a listener that other processes have, too.
func acceptShared(ctx context.Context, listener *socket.Socket, serve func(*socket.Socket)) error {
	ep, err := pyselect.NewEpoll()
	if err != nil {
		return err
	}
	defer ep.Close()
	listener.Setblocking(false)
	if err := ep.Register(listener, pyselect.EPOLLIN|pyselect.EPOLLEXCLUSIVE); err != nil {
		return err
	}
	for {
		if _, err := ep.PollContext(ctx, -1); err != nil {
			return err
		}
		conn, _, err := listener.Accept()
		switch {
		case errors.Is(err, socket.ErrWouldBlock): // another process was faster
		case err != nil:
			return err
		default:
			serve(conn)
		}
	}
}

// startWorker starts a program whose descriptor 3 is the listener, which it gets with socket.Adopt(3).
func startWorker(worker *exec.Cmd, listener *socket.Socket) error {
	dup, err := listener.Dup()
	if err != nil {
		return err
	}
	fd, err := dup.Detach()
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	worker.ExtraFiles = []*os.File{file}
	return worker.Start()
}

// serveAll serves an address in a loop for each processor, until ctx is done or one of them fails. The port must not be 0.
func serveAll(ctx context.Context, address string, serve func(selectors.BaseSelector, *socket.Socket) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var loops sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		listener, err := socket.CreateServer(address, &socket.ServerConfig{ReusePort: true})
		if err != nil {
			cancel(err)
			break
		}
		defer listener.Close()
		loops.Go(func() { cancel(serveOn(ctx, listener, serve)) })
	}
	loops.Wait()
	return context.Cause(ctx)
}

// serveOn serves a listener in a loop of its own, and closes what that has at its end.
func serveOn(ctx context.Context, listener *socket.Socket, serve func(selectors.BaseSelector, *socket.Socket) error) error {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	defer func() {
		for key := range sel.Keys() {
			if f, ok := key.Fileobj.(io.Closer); ok {
				f.Close()
			}
		}
		sel.Close()
	}()
	listener.Setblocking(false)
	_, err = sel.Register(listener, selectors.EventRead, func() error {
		conn, _, err := listener.Accept()
		switch {
		case errors.Is(err, socket.ErrWouldBlock):
			return nil
		case err != nil:
			return err
		}
		return serve(sel, conn) // which registers it with the same selector
	})
	if err != nil {
		return err
	}
	return loop(ctx, sel)
}

// open skips the test if a descriptor cannot be opened, and closes it at the end of the test.
func open(t *testing.T) func(fd int, err error) int {
	return func(fd int, err error) int {
		t.Helper()
		if err != nil {
			t.Skipf("the system, or its emulator, lacks it: %v", err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
}

// terminal returns the two ends of a pseudoterminal.
func terminal(t *testing.T) (ptmx int, tty *os.File) {
	t.Helper()
	ptmx, tty, err := openPty()
	if err != nil {
		t.Skipf("there is no pseudoterminal: %v", err)
	}
	t.Cleanup(func() { unix.Close(ptmx); tty.Close() })
	return ptmx, tty
}

// receives runs the loop until what is wanted has been read from f, and nothing else.
func receives(t *testing.T, sel selectors.BaseSelector, f any, want string) {
	t.Helper()
	var got string
	testkit.Check(t, onData(sel, f, func(data []byte) error {
		got += string(data)
		if len(data) == 0 || len(got) >= len(want) {
			return errSeen
		}
		return nil
	}))
	runs(t, sel)
	if got != want {
		t.Errorf("received %q, want %q", got, want)
	}
	sel.Unregister(f)
}

func TestSerial(t *testing.T) {
	sel := newSelector(t)
	ptmx, tty := terminal(t)
	line := open(t)(openSerial(tty.Name()))
	for range 2 {
		testkit.Write(t, ptmx, "at\r\x03") // which a terminal would translate, and take for an interrupt
		receives(t, sel, line, "at\r\x03")
		testkit.Write(t, line, "ok\n")
		receives(t, sel, ptmx, "ok\n")
	}
}

func TestRaw(t *testing.T) {
	sel := newSelector(t)
	ptmx, tty := terminal(t)
	fd, err := pyselect.Fileno(tty)
	testkit.Check(t, err)
	old, err := makeRaw(fd)
	testkit.Check(t, err)
	testkit.Write(t, ptmx, "q")
	receives(t, sel, tty, "q")
	testkit.Check(t, unix.IoctlSetTermios(fd, unix.TCSETS, old))
	testkit.Write(t, ptmx, "q\r")
	receives(t, sel, ptmx, "q\r\n") // the echo
	receives(t, sel, tty, "q\n")
}

func TestProgramOnTerminal(t *testing.T) {
	testkit.NeedProcesses(t)
	sel := newSelector(t)
	program := exec.Command("/bin/sh", "-c", "read answer </dev/tty; test -t 0 && echo answer: $answer")
	ptmx, err := startOnTerminal(program)
	if err != nil {
		t.Skipf("no program can be started on a terminal: %v", err)
	}
	defer unix.Close(ptmx)
	var got string
	testkit.Check(t, onData(sel, ptmx, func(data []byte) error {
		if len(data) == 0 {
			return errSeen
		}
		got += string(data)
		return nil
	}))
	testkit.Write(t, ptmx, "spam\r")
	runs(t, sel)
	testkit.Check(t, program.Wait())
	if want := "spam\r\nanswer: spam\r\n"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestChild(t *testing.T) {
	testkit.NeedProcesses(t)
	sel := newSelector(t)
	child := exec.Command("/bin/sh", "-c", "echo spam; echo eggs >&2; exit 3")
	output, err := start(child)
	if err != nil {
		t.Skipf("no program can be started: %v", err)
	}
	defer output.Close()
	var got string
	left := 2
	end := func() error {
		if left--; left == 0 {
			return errSeen
		}
		return nil
	}
	testkit.Check(t, onData(sel, output, func(data []byte) error {
		if len(data) == 0 {
			return end()
		}
		got += string(data)
		return nil
	}))
	if err := onExit(sel, child, func(err error) error {
		if child.ProcessState.ExitCode() != 3 {
			t.Errorf("%v, %v", child.ProcessState, err)
		}
		return end()
	}); err != nil {
		child.Wait()
		t.Skipf("there is no pidfd: %v", err)
	}
	runs(t, sel)
	if want := "spam\neggs\n"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

// A connection that its peer resets has ended.
func TestReset(t *testing.T) {
	sel := newSelector(t)
	client, server := testkit.TCPPair(t)
	testkit.Check(t, client.SetLinger(0))
	testkit.Check(t, client.Close())
	testkit.Check(t, onData(sel, server, func(data []byte) error {
		if len(data) > 0 {
			t.Errorf("received %q", data)
		}
		return errSeen
	}))
	runs(t, sel)
	if sel.Len() > 0 {
		t.Error("the connection is still registered")
	}
}

func TestTimer(t *testing.T) {
	const period = 5 * time.Millisecond
	sel := newSelector(t)
	begin := time.Now()
	timer := open(t)(newTimer(period))
	var ticks uint64
	testkit.Check(t, onTick(sel, timer, func(expired uint64) error {
		if ticks += expired; ticks >= 3 {
			return errSeen
		}
		return nil
	}))
	runs(t, sel)
	if took := time.Since(begin); took < time.Duration(ticks)*period {
		t.Errorf("%d periods of %v have passed after %v", ticks, period, took)
	}
}

func TestDirectory(t *testing.T) {
	sel := newSelector(t)
	dir := t.TempDir()
	inotify := open(t)(newInotify(dir))
	name := filepath.Join(dir, "spam")
	testkit.Check(t, os.WriteFile(name, []byte("spam"), 0o600))
	testkit.Check(t, os.Rename(name, name+" and eggs"))
	testkit.Check(t, os.Remove(name+" and eggs"))
	type event struct {
		mask uint32
		name string
	}
	want := []event{
		{unix.IN_CLOSE_WRITE, "spam"}, {unix.IN_MOVED_FROM, "spam"},
		{unix.IN_MOVED_TO, "spam and eggs"}, {unix.IN_DELETE, "spam and eggs"},
	}
	var got []event
	testkit.Check(t, onChange(sel, inotify, func(mask uint32, name string) error {
		if got = append(got, event{mask, name}); len(got) == len(want) {
			return errSeen
		}
		return nil
	}))
	runs(t, sel)
	testkit.Equal(t, "events", got, want...)
}

// newNetwork gives the test a network of its own, and returns what turns its interface lo on and off.
func newNetwork(t *testing.T) (setUp func(up bool)) {
	runtime.LockOSThread() // for ever: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("there is no network of one's own: %v", err)
	}
	sock := open(t)(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
	return func(up bool) {
		t.Helper()
		lo, err := unix.NewIfreq("lo")
		testkit.Check(t, err)
		if up {
			lo.SetUint16(unix.IFF_UP)
		}
		testkit.Check(t, unix.IoctlIfreq(sock, unix.SIOCSIFFLAGS, lo))
	}
}

func TestRoutes(t *testing.T) {
	sel := newSelector(t)
	setUp := newNetwork(t)
	sock, err := routeSocket(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR)
	testkit.Check(t, err)
	defer sock.Close()
	want := []uint16{unix.RTM_NEWADDR, unix.RTM_NEWLINK} // the order is the kernel's
	var got []uint16
	lost := 0
	testkit.Check(t, onRoutes(sel, sock, func(m syscall.NetlinkMessage) error {
		if got = append(got, m.Header.Type); len(got) == len(want) {
			return errSeen
		}
		return nil
	}, func() error {
		lost++
		return errSeen
	}))
	setUp(true)
	runs(t, sel)
	slices.Sort(want)
	slices.Sort(got)
	testkit.Equal(t, "types of messages", got, want...)

	testkit.Check(t, sock.Setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1))
	for i := range 20 {
		setUp(i%2 == 1)
	}
	runs(t, sel)
	if lost != 1 {
		t.Errorf("the socket has lost messages %d times", lost)
	}
}

// mountSomething changes the mount table.
func mountSomething(t *testing.T) func() {
	dir := t.TempDir()
	change := func() error { return errors.Join(unix.Mount("none", dir, "tmpfs", 0, ""), unix.Unmount(dir, 0)) }
	if err := change(); err != nil {
		t.Skipf("no file system can be mounted: %v", err)
	}
	return func() { testkit.Check(t, change()) }
}

func TestMounts(t *testing.T) {
	testkit.NoLeaks(t)
	change := mountSomething(t)
	var err error
	changes := 0
	call := testkit.Go(t, func() {
		err = watchMounts(t.Context(), func() error {
			if changes++; changes == 2 {
				return errSeen
			}
			return nil
		})
	})
	for call.BlockedOrDone() {
		change()
	}
	if call.Wait(); err != errSeen {
		t.Error(err)
	}
}

func TestPressure(t *testing.T) {
	testkit.NeedProcesses(t)
	testkit.NoLeaks(t)
	const path = "/proc/pressure/cpu"
	if err := watchPressure(t.Context(), path, "some spam", nil); !errors.Is(err, unix.EINVAL) {
		t.Skipf("%s takes no triggers: %v", path, err)
	}
	var err error
	call := testkit.Go(t, func() {
		err = watchPressure(t.Context(), path, "some 1000 2000000", func() error { return errSeen })
	})
	call.BlockedOrDone()
	for range 2 * runtime.NumCPU() {
		busy(t)
	}
	if call.Wait(); err != errSeen {
		t.Error(err)
	}
}

// busy starts a process that does nothing but use a processor, until the end of the test.
func busy(t *testing.T) *os.Process {
	t.Helper()
	testkit.NeedProcesses(t)
	program := exec.Command("/bin/sh", "-c", "while kill -0 $PPID; do :; done")
	if err := program.Start(); err != nil {
		t.Skipf("no program can be started: %v", err)
	}
	t.Cleanup(func() { program.Process.Kill(); program.Wait() })
	unix.Setpriority(unix.PRIO_PROCESS, program.Process.Pid, 19) // others need not notice
	return program.Process
}

func TestPressureOfRemovedGroup(t *testing.T) {
	testkit.NoLeaks(t)
	group := testkit.Cgroup(t)
	path := filepath.Join(group, "cpu.pressure")
	if err := watchPressure(t.Context(), path, "some spam", nil); !errors.Is(err, unix.EINVAL) {
		t.Skipf("%s takes no triggers: %v", path, err)
	}
	var err error
	call := testkit.Go(t, func() {
		err = watchPressure(t.Context(), path, "some 1000 2000000", func() error { return nil })
	}).Blocked()
	testkit.Check(t, os.Remove(group))
	if call.Wait(); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Error(err)
	}
}

func TestAttribute(t *testing.T) {
	testkit.NoLeaks(t)
	group := testkit.Cgroup(t)
	freeze := func(state string) {
		testkit.Check(t, os.WriteFile(filepath.Join(group, "cgroup.freeze"), []byte(state), 0))
	}
	var got []string
	var err error
	call := testkit.Go(t, func() {
		err = watchAttribute(t.Context(), filepath.Join(group, "cgroup.events"), func(content string) error {
			_, frozen, _ := strings.Cut(content, "frozen ")
			got = append(got, strings.TrimSpace(frozen))
			switch len(got) {
			case 1:
				freeze("1")
			case 2:
				freeze("0")
			case 3:
				return errSeen
			}
			return nil
		})
	})
	if call.Wait(); err != errSeen {
		t.Error(err)
	}
	testkit.Equal(t, "states", got, "0", "1", "0")
}

func TestHostName(t *testing.T) {
	testkit.NoLeaks(t)
	var names unix.Utsname
	testkit.Check(t, unix.Uname(&names))
	name := unix.ByteSliceToString(names.Nodename[:])
	set := func() error { return unix.Sethostname([]byte(name)) }
	if err := set(); err != nil {
		t.Skipf("the host name cannot be set: %v", err)
	}
	var err error
	calls := 0
	call := testkit.Go(t, func() {
		err = watchAttribute(t.Context(), "/proc/sys/kernel/hostname", func(content string) error {
			if content != name+"\n" {
				t.Errorf("the name is %q, want %q", content, name)
			}
			if calls++; calls == 3 {
				return errSeen
			}
			return set()
		})
	})
	if call.Wait(); err != errSeen {
		t.Error(err)
	}
}

func TestSampler(t *testing.T) {
	testkit.NoLeaks(t)
	program := busy(t)
	fd, ring, err := openSampler(program.Pid, 4000)
	if err != nil {
		t.Skipf("no perf event can be opened: %v", err)
	}
	defer unix.Close(fd)
	defer unix.Munmap(ring)
	const enough = 3000 // more than there is room for in the ring
	addresses := 0
	testkit.Check(t, watchSamples(t.Context(), fd, ring, func(ip uint64) {
		if ip == 0 {
			t.Errorf("sample %d has no address", addresses)
		}
		if addresses++; addresses == enough {
			program.Kill()
		}
	}))
	if addresses < enough {
		t.Errorf("%d samples, want %d", addresses, enough)
	}
}

const workerEnv = "PYSELECT_WORKER" // with the name of a worker, which it says to each connection

func TestSharedListener(t *testing.T) {
	if name := os.Getenv(workerEnv); name != "" {
		listener, err := socket.Adopt(3)
		testkit.Check(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		err = acceptShared(ctx, listener, func(conn *socket.Socket) {
			conn.Send([]byte(name))
			conn.Close()
		})
		if err != context.Canceled {
			t.Error(err)
		}
		return
	}
	testkit.NoLeaks(t)
	listener, err := socket.CreateServer("127.0.0.1:0", nil)
	testkit.Check(t, err)
	defer listener.Close()
	for i := range 4 {
		worker := testkit.Itself(t, fmt.Sprint(workerEnv, "=", i), "-test.run=^TestSharedListener$")
		end, err := worker.StdinPipe()
		testkit.Check(t, err)
		if err := startWorker(worker, listener); err != nil {
			t.Skipf("no program can be started: %v", err)
		}
		t.Cleanup(func() {
			end.Close()
			testkit.Check(t, worker.Wait())
		})
	}
	addr, err := listener.Getsockname()
	testkit.Check(t, err)
	served := make(map[string]int)
	for range 400 {
		name, err := ask(addr)
		testkit.Check(t, err)
		served[name]++
	}
	if served[""] > 0 {
		t.Errorf("%d connections were not served", served[""])
	}
	t.Logf("the processes have accepted %v", served)
}

// At its end, serveAll closes the connections that are open.
func TestConnectionsAtTheEnd(t *testing.T) {
	testkit.NoLeaks(t)
	addr := reservePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	call := testkit.Go(t, func() {
		serveAll(ctx, addr.String(), func(sel selectors.BaseSelector, conn *socket.Socket) error {
			if err := onData(sel, conn, func([]byte) error { return nil }); err != nil {
				return err
			}
			return conn.Sendall([]byte("x"))
		})
	})
	var client net.Conn
	testkit.Eventually(t, "a connection", func() (connected bool) {
		var err error
		client, err = net.Dial("tcp", addr.String())
		return err == nil
	})
	defer client.Close()
	buf := make([]byte, 1)
	_, err := client.Read(buf)
	testkit.Check(t, err)
	cancel()
	call.Wait()
	testkit.Check(t, client.SetReadDeadline(time.Now().Add(testkit.Patience)))
	if n, err := client.Read(buf); err != io.EOF {
		t.Errorf("received %d bytes, %v, want %v", n, err, io.EOF)
	}
}

// reservePort returns an address for sockets with SO_REUSEPORT.
func reservePort(t *testing.T) net.Addr {
	t.Helper()
	reserved, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0) // which does not listen
	testkit.Check(t, err)
	t.Cleanup(func() { reserved.Close() })
	testkit.Check(t, reserved.Setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1))
	testkit.Check(t, reserved.Bind(socket.HostPort("127.0.0.1:0")))
	addr, err := reserved.Getsockname()
	testkit.Check(t, err)
	return addr
}

// ask connects to addr and returns what it is told.
func ask(addr net.Addr) (string, error) {
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	data, err := io.ReadAll(conn)
	return string(data), err
}

func TestLoopForEachProcessor(t *testing.T) {
	testkit.NoLeaks(t)
	addr := reservePort(t)
	var lock sync.Mutex
	served := make(map[selectors.BaseSelector]int)
	serve := func(sel selectors.BaseSelector, conn *socket.Socket) error {
		lock.Lock()
		defer lock.Unlock()
		served[sel]++
		return conn.Close()
	}
	counts := func() []int {
		lock.Lock()
		defer lock.Unlock()
		return slices.Collect(maps.Values(served))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ended error
	call := testkit.Go(t, func() { ended = serveAll(ctx, addr.String(), serve) })
	testkit.Eventually(t, "a connection for each loop", func() bool {
		_, err := ask(addr)
		return err == nil && len(counts()) == runtime.GOMAXPROCS(0)
	})
	for range 1000 {
		_, err := ask(addr)
		testkit.Check(t, err)
	}
	cancel()
	if call.Wait(); ended != context.Canceled {
		t.Error(ended)
	}
	t.Logf("the loops have accepted %v", counts())
}
