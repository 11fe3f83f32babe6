package sys_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
)

func newEpoll(t *testing.T) (epfd int) {
	t.Helper()
	epfd, err := sys.EpollCreate()
	check(t, err)
	t.Cleanup(func() { unix.Close(epfd) })
	return epfd
}

// finds are the calls that find events.
var finds = map[string]func(epfd int, events []unix.EpollEvent) (int, error){
	"look":       func(epfd int, events []unix.EpollEvent) (int, error) { return sys.EpollLook(epfd, events, false) },
	"brief look": func(epfd int, events []unix.EpollEvent) (int, error) { return sys.EpollLook(epfd, events, true) },
	"wait":       func(epfd int, events []unix.EpollEvent) (int, error) { return sys.EpollWait(epfd, events, sys.Never) },
	"short wait": func(epfd int, events []unix.EpollEvent) (int, error) { return sys.EpollWait(epfd, events, sys.Now) },
	"timed wait": func(epfd int, events []unix.EpollEvent) (int, error) {
		return sys.EpollWait(epfd, events, sys.After(testkit.Patience))
	},
}

func TestEpollFinds(t *testing.T) {
	testkit.NoLeaks(t)
	const n = 100
	epfd, tags := newEpoll(t), map[int32]int32{}
	for i, fd := range testkit.Eventfds(t, n+2, n+2) {
		brief := i%2 == 0
		check(t, sys.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, unix.EPOLLOUT, 1, brief))
		switch i {
		case n:
			check(t, sys.EpollCtl(epfd, unix.EPOLL_CTL_DEL, fd, 0, 0, brief))
		case n + 1:
			check(t, sys.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fd, 0, 0, brief))
		default:
			tags[int32(fd)] = -int32(i)
			check(t, sys.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fd, unix.EPOLLIN, -uint32(i), brief))
		}
	}
	for name, find := range finds {
		for _, room := range []int{1, 64, 65, n, 2 * n} {
			events, seen := make([]unix.EpollEvent, room), map[int32]bool{}
			found, err := find(epfd, events)
			if found != min(room, n) || err != nil {
				t.Fatalf("%s with room for %d: found %d, %v", name, room, found, err)
			}
			for _, e := range events[:found] {
				if tag, ok := tags[e.Fd]; !ok || seen[e.Fd] || e.Pad != tag || e.Events != unix.EPOLLIN {
					t.Errorf("%s with room for %d: found %+v, want the tag %d, once", name, room, e, tag)
				}
				seen[e.Fd] = true
			}
		}
	}
}

func TestEpollFails(t *testing.T) {
	testkit.NoLeaks(t)
	epfd, events := newEpoll(t), make([]unix.EpollEvent, 1)
	a, _ := sockets(t)
	bad := closed(t, a, 0)
	wants := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("error is %v, want %v", err, want)
		}
	}
	for _, brief := range []bool{false, true} {
		wants(sys.EpollCtl(epfd, unix.EPOLL_CTL_MOD, a, 0, 0, brief), unix.ENOENT)
		wants(sys.EpollCtl(epfd, unix.EPOLL_CTL_DEL, bad, 0, 0, brief), unix.EBADF)
		wants(sys.EpollCtl(epfd, unix.EPOLL_CTL_ADD, epfd, 0, 0, brief), unix.EINVAL)
	}
	for _, find := range finds {
		_, err := find(bad, events)
		wants(err, unix.EBADF)
		_, err = find(a, events)
		wants(err, unix.EINVAL)
	}
	testkit.NoMoreFds(t, 0)
	_, err := sys.EpollCreate()
	wants(err, unix.EMFILE)
	_, err = sys.NewWaker()
	wants(err, unix.EMFILE)
}

func TestEpollSleeps(t *testing.T) {
	epfd, events := newEpoll(t), make([]unix.EpollEvent, 1)
	wait := func(d sys.Deadline) (int, error) { return sys.EpollWait(epfd, events, d) }
	sleeps(t, "EpollWait", wait)
	defer sys.NoPwait2.Store(sys.NoPwait2.Swap(true))
	sleeps(t, "EpollWait without epoll_pwait2", wait)
}
