//go:build linux

package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/pyselect/pyselect/internal/wait"
)

// A blocking is a way to block until a timeout is over, with the limit for how much later it may end.
type blocking struct {
	name    string
	way     wait.Way
	prepare waiter
	max     time.Duration
}

const punctual = 150 * time.Microsecond

var blockings = []blocking{
	{"unix.Ppoll", 0, xsysPpollWait, 0},
	{"Select, in the kernel", wait.InKernel, selectWait, punctual},
	{"Select, together", wait.Together, selectWait, punctual},
	{"Epoll, in the kernel", wait.InKernel, epollWait, punctual},
	{"Epoll, parked", wait.Parked, epollWait, punctual},
	{"Epoll, together", wait.Together, epollWait, punctual},
	{"Socket.Recv", 0, recvWait, punctual},
}

func init() {
	for _, l := range blockings {
		quantityWorks["lateness "+l.name] = l.lateness
	}
}

func (b *bench) measureLateness(report *strings.Builder) error {
	t := table{
		intro: `## Lateness

By how many microseconds a wait ends later than its timeout, in a process that does nothing else. Each row is forced to block in
one of the ways that ../docs/waiting.md describes. The first row is the bare system call; the kernel adds a slack of 50 µs to it.`,
		head: []string{"wait", "GOMAXPROCS", "50 µs", "1 ms", "20 ms", "target", ""},
	}
	timeouts := []time.Duration{50 * time.Microsecond, time.Millisecond, 20 * time.Millisecond}
	for _, l := range blockings {
		for _, procs := range []int{runtime.NumCPU(), 1} {
			if !b.starts("Lateness of %s, GOMAXPROCS=%d", l.name, procs) {
				continue
			}
			limited := *b
			limited.procs = procs
			cells, worst := []string{l.name, fmt.Sprint(procs)}, 0.0
			for _, timeout := range timeouts {
				samples, err := limited.compare(contestant{here, "lateness " + l.name, shape{int(micros(timeout)), 0}})
				if err != nil {
					return err
				}
				late := median(samples[0], value)
				cells, worst = append(cells, number(late)), max(worst, late)
			}
			var v verdict
			if l.max > 0 {
				v.add(fmt.Sprintf("≤ %v", l.max), worst <= micros(l.max), "")
			}
			t.row(append(cells, v.cells()...)...)
		}
	}
	t.write(report)
	return nil
}

// lateness measures the microseconds by which a wait for one descriptor ends later than its timeout, in microseconds.
func (l blocking) lateness(timeout int) sample {
	wait.Force.Store(int32(l.way))
	block := l.prepare(eventfds(1, 0)...)
	late := make([]sample, 20)
	for i := range late {
		start := time.Now()
		ready, err := block(time.Duration(timeout) * time.Microsecond)
		late[i].value = micros(time.Since(start)) - float64(timeout)
		checkReady(ready, 0, err)
	}
	return sample{value: median(late, value)}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
