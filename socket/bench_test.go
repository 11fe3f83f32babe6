//go:build unix

package socket_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
)

// The benchmarks compare a method with the bare system call. They measure both in turn, in short batches of which they take
// the fastest, so that what else the machine does falls on neither.

func BenchmarkSend(b *testing.B) {
	fd, peer := testkit.Socketpair(b)
	s := duplicate(b, fd)
	p := make([]byte, 64)
	compare(b,
		func() (int, error) { return s.Send(p) },
		func() (int, error) { return unix.Write(fd, p) },
		func() { testkit.Drain(b, peer) })
}

func BenchmarkRecv(b *testing.B) {
	fd, peer := testkit.Socketpair(b)
	s := duplicate(b, fd)
	p, full := make([]byte, 64), make([]byte, 64*batch)
	compare(b,
		func() (int, error) { return s.Recv(p) },
		func() (int, error) { return unix.Read(fd, p) },
		func() { testkit.Write(b, peer, string(full)) })
}

// BenchmarkRecvWouldBlock is the call that there is nothing for, after which a program goes back to its selector.
func BenchmarkRecvWouldBlock(b *testing.B) {
	fd, _ := testkit.Socketpair(b)
	s := duplicate(b, fd)
	s.Setblocking(false)
	p := make([]byte, 64)
	compare(b,
		func() (int, error) { return s.Recv(p) },
		func() (int, error) { return unix.Read(fd, p) },
		func() {})
}

const batch = 100

func compare(b *testing.B, method, bare func() (int, error), prepare func()) {
	b.ReportAllocs()
	best := [2]time.Duration{1 << 62, 1 << 62}
	for b.Loop() {
		for i, call := range [2]func() (int, error){bare, method} {
			b.StopTimer()
			prepare()
			b.StartTimer()
			begin := time.Now()
			for range batch {
				call()
			}
			best[i] = min(best[i], time.Since(begin))
		}
	}
	b.ReportMetric(float64(best[0].Nanoseconds())/batch, "syscall-ns")
	b.ReportMetric(float64(best[1].Nanoseconds())/batch, "method-ns")
	b.ReportMetric(float64(best[1])/float64(best[0]), "x")
	b.ReportMetric(0, "ns/op")
}
