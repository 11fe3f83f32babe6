package tests

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// Several goroutines use an Epoll at the same time. Afterwards, what is registered and ready is reported, and Close ends a
// wait that is on.
func FuzzConcurrent(f *testing.F) {
	const (
		register   byte = iota // slot, events
		modify                 // slot, events
		unregister             // slot
		pollInto               // size of the buffer - 1
		wait
		change // write, drain or fill, slot
		closeEpoll
		steps
	)
	// The steps are dealt out to the goroutines, one after the other.
	for _, program := range [][]byte{
		{register, 0, in, register, 1, out, wait, modify, 0, out | oneshot, modify, 1, in | et, wait, unregister, 0, change, 0, 1, pollInto, 0},
		{register, 0, in | out, register, 0, in, modify, 0, out, modify, 0, et, unregister, 0, unregister, 0, pollInto, 1, change, 2, 0, wait},
		{wait, wait, register, 2, in, closeEpoll, wait, register, 0, out, modify, 2, in, pollInto, 0, unregister, 2},
	} {
		for workers := range uint8(3) {
			f.Add(workers, program)
		}
	}
	f.Fuzz(func(t *testing.T, workers uint8, program []byte) {
		testkit.NoLeaks(t)
		world := testkit.NewWorld(t, fds(false))
		world.Step(sockets, &testkit.Program{0, 1})
		world.Step(sockets, &testkit.Program{2, 3})
		epoll, err := pyselect.NewEpoll()
		check(t, err)
		defer epoll.Close()

		var mu sync.Mutex // of world
		var registered [testkit.Slots]atomic.Int32
		var closed atomic.Bool
		waits := testkit.Waits(-20) // more than others, as they are what meets here
		allow := func(err error, allowed ...error) {
			if errors.Is(err, os.ErrClosed) && closed.Load() {
				return
			}
			if err != nil && !slices.ContainsFunc(allowed, func(target error) bool { return errors.Is(err, target) }) {
				t.Error(err)
			}
		}
		// do takes a step off the program, and returns what it does.
		do := func(p *testkit.Program) func() {
			switch byte(p.Next(int(steps))) {
			case register:
				slot, mask := p.Next(4), requestedMask(p.Next(1<<len(requested)))
				return func() {
					err := epoll.Register(world.Fd(slot), mask)
					if allow(err, unix.EEXIST); err == nil {
						registered[slot].Add(1)
					}
				}
			case modify:
				slot, mask := p.Next(4), requestedMask(p.Next(1<<len(requested)))
				return func() { allow(epoll.Modify(world.Fd(slot), mask), unix.ENOENT) }
			case unregister:
				slot := p.Next(4)
				return func() {
					err := epoll.Unregister(world.Fd(slot))
					if allow(err, unix.ENOENT); err == nil {
						registered[slot].Add(-1)
					}
				}
			case pollInto:
				buf := make([]pyselect.EpollEvent, 1+p.Next(3))
				return func() { _, err := epoll.PollInto(buf, 0); allow(err) }
			case wait:
				timeout := waits.Timeout()
				return func() { _, err := epoll.Poll(timeout, -1); allow(err) }
			case change:
				step := writeTo + byte(p.Next(int(testkit.Steps-writeTo)))
				slot := p.Next(4)
				return func() {
					mu.Lock()
					defer mu.Unlock()
					world.Step(step, &testkit.Program{byte(slot)})
				}
			}
			return func() {
				closed.Store(true)
				allow(epoll.Close())
			}
		}
		p := testkit.Program(program[:min(len(program), longest)])
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

		m := &epollModel{t: t, world: world, epoll: epoll}
		for slot := 0; slot < 4 && !closed.Load(); slot++ {
			const mask = pyselect.EPOLLIN | pyselect.EPOLLOUT
			err := epoll.Modify(world.Fd(slot), mask)
			switch n := registered[slot].Load(); n {
			case 0:
				wantError(t, err, unix.ENOENT)
			case 1:
				check(t, err)
				m.entries = append(m.entries, &epollEntry{file: world.File(slot), fd: world.Fd(slot), mask: mask})
			default:
				t.Fatalf("slot %d is registered %d times", slot, n)
			}
		}
		if !closed.Load() {
			m.poll(100, 0)
			for _, e := range m.entries {
				check(t, epoll.Unregister(e.fd))
			}
		}

		var endings [2]error
		var waiters [2]*testkit.Call
		for i := range waiters {
			waiters[i] = testkit.Go(t, func() { _, endings[i] = epoll.Poll(pyselect.Forever, -1) })
		}
		for _, w := range waiters {
			w.BlockedOrDone()
		}
		check(t, epoll.Close())
		for i, w := range waiters {
			w.Wait()
			wantError(t, endings[i], os.ErrClosed)
		}
	})
}
