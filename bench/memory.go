//go:build linux

package main

import (
	"os"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
)

// quantityWorks measure something else than time, with a number of descriptors or goroutines.
var quantityWorks = map[string]func(count int) float64{
	"heap-int": func(count int) float64 { return heapPerKey(count, func(fd int) any { return fd }) },
	"heap-file": func(count int) float64 {
		return heapPerKey(count, func(fd int) any { return os.NewFile(uintptr(fd), "") })
	},
	"waiting-threads": func(count int) float64 { threads, _ := waiting(count); return threads },
	"waiting-bytes":   func(count int) float64 { _, bytes := waiting(count); return bytes },
}

// heapPerKey returns the bytes that an EpollSelector needs for each of its keys.
func heapPerKey(count int, fileobj func(fd int) any) float64 {
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
	return float64(grown) / float64(count)
}

// waiting returns how many threads are added when count goroutines wait on an Epoll each, and the bytes of heap and stack
// for each.
func waiting(count int) (threads, bytes float64) {
	const sharers = 100 // Epolls that watch the same descriptor; the kernel has a limit for them
	fds := eventfds((count+sharers-1)/sharers, 0)
	epolls := make([]*pyselect.Epoll, count)
	before, threadsBefore := memory(), countThreads()
	for i := range epolls {
		epolls[i] = newEpoll(fds[i/sharers])
		go func() {
			var events [1]pyselect.EpollEvent
			_, err := epolls[i].PollInto(events[:], pyselect.Forever)
			check(err)
		}()
	}
	for blocked() < uint64(count) {
		time.Sleep(time.Millisecond)
	}
	after := memory()
	grown := after.HeapAlloc + after.StackInuse - before.HeapAlloc - before.StackInuse
	return float64(countThreads() - threadsBefore), float64(grown) / float64(count)
}

// blocked returns the number of goroutines that are blocked, in Go's scheduler or in the kernel.
func blocked() uint64 {
	samples := []metrics.Sample{{Name: "/sched/goroutines/waiting:goroutines"}, {Name: "/sched/goroutines/not-in-go:goroutines"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}

func countThreads() int {
	tasks, err := os.ReadDir("/proc/self/task")
	check(err)
	return len(tasks)
}

// memory returns what is in use after a garbage collection.
func memory() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC() // the first one has only found what has a finalizer or cleanup
	runtime.ReadMemStats(&m)
	return m
}
