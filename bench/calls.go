//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A call is an operation that the implementations are compared in, each with a work of its own name.
type call struct {
	name string
	shape
	works  map[impl]string
	limits []limit
}

// A limit is how many times as long as another implementation the library may take at most.
type limit struct {
	of  impl
	max float64
}

// allocations is what a limit is of that is of the number of allocations.
const allocations impl = "allocations"

func (l limit) String() string {
	switch {
	case l.of == allocations:
		return fmt.Sprintf("allocations ≤ %v", l.max)
	case l.of == cpython:
		return fmt.Sprintf("≤ 1/%v %s", 1/l.max, l.of)
	}
	return fmt.Sprintf("≤ %.2f %s", l.max, l.of)
}

// named names the work of C and x/sys, of CPython, and of the library.
func named(raw, python, ours string) map[impl]string {
	return map[impl]string{inC: raw, xsys: raw, cpython: python, here: ours}
}

var (
	few   = shape{10, 1}
	tenth = shape{400, 40}
	full  = shape{400, 400}
	one   = shape{10_000, 1}
	many  = shape{10_000, 100}
	idle  = shape{1, 0}

	pollInto    = named("epoll", "epoll", "epoll")
	epollPoll   = named("epoll", "epoll", "epoll-poll")
	selectInto  = named("epoll", "selector", "selector")
	selectSlice = named("epoll", "selector", "selector-slice")
)

var calls = []call{
	{"Epoll.PollInto", few, pollInto, []limit{{xsys, 0.90}, {inC, 1.10}, {allocations, 0}}},
	{"Epoll.PollInto", tenth, pollInto, nil},
	{"Epoll.PollInto", full, pollInto, []limit{{xsys, 1.02}}},
	{"Epoll.PollInto", one, pollInto, nil},
	{"Epoll.PollInto", many, pollInto, nil},
	{"Epoll.Poll", few, epollPoll, []limit{{xsys, 1.15}, {allocations, 1}}},
	{"Epoll.Poll", full, epollPoll, nil},
	{"EpollSelector.SelectInto", few, selectInto, []limit{{xsys, 1.10}, {allocations, 0}, {cpython, 1. / 3}}},
	{"EpollSelector.SelectInto", tenth, selectInto, nil},
	{"EpollSelector.SelectInto", full, selectInto, []limit{{xsys, 1.15}, {allocations, 0}, {cpython, 1. / 3}}},
	{"EpollSelector.SelectInto", one, selectInto, nil},
	{"EpollSelector.SelectInto", many, selectInto, nil},
	{"EpollSelector.Select", few, selectSlice, nil},
	{"EpollSelector.Select", tenth, selectSlice, nil},
	{"EpollSelector.Select", full, selectSlice, []limit{{xsys, 1.25}, {allocations, 1}}},
	{"EpollSelector.Select", one, selectSlice, nil},
	{"EpollSelector.Select", many, selectSlice, nil},
	{"Poll.PollInto", few, named("poll", "poll", "poll"), nil},
	{"Poll.PollInto", tenth, named("poll", "poll", "poll"), []limit{{xsys, 1.05}}},
	{"Poll.PollInto", full, named("poll", "poll", "poll"), nil},
	{"Select", few, named("select", "select", "select"), nil},
	{"Select", tenth, named("select", "select", "select"), []limit{{xsys, 1.10}}},
	{"Select", full, named("select", "select", "select"), nil},
	{"PollSelector.SelectInto", tenth, named("poll", "selector-poll", "selector-poll"), nil},
	{"SelectSelector.SelectInto", tenth, named("select", "selector-select", "selector-select"), nil},
	{"Epoll.Modify", idle, named("modify", "modify", "modify"), []limit{{xsys, 1.10}}},
	{"EpollSelector.Modify, events", idle, named("modify", "selector-modify", "selector-modify"), []limit{{xsys, 1.15}}},
	{"Epoll.Register and Unregister, the number of an eventfd", idle, named("register", "register", "register"), nil},
	{"EpollSelector.Register and Unregister, the number of an eventfd", idle, named("register", "selector-register", "selector-register"), nil},
	{"Epoll.Register and Unregister, *socket.Socket", idle, named("register-socket", "register-socket", "register-socket"), []limit{{xsys, 1.10}}},
	{"Epoll.Register and Unregister, *net.UnixConn", idle, named("register-socket", "register-socket", "register-conn"), []limit{{xsys, 1.10}}},
	{"Ping-pong, Epoll, Forever", idle, named("pingpong", "pingpong", "pingpong"), []limit{{xsys, 0.55}, {cpython, 1. / 8}}},
	{"Ping-pong, Epoll, timeout of 1 s", idle, named("pingpong-1s", "pingpong-1s", "pingpong-1s"), []limit{{xsys, 0.55}, {cpython, 1. / 8}}},
	{"Ping-pong, EpollSelector, Forever", idle, named("pingpong", "selector-pingpong", "selector-pingpong"), []limit{{xsys, 0.60}}},
	{"Ping-pong, Select, Forever", idle, named("pingpong-poll", "pingpong-select", "pingpong-select"), []limit{{xsys, 1}}},
	{"Ping-pong, Poll, Forever", idle, named("pingpong-poll", "pingpong-poll", "pingpong-poll"), []limit{{xsys, 1}}},
}

// measureCalls compares all implementations in all calls.
func (b *bench) measureCalls(report *strings.Builder) error {
	t := table{
		intro: `## Calls

Nanoseconds of one operation, and how many times as long it takes here. A wait has a timeout of 0 and says how many
descriptors are watched and how many of these are ready. C and x/sys call the kernel in a loop, with prepared arguments, and
keep what is ready in a prepared array; CPython calls its ` + "`select` or `selectors`" + `. Ping-pong is one byte that goes to
and fro between two threads or goroutines over a socketpair; each waits until it can read, reads and writes.

The processes of C and CPython have one thread, so that the kernel need not count who uses the files that poll and select
look at, which is nearly half of the cost. A Go program always has several threads.`,
		head: []string{"operation", "C", "x/sys", "CPython", "pyselect", "÷ C", "÷ x/sys", "÷ CPython", "allocations", "target", ""},
	}
	for _, c := range calls {
		name := c.name
		if c.shape != idle {
			name += fmt.Sprintf(" %s/%d", count(c.watched), c.ready)
		}
		if !b.starts("%s", name) {
			continue
		}
		contestants := make([]contestant, len(impls))
		for i, by := range impls {
			contestants[i] = contestant{by, c.works[by], c.shape}
		}
		samples, err := b.compare(contestants...)
		if err != nil {
			return err
		}
		ours := samples[slices.Index(impls, here)]
		cells := []string{name}
		for _, s := range samples {
			cells = append(cells, number(median(s, value)))
		}
		measured := map[impl]float64{allocations: math.Round(median(ours, more))}
		for i, by := range impls {
			if by != here {
				measured[by] = ratio(ours, samples[i])
				cells = append(cells, fmt.Sprintf("%.2f", measured[by]))
			}
		}
		cells = append(cells, fmt.Sprint(measured[allocations]))
		t.row(append(cells, judge(c.limits, measured).cells()...)...)
	}
	t.write(report)
	return nil
}

// judge compares what was measured with the limits.
func judge(limits []limit, measured map[impl]float64) (v verdict) {
	for _, l := range limits {
		v.add(l.String(), measured[l.of] <= l.max, string(l.of))
	}
	return v
}
