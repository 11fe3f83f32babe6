package wait_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pyselect/pyselect/internal/wait"
)

func TestOrder(t *testing.T) {
	var o wait.Order
	for _, fd := range []int{30, 10, 20} {
		o.Add(fd)
	}
	until := o.Time()
	o.Remove(30)
	o.Remove(7) // is not there
	o.Add(30)
	for _, want := range []struct {
		fd, pos   int
		ok, until bool
	}{{10, 0, true, true}, {20, 1, true, true}, {30, 2, true, false}, {7, 0, false, false}} {
		pos, ok := o.Find(want.fd)
		if _, before := o.FindUntil(want.fd, until); pos != want.pos || ok != want.ok || before != want.until {
			t.Errorf("%d is at %d, %t, %t, want %v", want.fd, pos, ok, before, want)
		}
	}
}

// The model is a list, and what is remembered of it is a copy.
func TestOrderAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const fds = 12
	type descriptor struct{ fd, serial int }
	var o wait.Order
	var model, then []descriptor
	serial, next, time := 0, 0, o.Time()
	find := func(fd int) int { return slices.IndexFunc(model, func(d descriptor) bool { return d.fd == fd }) }
	for step := range 3000 {
		fd := random.IntN(fds)
		at := find(fd)
		switch op := random.IntN(8); {
		case op == 0:
			time, then = o.Time(), slices.Clone(model)
		case op < 4 && at < 0:
			serial++
			o.Add(fd)
			model = append(model, descriptor{fd, serial})
		case op < 6:
			o.Remove(fd)
			model = slices.DeleteFunc(model, func(d descriptor) bool { return d.fd == fd })
		case at >= 0:
			o.ContinueAt(fd)
			next = model[at].serial
		}
		for fd := range fds {
			at := find(fd)
			pos, ok := o.Find(fd)
			if ok != (at >= 0) || ok && pos != at {
				t.Fatalf("step %d: Find(%d) is %d, %t in %v", step, fd, pos, ok, model)
			}
			pos, ok = o.FindUntil(fd, time)
			if ok != (at >= 0 && slices.Contains(then, model[at])) || ok && pos != at {
				t.Fatalf("step %d: FindUntil(%d) is %d, %t in %v after %v", step, fd, pos, ok, model, then)
			}
		}
		want := len(slices.DeleteFunc(slices.Clone(model), func(d descriptor) bool { return d.serial >= next }))
		if o.Next() != want {
			t.Fatalf("step %d: Next is %d, want %d", step, o.Next(), want)
		}
	}
}
