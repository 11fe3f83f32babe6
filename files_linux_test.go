package pyselect_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// A special file becomes ready for events when cause is called, in each round anew after reset. Some tell this only to the first
// who asks: whoever waits for such a file must not let anybody else ask.
type special struct {
	fd     int
	events pyselect.PollMask
	cause  func()
	reset  func()
}

var specials = []struct {
	name   string
	create func(t *testing.T) special
}{
	{"eventfd", func(t *testing.T) special {
		fd := testkit.Eventfds(t, 1, 0)[0]
		return special{fd, pyselect.POLLIN, func() { unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }, func() { testkit.Drain(t, fd) }}
	}},
	{"timerfd", func(t *testing.T) special {
		fd := opened(t)(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK))
		soon := unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}
		return special{fd, pyselect.POLLIN, func() { unix.TimerfdSettime(fd, 0, &soon, nil) }, func() { testkit.Drain(t, fd) }}
	}},
	{"signalfd", func(t *testing.T) special {
		var set unix.Sigset_t
		set.Val[0] = 1 << (unix.SIGWINCH - 1)
		runtime.LockOSThread() // which this signal is for
		t.Cleanup(runtime.UnlockOSThread)
		check(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil))
		t.Cleanup(func() { unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil) })
		fd := opened(t)(unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK))
		pid, tid := unix.Getpid(), unix.Gettid()
		return special{fd, pyselect.POLLIN, func() { unix.Tgkill(pid, tid, unix.SIGWINCH) }, func() { testkit.Drain(t, fd) }}
	}},
	{"inotify", func(t *testing.T) special {
		fd := opened(t)(unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK))
		dir := t.TempDir()
		_, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE)
		check(t, err)
		name := filepath.Join(dir, "file")
		return special{fd, pyselect.POLLIN, func() { os.WriteFile(name, nil, 0o600) }, func() { os.Remove(name); testkit.Drain(t, fd) }}
	}},
	{"pty", func(t *testing.T) special {
		fd := opened(t)(unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0))
		check(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
		n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
		check(t, err)
		slave := opened(t)(unix.Open(fmt.Sprint("/dev/pts/", n), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0))
		return special{fd, pyselect.POLLIN, func() { unix.Write(slave, []byte("x")) }, func() { testkit.Drain(t, fd) }}
	}},
	{"netlink", func(t *testing.T) special {
		fd := opened(t)(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE))
		check(t, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
		request := make([]byte, 24)
		binary.NativeEndian.PutUint32(request, 24)
		binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETRULE) // an error or an end: an answer in any case
		binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
		return special{fd, pyselect.POLLIN, func() { unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) }, func() { testkit.Drain(t, fd) }}
	}},
	{"pidfd", func(t *testing.T) special {
		process, err := os.StartProcess("/bin/cat", []string{"cat"}, &os.ProcAttr{Files: []*os.File{pipeFile(t), os.Stderr, os.Stderr}})
		if err != nil {
			t.Skipf("no program can be started: %v", err)
		}
		fd := opened(t)(unix.PidfdOpen(process.Pid, 0))
		t.Cleanup(func() { process.Kill(); process.Wait() })
		return special{fd, pyselect.POLLIN, func() { process.Kill() }, nil}
	}},
	{"mount table", func(t *testing.T) special {
		fd := opened(t)(unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0))
		dir := t.TempDir()
		if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
			t.Skipf("no file system can be mounted: %v", err)
		}
		check(t, unix.Unmount(dir, 0))
		return special{fd, pyselect.POLLPRI | pyselect.POLLERR, func() { unix.Mount("none", dir, "tmpfs", 0, ""); unix.Unmount(dir, 0) }, func() { asked(fd) }}
	}},
	{"host name", func(t *testing.T) special {
		fd := opened(t)(unix.Open("/proc/sys/kernel/hostname", unix.O_RDWR|unix.O_CLOEXEC, 0))
		var name unix.Utsname
		check(t, unix.Uname(&name))
		same := []byte(unix.ByteSliceToString(name.Nodename[:]))
		if err := unix.Sethostname(same); err != nil {
			t.Skipf("the host name cannot be set: %v", err)
		}
		return special{fd, pyselect.POLLPRI | pyselect.POLLERR, func() { unix.Sethostname(same) }, func() { asked(fd) }}
	}},
	{"perf event", func(t *testing.T) special {
		attr := unix.PerfEventAttr{
			Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS,
			Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Sample: 1, Wakeup: 1, Sample_type: unix.PERF_SAMPLE_IP,
		}
		type answer struct {
			fd  int
			err error
		}
		opens, faults := make(chan answer), make(chan chan bool)
		go func() { // whose thread alone is watched
			runtime.LockOSThread()
			fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
			opens <- answer{fd, err}
			for done := range faults {
				if page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err == nil {
					page[0] = 1
					unix.Munmap(page)
				}
				close(done)
			}
		}()
		t.Cleanup(func() { close(faults) })
		opening := <-opens
		if opening.err != nil {
			t.Skipf("no perf event can be opened: %v", opening.err)
		}
		fd := opened(t)(opening.fd, nil)
		ring, err := unix.Mmap(fd, 0, 2*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Skipf("no ring of perf events can be mapped: %v", err)
		}
		t.Cleanup(func() { unix.Munmap(ring) })
		page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&ring[0]))
		return special{fd, pyselect.POLLIN, func() {
			done := make(chan bool)
			faults <- done
			<-done
		}, func() {
			atomic.StoreUint64(&page.Data_tail, atomic.LoadUint64(&page.Data_head))
			asked(fd)
		}}
	}},
}

