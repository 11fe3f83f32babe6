package sys_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

func TestSteady(t *testing.T) {
	open := func(name string, mode int) (int, error) {
		return unix.Open(name, mode|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	}
	type kind struct {
		name string
		want bool
		open func(t *testing.T) (fd int, err error)
	}
	kinds := []kind{
		{"socket", true, func(*testing.T) (int, error) { return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) }},
		{"pipe", true, func(t *testing.T) (int, error) { r, _ := testkit.Pipe(t); return unix.Dup(r) }},
		{"FIFO", true, func(t *testing.T) (int, error) {
			name := filepath.Join(t.TempDir(), "fifo")
			check(t, unix.Mkfifo(name, 0o600))
			return open(name, os.O_RDWR)
		}},
		{"regular file", false, func(t *testing.T) (int, error) { return unix.Dup(int(testkit.File(t).Fd())) }},
		{"directory", false, func(*testing.T) (int, error) { return open("/", os.O_RDONLY) }},
		{"/proc/self/mounts", false, func(*testing.T) (int, error) { return open("/proc/self/mounts", os.O_RDONLY) }},
		{"/dev/null", false, func(*testing.T) (int, error) { return open("/dev/null", os.O_RDWR) }},
		{"epoll", false, func(*testing.T) (int, error) { return sys.EpollCreate() }},
		{"memfd", false, func(*testing.T) (int, error) { return unix.MemfdCreate("anon_inode:[eventfd]", unix.MFD_CLOEXEC) }},
		{"fanotify", false, func(*testing.T) (int, error) { return unix.FanotifyInit(unix.FAN_CLOEXEC, 0) }},
		{"userfaultfd", false, func(*testing.T) (int, error) {
			fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
			if errno != 0 {
				return -1, errno
			}
			return int(fd), nil
		}},
	}
	steady := map[string]bool{"eventfd": true, "timerfd": true, "inotify": true, "pty": true, "netlink": true}
	for _, s := range testkit.Specials {
		kinds = append(kinds, kind{s.Name, steady[s.Name], func(t *testing.T) (int, error) { return unix.Dup(s.Open(t).Fd) }})
	}
	for _, test := range kinds {
		t.Run(test.name, func(t *testing.T) {
			fd, err := test.open(t)
			if err != nil {
				t.Skip("the system, or its emulator, lacks it: ", err)
			}
			steady, brief := sys.Steady(fd)
			if wantBrief := test.want && test.name != "pty"; steady != test.want || brief != wantBrief {
				t.Errorf("got %t, brief: %t, want %t, brief: %t", steady, brief, test.want, wantBrief)
			}
			check(t, unix.Close(fd))
			if steady, brief := sys.Steady(fd); steady || brief {
				t.Error("what is closed is steady or brief")
			}
		})
	}
}
