package testkit

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Special is a file that becomes ready for events when Cause is called, in each round anew after Reset. Some kinds tell this
// to the first who asks alone: whoever waits for such a file must not let anybody else ask.
type Special struct {
	Fd     int
	Events uint16 // as poll(2) has them
	Cause  func()
	Reset  func() // nil if there is one round only
	Thread bool   // it is ready for the thread that has opened it, and for no other
}

// Specials are files of all kinds by their names, which are closed at the end of the test.
var Specials = []struct {
	Name string
	Open func(t testing.TB) Special
}{
	{"eventfd", func(t testing.TB) Special {
		fd := Eventfds(t, 1, 0)[0]
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() { unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }, Reset: func() { Drain(t, fd) }}
	}},
	{"timerfd", func(t testing.TB) Special {
		fd := opened(t)(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK))
		soon := unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() { unix.TimerfdSettime(fd, 0, &soon, nil) }, Reset: func() { Drain(t, fd) }}
	}},
	{"signalfd", func(t testing.TB) Special {
		var set unix.Sigset_t
		set.Val[0] = 1 << (unix.SIGWINCH - 1)
		runtime.LockOSThread() // which this signal is for
		t.Cleanup(runtime.UnlockOSThread)
		Check(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil))
		t.Cleanup(func() { unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil) })
		fd := opened(t)(unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK))
		pid, tid := unix.Getpid(), unix.Gettid()
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() { unix.Tgkill(pid, tid, unix.SIGWINCH) }, Reset: func() { Drain(t, fd) }, Thread: true}
	}},
	{"inotify", func(t testing.TB) Special {
		fd := opened(t)(unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK))
		dir := t.TempDir()
		_, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE)
		Check(t, err)
		name := filepath.Join(dir, "file")
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() { os.WriteFile(name, nil, 0o600) }, Reset: func() { os.Remove(name); Drain(t, fd) }}
	}},
	{"pty", func(t testing.TB) Special {
		fd := opened(t)(unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0))
		Check(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
		n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
		Check(t, err)
		slave := opened(t)(unix.Open(fmt.Sprint("/dev/pts/", n), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0))
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() { unix.Write(slave, []byte("x")) }, Reset: func() { Drain(t, fd) }}
	}},
	{"netlink", func(t testing.TB) Special {
		fd := opened(t)(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE))
		Check(t, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
		request := make([]byte, 24)
		binary.NativeEndian.PutUint32(request, 24)
		binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETRULE) // an error or an end: an answer in any case
		binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
		ask := func() error { return unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) }
		if err := ask(); err != nil {
			t.Skipf("the kernel, or its emulator, does not take the request: %v", err)
		}
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() { ask() }, Reset: func() { Drain(t, fd) }}
	}},
	{"pidfd", func(t testing.TB) Special {
		NeedProcesses(t)
		process, err := os.StartProcess("/bin/cat", []string{"cat"}, &os.ProcAttr{Files: []*os.File{pipeFile(t), os.Stderr, os.Stderr}})
		if err != nil {
			t.Skipf("no program can be started: %v", err)
		}
		fd := opened(t)(unix.PidfdOpen(process.Pid, 0))
		t.Cleanup(func() { process.Kill(); process.Wait() })
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() { process.Kill() }}
	}},
	{"mount table", func(t testing.TB) Special {
		fd := opened(t)(unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0))
		dir := t.TempDir()
		if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
			t.Skipf("no file system can be mounted: %v", err)
		}
		Check(t, unix.Unmount(dir, 0))
		return Special{Fd: fd, Events: unix.POLLPRI | unix.POLLERR, Cause: func() { unix.Mount("none", dir, "tmpfs", 0, ""); unix.Unmount(dir, 0) }, Reset: func() { asked(fd) }}
	}},
	{"host name", func(t testing.TB) Special {
		fd := opened(t)(unix.Open("/proc/sys/kernel/hostname", unix.O_RDWR|unix.O_CLOEXEC, 0))
		var name unix.Utsname
		Check(t, unix.Uname(&name))
		same := []byte(unix.ByteSliceToString(name.Nodename[:]))
		if err := unix.Sethostname(same); err != nil {
			t.Skipf("the host name cannot be set: %v", err)
		}
		return Special{Fd: fd, Events: unix.POLLPRI | unix.POLLERR, Cause: func() { unix.Sethostname(same) }, Reset: func() { asked(fd) }}
	}},
	{"attribute", func(t testing.TB) Special {
		group := Cgroup(t)
		fd := opened(t)(unix.Open(filepath.Join(group, "cgroup.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0))
		frozen := 0
		return Special{Fd: fd, Events: unix.POLLPRI | unix.POLLERR, Cause: func() {
			frozen ^= 1
			Check(t, os.WriteFile(filepath.Join(group, "cgroup.freeze"), fmt.Append(nil, frozen), 0))
		}, Reset: func() { unix.Pread(fd, make([]byte, 100), 0) }}
	}},
	{"perf event", func(t testing.TB) Special {
		attr := unix.PerfEventAttr{
			Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_PAGE_FAULTS,
			Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Sample: 1, Wakeup: 1, Sample_type: unix.PERF_SAMPLE_IP,
			Bits: unix.PerfBitDisabled, // the thread may have page faults of its own
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
					unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0)
					page[0] = 1
					unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_DISABLE, 0)
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
		return Special{Fd: fd, Events: unix.POLLIN, Cause: func() {
			done := make(chan bool)
			faults <- done
			<-done
		}, Reset: func() {
			atomic.StoreUint64(&page.Data_tail, atomic.LoadUint64(&page.Data_head))
			asked(fd)
		}}
	}},
	{"pressure", func(t testing.TB) Special {
		NeedProcesses(t)
		fd := opened(t)(unix.Open("/proc/pressure/cpu", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0))
		const trigger = "some 1000 2000000\x00" // microseconds for which somebody waits for a processor, in two seconds
		if _, err := unix.Write(fd, []byte(trigger)); err != nil {
			t.Skipf("no trigger can be set: %v", err)
		}
		return Special{Fd: fd, Events: unix.POLLPRI, Cause: func() {
			for range 2 * runtime.NumCPU() {
				busy := exec.Command("/bin/sh", "-c", "while :; do :; done")
				Check(t, busy.Start())
				t.Cleanup(func() { busy.Process.Kill(); busy.Wait() })
				unix.Setpriority(unix.PRIO_PROCESS, busy.Process.Pid, 19) // others need not notice
			}
		}}
	}},
	{"FUSE", func(t testing.TB) Special {
		var ready atomic.Bool
		f := OpenFuse(t, ready.Load)
		return Special{Fd: f.Fd, Events: unix.POLLIN, Cause: func() { ready.Store(true); f.Notify() }, Reset: func() { ready.Store(false) }}
	}},
	{"FUSE, once", func(t testing.TB) Special {
		f := OpenOnce(t)
		return Special{Fd: f.Fd, Events: unix.POLLIN, Cause: f.Cause, Reset: func() { f.ready.Store(false) }}
	}},
}

// Cgroup returns the directory of a control group without processes, which is removed at the end of the test.
func Cgroup(t testing.TB) string {
	root, err := os.MkdirTemp("", "pyselect")
	Check(t, err)
	t.Cleanup(func() { os.Remove(root) }) // alone: below it are the system's control groups as long as they are mounted
	if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
		t.Skipf("control groups cannot be mounted: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(root, unix.MNT_DETACH) })
	group, err := os.MkdirTemp(root, "pyselect")
	if err != nil {
		t.Skipf("no control group can be made: %v", err)
	}
	t.Cleanup(func() { os.Remove(group) })
	return group
}

// opened checks what opens a descriptor, which is closed at the end of the test.
func opened(t testing.TB) func(fd int, err error) int {
	return func(fd int, err error) int {
		t.Helper()
		if err != nil {
			t.Skipf("the system, or its emulator, lacks it: %v", err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
}

func pipeFile(t testing.TB) *os.File {
	r, w, err := os.Pipe()
	Check(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}

// asked takes away what the file has to say.
func asked(fd int) { unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLPRI}}, 0) }
