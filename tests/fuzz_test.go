//go:build unix || windows

package tests

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// Names of the steps of a testkit.World, for readable programs.
const (
	sockets = testkit.StepSockets
	pipe    = testkit.StepPipe
	dupTo   = testkit.StepDup
	closeFd = testkit.StepClose
	writeTo = testkit.StepWrite
	drain   = testkit.StepDrain
	fill    = testkit.StepFill
)

// longest is how much of a program a fuzz test interprets.
const longest = 500

// Select returns what a model says that is ready, in the order of the lists.
func FuzzSelect(f *testing.F) {
	const (
		stepSelect = testkit.Steps + iota // three lists: length, slots
		steps
		negative = testkit.Slots // in a list: a number that no descriptor has
	)
	for _, program := range [][]byte{
		{sockets, 0, 1, stepSelect, 3, 0, 1, 0, 2, 1, 1, 1, 0, writeTo, 0, stepSelect, 3, 1, 0, 1, 1, 0, 0, fill, 1, stepSelect, 1, 0, 2, 1, 0, 0,
			drain, 0, stepSelect, 0, 1, 1, 0, closeFd, 0, stepSelect, 1, 1, 2, 1, 1, 1, 1},
		{pipe, 0, 7, stepSelect, 2, 0, 7, 2, 0, 7, 0, writeTo, 7, stepSelect, 2, 0, 7, 2, 0, 7, 0, closeFd, 7, stepSelect, 1, 0, 1, 0, 0},
		{pipe, 0, 1, closeFd, 0, stepSelect, 1, 1, 1, 1, 0, stepSelect, 2, 1, 0, 0, 0, stepSelect, 0, 0, 1, 0, stepSelect, 0, 0, 0},
		{sockets, 0, 1, dupTo, 0, 2, closeFd, 0, writeTo, 1, stepSelect, 1, 2, 3, 2, 2, 1, 0, stepSelect, 1, negative, 0, 0},
	} {
		f.Add(program, false)
		f.Add(program, true)
	}
	f.Fuzz(func(t *testing.T, program []byte, high bool) {
		testkit.NoLeaks(t)
		trace := testkit.Trace(t)
		var waits testkit.Waits
		world := testkit.NewWorld(t, fds(high))
		p := testkit.Program(program[:min(len(program), longest)])
		for len(p) > 0 {
			if step := byte(p.Next(int(steps))); step != stepSelect {
				trace("%s", world.Step(step, &p))
				continue
			}
			var lists, want [3][]int
			invalid, bad := false, ""
			for set := range lists {
				for range p.Next(5) {
					slot := p.Next(testkit.Slots + 1)
					if slot == negative {
						lists[set] = append(lists[set], -1)
						invalid = true
						continue
					}
					fd, file := world.Fd(slot), world.File(slot)
					lists[set] = append(lists[set], fd)
					if file == nil {
						bad += fmt.Sprintf(" fd %d:", fd)
						continue
					}
					s := file.State()
					if [...]bool{s.In || s.Hup || s.Err, s.Out || s.Err, false}[set] {
						want[set] = append(want[set], fd)
					}
				}
			}
			trace("select %v", lists)
			timeout, least := testkit.Patience, time.Duration(0)
			if len(slices.Concat(want[:]...)) == 0 {
				timeout = waits.Timeout()
				least = timeout
			}
			begin := time.Now()
			readable, writable, exceptional, err := pyselect.Select(lists[0], lists[1], lists[2], timeout)
			took := time.Since(begin)
			switch {
			case invalid && errors.Is(err, os.ErrInvalid):
			case bad != "" && errors.Is(err, errBadFd):
				_, text, _ := strings.Cut(err.Error(), "]:")
				if text, _, _ = strings.Cut(text, ": "); !strings.Contains(bad, text+":") {
					t.Fatalf("error is %q, want one that names one of%s", err, bad)
				}
			case invalid || bad != "" || err != nil:
				t.Fatalf("error is %v", err)
			default:
				testkit.Equal(t, "readable", readable, want[0]...)
				testkit.Equal(t, "writable", writable, want[1]...)
				testkit.Equal(t, "exceptional", exceptional, want[2]...)
				if took < least || took >= testkit.Patience {
					t.Fatalf("returned after %v, want %v", took, least)
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	})
}
