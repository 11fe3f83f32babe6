//go:build unix || windows

package testkit

import (
	"runtime/metrics"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
)

// Crowd lets size goroutines wait, each with the function that join returns for a pipe of its own and for a pipe that all have
// in common. It wakes some of them alone and then all, and checks that they add no more than so many threads.
func Crowd(t *testing.T, size, threads int, join func(own, common int) (wait func() (n int, err error))) {
	NotEmulated(t, "select above 1024 descriptors")
	NeedFds(t, 4*size+200)
	common, quit := Pipe(t)
	waits, owns := make([]func() (int, error), size), make([]int, size)
	for i := range waits {
		var r int
		r, owns[i] = Pipe(t)
		waits[i] = join(r, common)
	}
	before := pprof.Lookup("threadcreate").Count()
	var woken atomic.Int32
	var all sync.WaitGroup
	for _, wait := range waits {
		all.Go(func() {
			if n, err := wait(); n < 1 || err != nil {
				t.Errorf("%d ready, %v", n, err)
			}
			woken.Add(1)
		})
	}
	Eventually(t, "the goroutines to wait", func() bool { return Parked() >= size-threads })
	const alone = 10
	for i := range alone {
		Write(t, owns[i], "x")
		Eventually(t, "one to wake", func() bool { return woken.Load() > int32(i) })
	}
	if n := woken.Load(); n != alone {
		t.Errorf("%d have woken, want %d", n, alone)
	}
	Write(t, quit, "x")
	for _, own := range owns[alone:] { // not all wait for the other pipe
		Write(t, own, "x")
	}
	all.Wait()
	if created := pprof.Lookup("threadcreate").Count() - before; created > threads {
		t.Errorf("%d threads were created, want no more than %d", created, threads)
	}
}

// Parked returns the number of goroutines that wait, but not in a system call.
func Parked() int {
	sample := []metrics.Sample{{Name: "/sched/goroutines/waiting:goroutines"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
