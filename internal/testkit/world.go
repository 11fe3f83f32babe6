//go:build unix || windows

package testkit

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A Program is the input of a fuzz test: steps, each followed by what it works on.
type Program []byte

// Next takes a number below n off the program. At its end, that is 0.
func (p *Program) Next(n int) int {
	if len(*p) == 0 {
		return 0
	}
	b := (*p)[0]
	*p = (*p)[1:]
	return int(b) % n
}

// Trace returns a function that notes what a fuzz test does, for the log if it fails: to log each step costs more than the step.
func Trace(t testing.TB) func(format string, args ...any) {
	var steps strings.Builder
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the steps were\n" + steps.String())
		}
	})
	return func(format string, args ...any) { fmt.Fprintf(&steps, format+"\n", args...) }
}

// Waits are those of a fuzz test for what does not come.
type Waits int

// Timeout returns how long the next one lasts, which is no time after the first few.
func (w *Waits) Timeout() time.Duration {
	if *w++; *w > 3 {
		return 0
	}
	return 50 * time.Microsecond
}

// Slots is the number of descriptors in a World.
const Slots = 8

// The steps that change a World. What cannot be done to what is in a slot does nothing. A test's own steps are Steps and up.
const (
	StepSockets byte = iota // slot, slot: opens the two ends of a connection, in place of what is there
	StepPipe                // slot, slot: opens the reading and the writing end of a pipe, in place of what is there
	StepDup                 // from slot, to slot: in place of what is there
	StepClose               // slot
	StepWrite               // slot: writes one byte
	StepDrain               // slot: reads all there is
	StepFill                // slot: writes until nothing more fits
	Steps
)

// A World is descriptors, and a model of what each is ready for, which knows nothing but what was done to them. Nothing else gets
// the number of one that has been closed.
type World struct {
	t           testing.TB
	slots       [Slots]*OpenFile
	generations [Slots]int
	numbers
}

// An OpenFile is the model of an open file, which several descriptors may share.
type OpenFile struct {
	kind  fileKind
	peer  *OpenFile
	refs  int  // descriptors
	in    int  // bytes that have not been read
	full  bool // nothing more can be written
	alone bool // the peer has been closed
	reset bool // it was closed before it had read all, which nobody has been told yet
}

type fileKind int

const (
	socket fileKind = iota
	reader          // of a pipe
	writer
)

// NewWorld returns a World without open descriptors. Those that are open at the end of the test are closed. The slots are
// the numbers from base up, where the system lets one choose.
func NewWorld(t testing.TB, base int) *World {
	w := &World{t: t}
	w.reserve(base)
	t.Cleanup(func() {
		for slot := range w.slots {
			w.close(slot)
		}
	})
	return w
}

// Fd returns the number of a slot.
func (w *World) Fd(slot int) int { return w.fds[slot] }

// Slot returns the slot that has a number.
func (w *World) Slot(fd int) int { return slices.Index(w.fds[:], fd) }

// File returns the open file in a slot, or nil.
func (w *World) File(slot int) *OpenFile { return w.slots[slot] }

// Generation returns how often a descriptor in a slot has been closed.
func (w *World) Generation(slot int) int { return w.generations[slot] }

// Step does one of the steps above and returns what it was.
func (w *World) Step(step byte, p *Program) string {
	defer w.settle()
	slot := p.Next(Slots)
	switch step {
	case StepSockets:
		return w.open(slot, p.Next(Slots), socket, socket)
	case StepPipe:
		return w.open(slot, p.Next(Slots), reader, writer)
	case StepDup:
		to := p.Next(Slots)
		if f := w.slots[slot]; f != nil && to != slot {
			w.put(w.Fd(slot), f, to)
		}
		return fmt.Sprintf("dup %d %d", slot, to)
	case StepClose:
		w.close(slot)
		return fmt.Sprintf("close %d", slot)
	case StepWrite:
		w.write(slot)
		return fmt.Sprintf("write %d", slot)
	case StepDrain:
		w.drain(slot)
		return fmt.Sprintf("drain %d", slot)
	}
	w.fill(slot)
	return fmt.Sprintf("fill %d", slot)
}

func (w *World) open(a, b int, kindA, kindB fileKind) string {
	if a == b {
		b = (b + 1) % Slots
	}
	if runtime.GOOS != "linux" { // elsewhere, what the ends of a pipe are ready for differs
		kindA, kindB = socket, socket
	}
	p, err := connect(kindA)
	if err != nil {
		w.t.Fatal(err)
	}
	one, other := &OpenFile{kind: kindA}, &OpenFile{kind: kindB}
	one.peer, other.peer = other, one
	w.put(p[0], one, a)
	w.put(p[1], other, b)
	closeAll(p)
	if kindA == socket {
		return fmt.Sprintf("sockets %d %d", a, b)
	}
	return fmt.Sprintf("pipe %d %d", a, b)
}

// put makes the number of a slot a duplicate of fd.
func (w *World) put(fd int, f *OpenFile, slot int) {
	f.refs++
	w.forget(slot)
	w.replace(slot, fd)
	w.slots[slot] = f
}

func (w *World) close(slot int) {
	if w.slots[slot] != nil {
		w.forget(slot)
		w.vacate(slot)
	}
}

// forget notes that a descriptor is being closed.
func (w *World) forget(slot int) {
	f := w.slots[slot]
	if f == nil {
		return
	}
	w.slots[slot] = nil
	w.generations[slot]++
	f.refs--
	if f.refs > 0 {
		return
	}
	f.peer.alone = true
	if f.kind == socket {
		f.peer.full = false
		f.peer.reset = f.in > 0
	}
}

// canWrite reports whether a write to a file succeeds.
func (f *OpenFile) canWrite() bool { return f != nil && f.kind != reader && !f.alone && !f.full }

func (w *World) write(slot int) {
	const enough = 8 // a socket takes few writes, however short
	if f := w.slots[slot]; f.canWrite() && f.peer.in < enough {
		Write(w.t, w.Fd(slot), "x")
		f.peer.in++
	}
}

func (w *World) fill(slot int) {
	if f := w.slots[slot]; f.canWrite() {
		f.peer.in += cram(w.t, w.Fd(slot))
		f.full = true
	}
}

func (w *World) drain(slot int) {
	f := w.slots[slot]
	if f == nil || f.kind == writer {
		return
	}
	f.drain(w.t, w.Fd(slot))
	f.in, f.reset, f.peer.full = 0, false, false
}

// A State is what poll(2) says of a file on Linux. That an end is readable or writable, if only to find that the other one
// has been closed, is the same everywhere.
type State struct{ In, Out, Err, Hup, RdHup bool }

// State returns the state of an open file.
func (f *OpenFile) State() State {
	switch f.kind {
	case reader:
		return State{In: f.in > 0, Hup: f.alone}
	case writer:
		return State{Out: !f.full, Err: f.alone}
	}
	return State{In: f.in > 0 || f.alone, Out: !f.full, Err: f.reset, Hup: f.alone, RdHup: f.alone}
}

// IsOpen reports whether there is a descriptor of a file.
func (f *OpenFile) IsOpen() bool { return f != nil && f.refs > 0 }
