//go:build linux

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/pyselect/pyselect/selectors"
)

// quantityWorks measure something else than the time of an operation, with a number of descriptors or goroutines.
var quantityWorks = map[string]func(count int) sample{
	"heap-int":    heapPerKey(func(fd int) any { return fd }),
	"heap-file":   heapPerKey(func(fd int) any { return os.NewFile(uintptr(fd), "") }),
	"epoll-bytes": epollBytes,
	"select-heap": selectHeap,
	"pause":       pauseBeside(pollWait),
	"xsys-pause":  pauseBeside(xsysPollWait),
}

// heapPerKey measures the bytes that an EpollSelector needs for each of its keys.
func heapPerKey(fileobj func(fd int) any) func(count int) sample {
	return func(count int) sample {
		objects := make([]any, count)
		for i, fd := range eventfds(count, 0) {
			objects[i] = fileobj(fd)
		}
		sel := newSelector(selectors.NewEpollSelector)
		before := memory()
		for _, obj := range objects {
			_, err := sel.Register(obj, selectors.EventRead, nil)
			check(err)
		}
		grown := memory().HeapAlloc - before.HeapAlloc
		runtime.KeepAlive(sel)
		runtime.KeepAlive(objects)
		return sample{value: float64(grown) / float64(count)}
	}
}

// epollBytes measures the heap and the stack of each goroutine of a crowd.
func epollBytes(count int) sample {
	before := memory()
	crowd{prepare: epollWait, own: true}.gather(count)
	after := memory()
	return sample{value: float64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse) / float64(count)}
}

// selectHeap measures by how much the heap of a goroutine that waits in Select for two descriptors is larger than that of one that
// does nothing.
func selectHeap(count int) sample {
	before := memory().HeapAlloc
	for range count {
		go func() { select {} }()
	}
	idle := memory().HeapAlloc
	crowd{prepare: selectWait, own: true, common: true}.gather(count)
	return sample{value: (float64(memory().HeapAlloc-idle) - float64(idle-before)) / float64(count)}
}

// memory returns what is in use after a garbage collection.
func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC() // the first one has only found what has a finalizer or cleanup
	runtime.ReadMemStats(&m)
	return m
}

// pauseBeside measures the nanoseconds for which the garbage collector stops the world while a goroutine looks again and again
// whether one of the descriptors is ready.
func pauseBeside(prepare waiter) func(count int) sample {
	return func(count int) sample {
		look := prepare(eventfds(count, 0)...)
		go func() {
			for {
				ready, err := look(0)
				checkReady(ready, 0, err)
			}
		}()
		for range 256 { // as many pauses are remembered
			runtime.GC()
		}
		stats := debug.GCStats{PauseQuantiles: make([]time.Duration, 3)} // least, median and most
		debug.ReadGCStats(&stats)
		return sample{value: float64(stats.PauseQuantiles[1])}
	}
}