// opened checks what opens a descriptor, which is closed at the end of the test.
func opened(t *testing.T) func(fd int, err error) int {
	return func(fd int, err error) int {
		t.Helper()
		if err != nil {
			t.Skipf("the system, or its emulator, lacks it: %v", err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
}

func pipeFile(t *testing.T) *os.File {
	r, w, err := os.Pipe()
	check(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}

// asked takes away what the file has to say.
func asked(fd int) { unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLPRI}}, 0) }

// Every event of a file of every kind arrives, in every facility, as with the bare system calls.
func TestSpecialFiles(t *testing.T) {
	for _, kind := range specials {
		t.Run(kind.name, func(t *testing.T) {
			if kind.name == "pidfd" {
				testkit.NeedProcesses(t)
			}
			for _, facility := range []struct {
				name    string
				prepare func(t *testing.T, s special) waitFunc
			}{
				{"ppoll", func(_ *testing.T, s special) waitFunc {
					fds := []unix.PollFd{{Fd: int32(s.fd), Events: int16(s.events)}}
					return func(timeout time.Duration) (int, error) { return unix.Poll(fds, int(timeout/time.Millisecond)) }
				}},
				{"Select", func(_ *testing.T, s special) waitFunc {
					return func(timeout time.Duration) (int, error) {
						lists := [2][]int{}
						if s.events&pyselect.POLLPRI != 0 {
							lists[1] = []int{s.fd}
						} else {
							lists[0] = []int{s.fd}
						}
						r, _, x, err := pyselect.Select(lists[0], nil, lists[1], timeout)
						return len(r) + len(x), err
					}
				}},
				{"Poll", func(t *testing.T, s special) waitFunc {
					p := pyselect.NewPoll()
					check(t, p.Register(s.fd, s.events))
					return pollWait(p)
				}},
				{"Epoll", func(t *testing.T, s special) waitFunc {
					e := newEpoll(t, 0)
					idle, _ := testkit.Pipe(t)
					check(t, e.Register(idle, pyselect.EPOLLIN))
					_, err := e.Poll(time.Millisecond, -1) // it has parked, and cannot any more
					check(t, err)
					check(t, e.Register(s.fd, pyselect.EpollMask(s.events)))
					return epollWait(e)
				}},
			} {
				t.Run(facility.name, func(t *testing.T) {
					s := kind.create(t)
					wait := facility.prepare(t, s)
					rounds := 5
					if s.reset == nil {
						rounds = 1
					}
					for round := range rounds {
						if s.reset != nil {
							s.reset()
						}
						var n int
						var err error
						if kind.name == "signalfd" {
							s.cause() // this thread has to wait, and is the only one that the signal is for
							n, err = wait(testkit.Patience)
						} else {
							call := testkit.Go(t, func() { n, err = wait(testkit.Patience) }).Blocked()
							s.cause()
							call.Wait()
						}
						if n == 0 || err != nil {
							t.Fatalf("round %d: %d ready, %v", round, n, err)
						}
					}
				})
			}
		})
	}
}

// With EPOLLEXCLUSIVE, the kernel wakes one of those who wait, which it takes only a thread in epoll_wait for.
func TestExclusive(t *testing.T) {
	const waiters = 8
	testkit.NoLeaks(t)
	fd := testkit.Eventfds(t, 1, 0)[0]
	var woken atomic.Int32
	var calls [waiters]*testkit.Call
	var epolls [waiters]*pyselect.Epoll
	for i := range calls {
		e := newEpoll(t, 0)
		check(t, e.Register(fd, pyselect.EPOLLIN|pyselect.EPOLLET|pyselect.EPOLLEXCLUSIVE))
		epolls[i] = e
		calls[i] = testkit.Go(t, func() {
			if events, _ := e.Poll(pyselect.Forever, -1); len(events) > 0 {
				woken.Add(1)
			}
		}).Blocked()
	}
	for i := range int32(3) {
		unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		testkit.Eventually(t, "one to wake", func() bool { return woken.Load() > i })
		for _, c := range calls {
			c.BlockedOrDone()
		}
		if n := woken.Load(); n > i+2 { // a thread that is still on its way into the kernel may be passed over
			t.Errorf("%d events have woken %d of %d", i+1, n, waiters)
		}
	}
	for _, e := range epolls {
		check(t, e.Close())
	}
	for _, c := range calls {
		c.Wait()
	}
}
