//go:build unix

package socket_test

import (
	"io"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
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

// BenchmarkSendThatWaits sends so much that a blocking Send has to wait some times, and compares that with a net.TCPConn of
// the same connection. It takes the
// median of each, since both wait for other goroutines.
func BenchmarkSendThatWaits(b *testing.B) {
	data := make([]byte, 4<<20)
	conn, server := testkit.TCPPair(b)
	check(b, conn.SetWriteBuffer(1<<19))
	go io.Copy(io.Discard, server)
	s, err := socket.FromConn(conn)
	check(b, err)
	own(b, s)
	var times [2][]time.Duration
	for b.Loop() {
		for i, send := range [2]func([]byte) (int, error){conn.Write, func(p []byte) (int, error) { return s.Send(p) }} {
			begin := time.Now()
			if n, err := send(data); n != len(data) || err != nil {
				b.Fatal(n, err)
			}
			times[i] = append(times[i], time.Since(begin))
		}
	}
	for _, t := range times {
		slices.Sort(t)
	}
	write, send := times[0][len(times[0])/2], times[1][len(times[1])/2]
	b.ReportMetric(float64(write.Microseconds()), "net-us")
	b.ReportMetric(float64(send.Microseconds()), "method-us")
	b.ReportMetric(float64(send)/float64(write), "x")
	b.ReportMetric(0, "ns/op")
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
