//go:build linux

package pyselect_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

var (
	shapes      = []testkit.Shape{{Watched: 10, Ready: 1}, {Watched: 400, Ready: 40}, {Watched: 400, Ready: 400}}
	largeShapes = []testkit.Shape{{Watched: 10_000, Ready: 1}, {Watched: 10_000, Ready: 100}}
)

func BenchmarkEpollPollInto(b *testing.B) {
	testkit.Run(b, append(shapes, largeShapes...), func(b *testing.B, fds []int, ready int) {
		testkit.Compare(b, func(b *testing.B) {
			e, events := testkit.NewEpoll(b, 0, fds...), make([]pyselect.EpollEvent, len(fds))
			for b.Loop() {
				if n, err := e.PollInto(events, 0); n != ready || err != nil {
					b.Fatal(n, err)
				}
			}
		}, func(b *testing.B) { testkit.BenchmarkEpollWait(b, fds, ready) })
	})
}

func BenchmarkEpollPoll(b *testing.B) {
	testkit.Run(b, shapes, func(b *testing.B, fds []int, ready int) {
		testkit.Compare(b, func(b *testing.B) {
			e := testkit.NewEpoll(b, 0, fds...)
			for b.Loop() {
				if events, err := e.Poll(0, -1); len(events) != ready || err != nil {
					b.Fatal(events, err)
				}
			}
		}, func(b *testing.B) { testkit.BenchmarkEpollWait(b, fds, ready) })
	})
}

func BenchmarkPollPollInto(b *testing.B) {
	testkit.Run(b, shapes, func(b *testing.B, fds []int, ready int) {
		testkit.Compare(b, func(b *testing.B) {
			p, events := pyselect.NewPoll(), make([]pyselect.PollEvent, len(fds))
			for _, fd := range fds {
				check(b, p.Register(fd, pyselect.POLLIN))
			}
			for b.Loop() {
				if n, err := p.PollInto(events, 0); n != ready || err != nil {
					b.Fatal(n, err)
				}
			}
		}, func(b *testing.B) {
			entries, events := make([]unix.PollFd, len(fds)), make([]unix.PollFd, len(fds))
			for i, fd := range fds {
				entries[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
			}
			for b.Loop() {
				n, err := unix.Poll(entries, 0)
				events = events[:0]
				for _, e := range entries {
					if e.Revents != 0 {
						events = append(events, e)
					}
				}
				if n != ready || len(events) != ready || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	})
}

func BenchmarkSelect(b *testing.B) {
	testkit.Run(b, shapes, func(b *testing.B, fds []int, ready int) {
		testkit.Compare(b, func(b *testing.B) {
			for b.Loop() {
				if readable, _, _, err := pyselect.Select(fds, nil, nil, 0); len(readable) != ready || err != nil {
					b.Fatal(readable, err)
				}
			}
		}, func(b *testing.B) {
			var all unix.FdSet
			for _, fd := range fds {
				all.Set(fd)
			}
			nfds, readable := fds[len(fds)-1]+1, make([]int, len(fds))
			for b.Loop() {
				set, timeout := all, unix.Timeval{}
				n, err := unix.Select(nfds, &set, nil, nil, &timeout)
				readable = readable[:0]
				for _, fd := range fds {
					if set.IsSet(fd) {
						readable = append(readable, fd)
					}
				}
				if n != ready || len(readable) != ready || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	})
}

func BenchmarkEpollModify(b *testing.B) {
	fd := testkit.Eventfds(b, 1, 0)[0]
	testkit.Compare(b, func(b *testing.B) {
		e := testkit.NewEpoll(b, 0, fd)
		for mask := pyselect.EPOLLOUT; b.Loop(); mask ^= pyselect.EPOLLIN | pyselect.EPOLLOUT {
			check(b, e.Modify(fd, mask))
		}
	}, func(b *testing.B) {
		epfd, event := testkit.RawEpoll(b, fd), unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)}
		for ; b.Loop(); event.Events ^= unix.EPOLLIN | unix.EPOLLOUT {
			check(b, unix.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fd, &event))
		}
	})
}

func BenchmarkEpollRegisterUnregister(b *testing.B) {
	fd := testkit.Eventfds(b, 1, 0)[0]
	testkit.Compare(b, func(b *testing.B) {
		e := testkit.NewEpoll(b, 0)
		for b.Loop() {
			check(b, e.Register(fd, pyselect.EPOLLIN))
			check(b, e.Unregister(fd))
		}
	}, func(b *testing.B) {
		epfd, event := testkit.RawEpoll(b), unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		for b.Loop() {
			check(b, unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &event))
			check(b, unix.EpollCtl(epfd, unix.EPOLL_CTL_DEL, fd, nil))
		}
	})
}

func BenchmarkEpollPingPong(b *testing.B) {
	for _, test := range []struct {
		name    string
		timeout time.Duration
		msec    int
	}{{"forever", pyselect.Forever, -1}, {"1s", time.Second, 1000}} {
		b.Run(test.name, func(b *testing.B) {
			testkit.Compare(b, func(b *testing.B) {
				testkit.PingPong(b, func(fd int) func() (int, error) {
					e, events := testkit.NewEpoll(b, 0, fd), make([]pyselect.EpollEvent, 1)
					return func() (int, error) { return e.PollInto(events, test.timeout) }
				})
			}, func(b *testing.B) { testkit.PingPongEpollWait(b, test.msec) })
		})
	}
}
