//go:build unix || windows

package selectors_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// Several goroutines use a selector at the same time. Afterwards its keys are those that were registered, what is ready is
// reported, and Close ends a Select that is waiting.
func FuzzConcurrent(f *testing.F) {
	const (
		register   byte = iota // slot, events - 1
		modify                 // slot, events - 1
		unregister             // slot
		selectInto             // size of the buffer - 1
		wait
		waitContext
		wakeup
		change // step of the world that opens nothing, slot
		closeSelector
		steps
	)
	// The steps are dealt out to the goroutines, one after the other.
	for _, program := range [][]byte{
		{register, 0, 0, register, 1, 1, wait, modify, 0, 1, wakeup, modify, 1, 2, waitContext, unregister, 0, change, 1, 2, selectInto, 0},
		{register, 0, 2, register, 0, 2, modify, 0, 0, modify, 0, 1, unregister, 0, unregister, 0, register, 0, 2, selectInto, 1, wait},
		{register, 0, 0, register, 1, 0, change, 1, 1, wait, change, 3, 1, wait, change, 0, 0, modify, 0, 1, selectInto, 1, unregister, 0},
		{wait, wakeup, waitContext, wakeup, register, 2, 0, closeSelector, wait, register, 0, 0, modify, 2, 1, selectInto, 0, wakeup},
		{register, 0, 0, change, 0, 0, wakeup},
	} {
		for k := range kinds {
			f.Add(uint8(k), uint8(k), program)
		}
	}
	f.Fuzz(func(t *testing.T, which, workers uint8, program []byte) {
		testkit.NoLeaks(t)
		k := kinds[int(which)%len(kinds)]
		world := testkit.NewWorld(t, lowest)
		world.Step(sockets, &testkit.Program{0, 1})
		world.Step(sockets, &testkit.Program{2, 3})
		sel, err := k.create(t)
		if err != nil {
			t.Fatal(err)
		}
		defer sel.Close()

		var mu sync.Mutex // of world
		var registered atomic.Int32
		var closed atomic.Bool
		allow := func(err error, allowed ...error) {
			if errors.Is(err, os.ErrClosed) && closed.Load() {
				return
			}
			if err != nil && !slices.ContainsFunc(allowed, func(target error) bool { return errors.Is(err, target) }) {
				t.Error(err)
			}
		}
		waits := testkit.Waits(-20) // more than others, as they are what meets here
		// do takes a step off the program, and returns what it does.
		do := func(p *testkit.Program) func() {
			switch byte(p.Next(int(steps))) {
			case register:
				fd, events := world.Fd(p.Next(4)), selectors.Event(1+p.Next(3))
				return func() {
					_, err := sel.Register(fd, events, nil)
					if allow(err, selectors.ErrRegistered, errBadFd); err == nil {
						registered.Add(1)
					}
				}
			case modify:
				fd, events := world.Fd(p.Next(4)), selectors.Event(1+p.Next(3))
				return func() {
					_, err := sel.Modify(fd, events, nil)
					if allow(err, selectors.ErrNotRegistered, errBadFd); errors.Is(err, errBadFd) {
						registered.Add(-1)
					}
				}
			case unregister:
				fd := world.Fd(p.Next(4))
				return func() {
					_, err := sel.Unregister(fd)
					if allow(err, selectors.ErrNotRegistered); err == nil {
						registered.Add(-1)
					}
				}
			case selectInto:
				buf := make([]selectors.Ready, 1+p.Next(3))
				return func() { _, err := sel.SelectInto(buf, 0); allow(err, errBadFd) }
			case wait:
				timeout := waits.Timeout()
				return func() { _, err := sel.Select(timeout); allow(err, errBadFd) }
			case waitContext:
				timeout := waits.Timeout()
				return func() {
					ctx, cancel := context.WithTimeout(context.Background(), timeout)
					defer cancel()
					_, err := sel.SelectContext(ctx)
					allow(err, errBadFd, context.DeadlineExceeded)
				}
			case wakeup:
				return func() { allow(sel.Wakeup()) }
			case change:
				step := testkit.StepClose + byte(p.Next(int(testkit.Steps-testkit.StepClose)))
				slot := p.Next(4)
				return func() {
					mu.Lock()
					defer mu.Unlock()
					world.Step(step, &testkit.Program{byte(slot)})
				}
			}
			return func() {
				closed.Store(true)
				allow(sel.Close())
			}
		}
		p := testkit.Program(program[:min(len(program), 500)])
		work := make([][]func(), 2+workers%3)
		for i := 0; len(p) > 0; i++ {
			work[i%len(work)] = append(work[i%len(work)], do(&p))
		}
		var wg sync.WaitGroup
		for _, steps := range work {
			wg.Go(func() {
				for _, step := range steps {
					step()
				}
			})
		}
		wg.Wait()
		if t.Skipped() {
			return
		}

		if closed.Load() {
			registered.Store(0)
		}
		keys := slices.Collect(sel.Keys())
		if want := int(registered.Load()); sel.Len() != want || len(keys) != want {
			t.Fatalf("%s: Len is %d with keys %v, want %d", k.name, sel.Len(), keys, want)
		}
		m := &model{kind: k, t: t, world: world, sel: sel, closed: closed.Load()}
		for _, key := range keys {
			slot := world.Slot(key.Fd)
			m.entries = append(m.entries, &entry{key, slot, world.File(slot), world.Generation(slot)})
			if k.kernel && world.File(slot) == nil {
				m.entries[len(m.entries)-1].generation = -1 // it was open when it was registered
			}
		}
		m.check()

		for _, key := range keys {
			if _, err := sel.Unregister(key.Fd); err != nil {
				t.Error(err)
			}
		}
		if _, err := sel.Select(0); err != nil && !closed.Load() { // takes a Wakeup that a Select which failed has left
			t.Error(err)
		}
		var endings [2]error
		var waiters [2]*testkit.Call
		for i := range waiters {
			waiters[i] = testkit.Go(t, func() { _, endings[i] = sel.Select(pyselect.Forever) })
		}
		for _, w := range waiters {
			w.BlockedOrDone()
		}
		if err := sel.Close(); err != nil {
			t.Error(err)
		}
		for i, w := range waiters {
			w.Wait()
			if !errors.Is(endings[i], os.ErrClosed) {
				t.Errorf("Select returned %v, want os.ErrClosed", endings[i])
			}
		}
	})
}
