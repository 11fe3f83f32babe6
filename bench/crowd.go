//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime/metrics"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
)

// A crowd is many goroutines that wait at the same time, each for a pipe of its own, for one that is common to all, or both.
type crowd struct {
	name        string
	prepare     waiter
	own, common bool
	fds         int // descriptors for each: the pipe, an epoll and its duplicate, or an eventfd
	count       int
	threads     float64 // how many it may add
	seconds     float64 // until all are awake, unless zero
}

var crowds = []crowd{
	{"Select", selectWait, true, true, 1, 10_000, 16, 3},
	{"Poll", pollWait, true, true, 1, 10_000, 16, 3},
	{"SelectSelector", selectorWait(selectors.NewSelectSelector), true, true, 2, 10_000, 16, 3},
	{"PollSelector", selectorWait(selectors.NewPollSelector), true, true, 2, 10_000, 16, 3},
	{"Epoll", epollWait, true, false, 3, 10_000, 16, 3},
	{"EpollSelector", selectorWait(selectors.NewEpollSelector), true, false, 3, 10_000, 16, 3},
	{"Epoll, the same pipe", epollWait, false, true, 2, 4_000, 32, 0},
	{"EpollSelector, the same pipe", selectorWait(selectors.NewEpollSelector), false, true, 2, 4_000, 32, 0},
}

func init() {
	for _, c := range crowds {
		quantityWorks["crowd "+c.name] = c.measure
	}
}

func (b *bench) measureCrowds(report *strings.Builder) error {
	const fds = 1 << 15
	limit, err := raiseLimit(fds)
	if err != nil {
		return err
	}
	t := table{
		intro: fmt.Sprintf(`## Crowds

Goroutines that wait at the same time, without a timeout: by how many the threads of the process grow until all have
returned, and the seconds from the first byte that wakes them until then. In Select, Poll and their selectors, each waits for
a pipe of its own and for one of all, through which all are woken; in Epoll and its selector, for a pipe of its own, through
which it is woken, or all wait for the same pipe. There are fewer of them where the process may not have as many descriptors
as they need; here it may have %s.`, count(limit)),
		head: []string{"crowd", "goroutines", "threads", "seconds", "target", ""},
	}
	few := *b
	few.rounds = min(b.rounds, 5)
	for _, c := range crowds {
		if !b.starts("Crowd in %s", c.name) {
			continue
		}
		n := min(c.count, (limit-100)/c.fds)
		samples, err := few.compare(contestant{here, "crowd " + c.name, shape{n, 0}})
		if err != nil {
			return err
		}
		threads, seconds := median(samples[0], value), median(samples[0], more)
		var v verdict
		v.add(fmt.Sprintf("≤ %v threads", c.threads), threads <= c.threads, "threads")
		if c.seconds > 0 {
			v.add(fmt.Sprintf("≤ %v s", c.seconds), seconds <= c.seconds, "seconds")
		}
		t.row(append([]string{c.name, count(n), fmt.Sprint(threads), number(seconds)}, v.cells()...)...)
	}
	t.write(report)
	return nil
}

// raiseLimit lets this process and those that it starts have so many descriptors, if that is permitted, and returns how many
// they may have.
func raiseLimit(fds uint64) (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	if limit.Max < fds && unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: fds, Max: fds}) == nil {
		limit.Max = fds
	}
	return int(limit.Max), nil
}

func (c crowd) measure(count int) sample {
	before := countThreads()
	wake := c.gather(count)
	start := time.Now()
	wake()
	seconds := time.Since(start).Seconds()
	return sample{float64(countThreads() - before), seconds}
}

// gather lets goroutines wait, and returns when all do, with a function that wakes them and returns when all are awake.
func (c crowd) gather(count int) (wake func()) {
	var wakers []int
	var common int
	if c.common {
		common = newPipe()
		wakers = []int{common}
	}
	var awake sync.WaitGroup
	before := blocked()
	for range count {
		var fds []int
		if c.own {
			fds = append(fds, newPipe())
		}
		if c.common {
			fds = append(fds, common)
		} else {
			wakers = append(wakers, fds...)
		}
		wait := c.prepare(fds...)
		awake.Go(func() {
			ready, err := wait(pyselect.Forever)
			checkReady(ready, 1, err)
		})
	}
	for blocked() < before+uint64(count) {
		time.Sleep(time.Millisecond)
	}
	return func() {
		for _, fd := range wakers {
			_, err := unix.Write(fd, []byte("x"))
			check(err)
		}
		awake.Wait()
	}
}

// newPipe returns one descriptor for both ends of a pipe.
func newPipe() int {
	var ends [2]int
	check(unix.Pipe2(ends[:], unix.O_CLOEXEC))
	both, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", ends[0]), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	check(err)
	check(unix.Close(ends[0]))
	check(unix.Close(ends[1]))
	return both
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
