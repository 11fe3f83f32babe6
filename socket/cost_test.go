//go:build unix || windows

package socket_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestNoAllocations(t *testing.T) {
	if testkit.RaceDetector() {
		t.Skip("the race detector allocates")
	}
	testkit.NoLeaks(t)
	a, b := pair(t)
	p := make([]byte, 100)
	nothing := func(name string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	roundtrip := func() {
		if n, err := a.Send(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		if n, err := b.Recv(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	nothing("a blocking socket", roundtrip)
	nothing("Sendall", func() {
		check(t, a.Sendall(p))
		if n, err := b.Recv(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	})
	check(t, a.Settimeout(time.Hour))
	check(t, b.Settimeout(time.Hour))
	nothing("a socket with a timeout", roundtrip)
	a.Setblocking(false)
	b.Setblocking(false)
	nothing("a non-blocking socket", roundtrip)
	nothing("nothing to receive", func() {
		if _, err := a.Recv(p); !errors.Is(err, socket.ErrWouldBlock) {
			t.Fatal(err)
		}
	})
	x, y := newUDP(t), newUDP(t)
	if addr := sockname(t, y); runtime.GOOS == "linux" || runtime.GOOS == "windows" {
		nothing("Sendto and Recvfrom", func() {
			if n, err := x.Sendto(p, addr); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if n, _, err := y.Recvfrom(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		})
	}
	fill(t, a)
	nothing("no room to send", func() {
		if _, err := a.Send(p); !errors.Is(err, socket.ErrWouldBlock) {
			t.Fatal(err)
		}
	})
}

func TestNoAllocationsWhenWaiting(t *testing.T) {
	if testkit.RaceDetector() {
		t.Skip("the race detector allocates")
	}
	for _, timeout := range []time.Duration{time.Hour, 1<<63 - 1} {
		if timeout != time.Hour && runtime.GOOS != "linux" && runtime.GOOS != "windows" {
			t.Skip("package unix allocates for SO_RCVTIMEO")
		}
		testkit.NoLeaks(t)
		a, b := pair(t)
		check(t, a.Settimeout(timeout))
		check(t, b.Settimeout(timeout))
		echo := testkit.Go(t, func() {
			p := make([]byte, 10)
			for {
				n := must[int](t)(b.Recv(p))
				if n == 0 {
					return
				}
				must[int](t)(b.Send(p[:n]))
			}
		})
		p := make([]byte, 10)
		if n := testing.AllocsPerRun(200, func() {
			must := func(n int, err error) {
				if n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			must(a.Send(p))
			must(a.Recv(p))
		}); n != 0 {
			t.Errorf("timeout %v: %v allocations in a round trip", timeout, n)
		}
		check(t, a.Shutdown(socket.SHUT_WR))
		echo.Wait()
	}
}

// Waiting must not occupy threads: there would be as many as goroutines.
func TestNoThreads(t *testing.T) {
	const waiters, newThreads = 1000, 250
	testkit.NoLeaks(t)
	testkit.NeedFds(t, 3*waiters+100)
	var wg sync.WaitGroup
	var sockets []*socket.Socket
	threads := pprof.Lookup("threadcreate").Count()
	for range waiters {
		a, b := pair(t)
		sockets = append(sockets, a, b)
		wg.Go(func() {
			_, err := a.Recv(make([]byte, 1))
			wantError(t, err, os.ErrClosed)
		})
	}
	buf := make([]byte, 16<<20)
	testkit.Eventually(t, "the goroutines to wait", func() bool {
		return bytes.Count(buf[:runtime.Stack(buf, true)], []byte(".(*Socket).wait(")) >= waiters
	})
	if created := pprof.Lookup("threadcreate").Count() - threads; created > newThreads {
		t.Errorf("%d goroutines that wait have made %d threads", waiters, created)
	}
	for _, s := range sockets {
		check(t, s.Close())
	}
	wg.Wait()
}

// Many goroutines use the two ends of a connection, until others close these.
func TestConcurrentUse(t *testing.T) {
	testkit.NoLeaks(t)
	for range 20 {
		a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
		check(t, err)
		check(t, b.Settimeout(50*time.Microsecond))
		var wg sync.WaitGroup
		var calls atomic.Int64
		over := func(err error) bool {
			for _, expected := range []error{os.ErrDeadlineExceeded, socket.ErrBrokenPipe, socket.ErrConnectionReset, socket.ErrConnectionAborted, socket.ErrNotConnected, nil} {
				if errors.Is(err, expected) {
					return false
				}
			}
			wantError(t, err, os.ErrClosed)
			return true
		}
		use := func(f func(p []byte) (int, error)) {
			for range 4 {
				wg.Go(func() {
					p := make([]byte, 100)
					for {
						if _, err := f(p); over(err) {
							return
						}
						calls.Add(1)
					}
				})
			}
		}
		use(func(p []byte) (int, error) { return a.Send(p) })
		use(func(p []byte) (int, error) { return a.Recv(p) })
		use(func(p []byte) (int, error) { return b.Recv(p) })
		use(func(p []byte) (int, error) { return b.Send(p) })
		use(func(p []byte) (int, error) { return b.Fileno() })
		testkit.Eventually(t, "some work", func() bool { return calls.Load() > 1000 })
		wg.Go(func() { check(t, a.Close()) })
		wg.Go(func() { check(t, b.Close()) })
		wg.Wait()
	}
}
