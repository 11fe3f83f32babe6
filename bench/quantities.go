//go:build linux

package main

import (
	"strings"
)

// A quantity is a number for the library alone, or a ratio, where it is compared with something.
type quantity struct {
	name    string
	of      contestant
	against *contestant
	unit    string
	max     float64
}

var quantities = []quantity{
	{"Epoll.PollInto, 1 ready of 10,000 against 1 of 10", contestant{here, "epoll", one}, &contestant{here, "epoll", few}, "", 1.05},
	{"Ping-pong, Epoll, Forever, against C with both threads on one CPU",
		contestant{here, "pingpong", idle}, &contestant{inC, "pingpong-pinned", idle}, "", 1.15},
	{"EpollSelector.Modify of data only, against the cheapest system call: below 1 there is none in it",
		contestant{here, "selector-modify-data", idle}, &contestant{xsys, "syscall", idle}, "", 1},
	{"EpollSelector.Modify of data only, against CPython",
		contestant{here, "selector-modify-data", idle}, &contestant{cpython, "selector-modify-data", idle}, "", 0},
	{"Heap for each descriptor registered in an EpollSelector", contestant{here, "heap-int", shape{5_000, 0}}, nil, " bytes", 80},
	{"Heap for each *os.File registered in an EpollSelector", contestant{here, "heap-file", shape{5_000, 0}}, nil, " bytes", 80},
	{"Heap and stack of a goroutine that waits in an Epoll, and its Epoll", contestant{here, "epoll-bytes", shape{5_000, 0}}, nil, " bytes", 4096},
	{"Heap of a goroutine that waits in Select for two descriptors, beyond that of one that does nothing", contestant{here, "select-heap", shape{5_000, 0}}, nil, " bytes", 1024},
	{"Pause of the garbage collector beside Poll.PollInto of 15,000 with a timeout of 0, against unix.Poll",
		contestant{here, "pause", shape{15_000, 0}}, &contestant{xsys, "xsys-pause", shape{15_000, 0}}, "", 2},
}

func (b *bench) measureQuantities(report *strings.Builder) error {
	t := table{
		intro: "## Memory, threads and other numbers",
		head:  []string{"quantity", "measured", "target", ""},
	}
	for _, q := range quantities {
		if !b.starts("%s", q.name) {
			continue
		}
		contestants := []contestant{q.of}
		if q.against != nil {
			contestants = append(contestants, *q.against)
		}
		samples, err := b.compare(contestants...)
		if err != nil {
			return err
		}
		measured := median(samples[0], value)
		if q.against != nil {
			measured = ratio(samples[0], samples[1])
		}
		var v verdict
		if q.max > 0 {
			v.add("≤ "+strings.TrimSuffix(number(q.max), ".00"), measured <= q.max, "")
		}
		t.row(append([]string{q.name, number(measured) + q.unit}, v.cells()...)...)
	}
	t.write(report)
	return nil
}
