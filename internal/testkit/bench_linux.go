package testkit

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// A Shape is how many descriptors are watched, and how many of these are ready.
type Shape struct{ Watched, Ready int }

// Run runs a benchmark with the descriptors of each shape.
func Run(b *testing.B, shapes []Shape, benchmark func(b *testing.B, fds []int, ready int)) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%d-%d", s.Watched, s.Ready), func(b *testing.B) {
			benchmark(b, Eventfds(b, s.Watched, s.Ready), s.Ready)
		})
	}
}

// Compare runs the work of the library beside the same work with golang.org/x/sys/unix; benchstat -col /impl compares them.
func Compare(b *testing.B, pyselect, xsys func(b *testing.B)) {
	b.Run("impl=pyselect", func(b *testing.B) { b.ReportAllocs(); pyselect(b) })
	b.Run("impl=xsys", func(b *testing.B) { b.ReportAllocs(); xsys(b) })
}

// Eventfds returns n eventfds, of which some are readable, evenly spread. They are closed at the end of the test.
func Eventfds(t testing.TB, n, ready int) []int {
	t.Helper()
	NeedFds(t, n+64)
	fds := make([]int, n)
	for i := range fds {
		count := (i+1)*ready/n - i*ready/n
		fd, err := unix.Eventfd(uint(count), unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
	return fds
}

// RawEpoll returns an epoll descriptor that watches fds for reading. It is closed at the end of the test.
func RawEpoll(t testing.TB, fds ...int) (epfd int) {
	t.Helper()
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(epfd) })
	for _, fd := range fds {
		if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			t.Fatal(err)
		}
	}
	return epfd
}

// BenchmarkEpollWait looks for what is ready among fds.
func BenchmarkEpollWait(b *testing.B, fds []int, ready int) {
	epfd, events := RawEpoll(b, fds...), make([]unix.EpollEvent, len(fds))
	for b.Loop() {
		if n, err := unix.EpollWait(epfd, events, 0); n != ready || err != nil {
			b.Fatal(n, err)
		}
	}
}

// PingPongEpollWait is PingPong with epoll_wait, which ends early when a signal of Go's scheduler arrives.
func PingPongEpollWait(b *testing.B, msec int) {
	PingPong(b, func(fd int) func() (int, error) {
		epfd, events := RawEpoll(b, fd), make([]unix.EpollEvent, 1)
		return func() (int, error) {
			for {
				if n, err := unix.EpollWait(epfd, events, msec); err != unix.EINTR {
					return n, err
				}
			}
		}
	})
}

// PingPong passes a byte to and fro between two goroutines. Each waits for its end of a socketpair with what newWait
// returns for it.
func PingPong(b *testing.B, newWait func(fd int) (wait func() (int, error))) {
	b.Helper()
	ping, pong := Socketpair(b)
	waitPing, waitPong := newWait(ping), newWait(pong)
	pass := func(wait func() (int, error), from, to int) error {
		n, err := wait()
		if n != 1 || err != nil {
			return fmt.Errorf("%d ready: %w", n, err)
		}
		var buf [1]byte
		if n, err := unix.Read(from, buf[:]); n != 1 || err != nil || buf[0] == 0 {
			return fmt.Errorf("read %d bytes, %d: %w", n, buf[0], err)
		}
		_, err = unix.Write(to, buf[:])
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pass(waitPong, pong, pong) == nil {
		}
	}()
	Write(b, ping, "x")
	for b.Loop() {
		if err := pass(waitPing, ping, ping); err != nil {
			b.Fatal(err)
		}
	}
	Write(b, ping, "\x00")
	<-ended
}
