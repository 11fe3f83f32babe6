//go:build linux

package selectors_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

func watching(b *testing.B, fds ...int) *selectors.EpollSelector {
	b.Helper()
	sel, err := selectors.NewEpollSelector()
	check(b, err)
	b.Cleanup(func() { sel.Close() })
	for _, fd := range fds {
		_, err := sel.Register(fd, read, nil)
		check(b, err)
	}
	return sel
}

var shapes = []testkit.Shape{
	{Watched: 10, Ready: 1}, {Watched: 400, Ready: 40}, {Watched: 400, Ready: 400},
	{Watched: 10_000, Ready: 1}, {Watched: 10_000, Ready: 100},
}

func BenchmarkEpollSelectInto(b *testing.B) {
	testkit.Run(b, shapes, func(b *testing.B, fds []int, ready int) {
		testkit.Compare(b, func(b *testing.B) {
			sel, buf := watching(b, fds...), make([]selectors.Ready, len(fds))
			for b.Loop() {
				if n, err := sel.SelectInto(buf, 0); n != ready || err != nil {
					b.Fatal(n, err)
				}
			}
		}, func(b *testing.B) { testkit.BenchmarkEpollWait(b, fds, ready) })
	})
}

func BenchmarkEpollSelect(b *testing.B) {
	testkit.Run(b, shapes, func(b *testing.B, fds []int, ready int) {
		testkit.Compare(b, func(b *testing.B) {
			sel := watching(b, fds...)
			for b.Loop() {
				if found, err := sel.Select(0); len(found) != ready || err != nil {
					b.Fatal(found, err)
				}
			}
		}, func(b *testing.B) { testkit.BenchmarkEpollWait(b, fds, ready) })
	})
}

func BenchmarkEpollModify(b *testing.B) {
	fd := testkit.Eventfds(b, 1, 0)[0]
	b.Run("events", func(b *testing.B) {
		testkit.Compare(b, func(b *testing.B) {
			sel := watching(b, fd)
			for events := write; b.Loop(); events ^= read | write {
				_, err := sel.Modify(fd, events, nil)
				check(b, err)
			}
		}, func(b *testing.B) {
			epfd, event := testkit.RawEpoll(b, fd), unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)}
			for ; b.Loop(); event.Events ^= unix.EPOLLIN | unix.EPOLLOUT {
				check(b, unix.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fd, &event))
			}
		})
	})
	b.Run("data", func(b *testing.B) {
		sel, data := watching(b, fd), [2]any{"a", "b"}
		b.ReportAllocs()
		for i := 0; b.Loop(); i ^= 1 {
			_, err := sel.Modify(fd, read, data[i])
			check(b, err)
		}
	})
}

func BenchmarkEpollRegisterUnregister(b *testing.B) {
	fd := testkit.Eventfds(b, 1, 0)[0]
	testkit.Compare(b, func(b *testing.B) {
		sel := watching(b)
		for b.Loop() {
			_, err := sel.Register(fd, read, nil)
			check(b, err)
			_, err = sel.Unregister(fd)
			check(b, err)
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
	testkit.Compare(b, func(b *testing.B) {
		testkit.PingPong(b, func(fd int) func() (int, error) {
			sel, buf := watching(b, fd), make([]selectors.Ready, 1)
			return func() (int, error) { return sel.SelectInto(buf, pyselect.Forever) }
		})
	}, func(b *testing.B) { testkit.PingPongEpollWait(b, -1) })
}
