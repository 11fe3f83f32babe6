//go:build unix || windows

package wait_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pyselect/pyselect/internal/sys"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

const forever = math.MaxInt64

var background = context.Background()

// A fake is waits for a Set in memory. It logs what is asked of it and what comes of it.
type fake struct {
	wait.Waits
	ready                      int
	lookErr, sleepErr, takeErr error
	blind                      bool          // what Watch refuses
	strangers                  int           // reports that are not for the caller
	taken                      func()        // if not nil, what a report calls
	slept                      chan int      // what Sleep finds
	deadline                   sys.Deadline  // that of the last Sleep
	wakes                      chan struct{} // what Wake has sent
	woken, rise                chan struct{} // if not nil, Sleep sends the one when it is woken, and ends with the other

	mu  sync.Mutex
	log []string
}

func newFake() *fake {
	f := &fake{slept: make(chan int, 9), wakes: make(chan struct{}, 1)}
	f.Init(f)
	return f
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

// logged checks what has been logged since the last time.
func (f *fake) logged(t *testing.T, want string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := strings.Join(f.log, ", "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	f.log = nil
}

func (f *fake) Look(room int) (int, error) {
	f.note("look")
	f.Kept = false
	return min(room, f.ready), f.lookErr
}

func (f *fake) Watch() bool { return !f.blind }

func (f *fake) Arm(room int) {
	if f.note("arm"); room != 7 {
		f.note("for %d", room)
	}
}

func (f *fake) Disarm(woken bool) {
	if f.note("disarm"); woken {
		f.note("drain")
		<-f.wakes
	}
}

func (f *fake) Wake() {
	f.note("wake")
	f.wakes <- struct{}{}
}

func (f *fake) Sleep(deadline sys.Deadline) (int, error) {
	f.note("sleep")
	f.deadline = deadline
	timer := time.NewTimer(deadline.Left())
	defer timer.Stop()
	select {
	case n := <-f.slept:
		return n, f.sleepErr
	case <-f.wakes:
		f.wakes <- struct{}{} // until Disarm
		if f.woken != nil {
			f.woken <- struct{}{}
			<-f.rise
		}
	case <-timer.C:
	}
	return 0, nil
}

func (f *fake) wait(ctx context.Context, timeout time.Duration) error {
	return f.Wait(ctx, 7, timeout, func(n int, blocked bool) (bool, error) {
		f.note("%d of %t", n, blocked)
		if f.strangers--; f.taken != nil {
			f.taken()
		}
		return f.strangers < 0, f.takeErr
	})
}

// start waits in a goroutine.
func (f *fake) start(t *testing.T, ctx context.Context, timeout time.Duration, want error) *testkit.Call {
	t.Helper()
	return testkit.Go(t, func() {
		if err := f.wait(ctx, timeout); err != want {
			t.Errorf("error is %v, want %v", err, want)
		}
	})
}

// queue is start, and returns when the wait blocks.
func (f *fake) queue(t *testing.T, ctx context.Context, timeout time.Duration, want error) *testkit.Call {
	t.Helper()
	return f.start(t, ctx, timeout, want).Blocked()
}

func (f *fake) locked(do func()) {
	f.Lock()
	defer f.Unlock()
	do()
}

var errFake = errors.New("fake")

func TestWait(t *testing.T) {
	testkit.NoLeaks(t)
	canceled, cancel := context.WithCancel(background)
	cancel()
	for _, test := range []struct {
		name    string
		prepare func(f *fake)
		ctx     context.Context
		timeout time.Duration
		want    error
		log     string
	}{
		{"no timeout, nothing", func(*fake) {}, background, 0, nil, "look"},
		{"no timeout, something", func(f *fake) { f.ready = 2 }, background, -1, nil, "look, 2 of false"},
		{"no timeout, for another", func(f *fake) { f.ready, f.strangers = 2, 1 }, background, 0, nil, "look, 2 of false"},
		{"look fails", func(f *fake) { f.lookErr = errFake }, background, 0, errFake, "look"},
		{"no room for all", func(f *fake) { f.ready = 9 }, background, 0, nil, "look, 7 of false"},
		{"report fails", func(f *fake) { f.ready, f.takeErr = 1, errFake }, background, 0, errFake, "look, 1 of false"},
		{"look first, something", func(f *fake) { f.LookFirst, f.ready = true, 1 }, background, forever, nil, "look, 1 of false"},
		{"look first, for another", func(f *fake) { f.LookFirst, f.ready, f.strangers = true, 1, 1; f.slept <- 2 }, background, forever, nil,
			"look, 1 of false, arm, sleep, disarm, 2 of true"},
		{"look first, nothing", func(f *fake) { f.LookFirst = true; f.slept <- 2 }, background, forever, nil, "look, arm, sleep, disarm, 2 of true"},
		{"look first fails", func(f *fake) { f.LookFirst, f.lookErr = true, errFake }, background, forever, errFake, "look"},
		{"kept", func(f *fake) { f.Kept, f.ready = true, 1 }, background, forever, nil, "look, 1 of false"},
		{"kept for another", func(f *fake) { f.Kept, f.ready, f.strangers = true, 1, 1; f.slept <- 2 }, background, forever, nil,
			"look, 1 of false, arm, sleep, disarm, 2 of true"},
		{"block finds", func(f *fake) { f.ready = 1; f.slept <- 2 }, background, time.Hour, nil, "arm, sleep, disarm, 2 of true"},
		{"block finds for another", func(f *fake) { f.strangers = 1; f.slept <- 1; f.slept <- 2 }, background, time.Hour, nil,
			"arm, sleep, disarm, 1 of true, arm, sleep, disarm, 2 of true"},
		{"block ends without", func(f *fake) { f.slept <- 0; f.slept <- 2 }, background, forever, nil, "arm, sleep, disarm, arm, sleep, disarm, 2 of true"},
		{"block lets look", func(f *fake) { f.ready = 1; f.slept <- -1 }, background, forever, nil, "arm, sleep, disarm, look, 1 of false"},
		{"block lets look, nothing", func(f *fake) { f.slept <- -1; f.slept <- 2 }, background, forever, nil,
			"arm, sleep, disarm, look, arm, sleep, disarm, 2 of true"},
		{"sleep fails", func(f *fake) { f.sleepErr = errFake; f.slept <- 1 }, background, forever, errFake, "arm, sleep, disarm"},
		{"report of a block fails", func(f *fake) { f.takeErr = errFake; f.slept <- 1 }, background, forever, errFake, "arm, sleep, disarm, 1 of true"},
		{"Wakeup before", func(f *fake) { f.locked(f.Wakeup) }, background, forever, nil, "look"},
		{"Wakeup twice before", func(f *fake) { f.locked(f.Wakeup); f.locked(f.Wakeup) }, background, 0, nil, "look"},
		{"Wakeup before, something", func(f *fake) { f.ready = 1; f.locked(f.Wakeup) }, background, forever, nil, "look, 1 of false"},
		{"Kick before", func(f *fake) { f.locked(f.Kick); f.slept <- 1 }, background, forever, nil, "arm, sleep, disarm, 1 of true"},
		{"context done", func(f *fake) { f.ready = 1 }, canceled, 0, context.Canceled, ""},
		{"context done, look first", func(f *fake) { f.ready, f.LookFirst = 1, true }, canceled, forever, context.Canceled, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			test.prepare(f)
			f.start(t, test.ctx, test.timeout, test.want).Wait()
			f.logged(t, test.log)

			// Nothing is left of it.
			f.ready, f.strangers, f.LookFirst = 0, 0, false
			f.lookErr, f.sleepErr, f.takeErr = nil, nil, nil
			call := f.queue(t, background, time.Hour, nil)
			f.slept <- 1
			call.Wait()
			f.logged(t, "arm, sleep, disarm, 1 of true")
			testkit.Duration(t, 3*time.Millisecond, func() { testkit.Check(t, f.wait(background, 3*time.Millisecond)) })
			f.logged(t, "arm, sleep, disarm")
		})
	}
}

// In a bubble, nobody else can wait. Without a descriptor for a waker, all that is left is to look now and then.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.blind, f.ready, f.strangers = true, 1, 2
		testkit.Check(t, f.wait(background, time.Hour))
		f.logged(t, "arm, disarm, look, 1 of false"+strings.Repeat(", arm, disarm, look, 1 of false", 2))
	})
}

func TestKickAndWakeup(t *testing.T) {
	testkit.NoLeaks(t)
	f := newFake()
	call := f.queue(t, background, forever, nil)
	f.locked(func() { f.Kick(); f.Kick() })
	f.slept <- 1
	call.Wait()
	f.logged(t, "arm, sleep, wake, disarm, drain, arm, sleep, disarm, 1 of true")

	// A Wakeup is for one of those that wait, and for none that only looks meanwhile.
	f.woken, f.rise = make(chan struct{}), make(chan struct{})
	first, second := f.queue(t, background, forever, nil), f.queue(t, background, time.Hour, nil)
	f.locked(f.Wakeup)
	receive(t, f.woken)
	testkit.Check(t, f.wait(background, 0))
	f.rise <- struct{}{}
	first.Wait()
	second.Blocked()
	f.slept <- 1
	second.Wait()
	f.logged(t, "arm, sleep, wake, look, disarm, drain, arm, sleep, disarm, 1 of true")

	// Where none waits, it is for one that looks.
	f.locked(f.Wakeup)
	testkit.Check(t, f.wait(background, 0))
	last := f.queue(t, background, forever, nil)
	f.slept <- 1
	last.Wait()
	f.logged(t, "look, arm, sleep, disarm, 1 of true")
}

func TestCloseWaitsForBlock(t *testing.T) {
	testkit.NoLeaks(t)
	f := newFake()
	f.woken, f.rise = make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(background)
	waits := []*testkit.Call{f.queue(t, background, forever, os.ErrClosed), f.queue(t, ctx, forever, os.ErrClosed), f.queue(t, background, time.Hour, os.ErrClosed)}
	release := func() error { f.note("release"); return errFake }
	closing := testkit.Go(t, func() {
		if err := f.Close(release); err != errFake {
			t.Errorf("error is %v, want that of release", err)
		}
	})
	receive(t, f.woken)
	f.ready = 1
	for _, ctx := range []context.Context{background, ctx} {
		if err := f.wait(ctx, 0); err != os.ErrClosed {
			t.Errorf("error is %v meanwhile", err)
		}
	}
	f.logged(t, "arm, sleep, wake")
	f.rise <- struct{}{}
	closing.Wait()
	for _, call := range waits {
		call.Wait()
	}
	f.logged(t, "disarm, drain, release")
	testkit.Check(t, f.Close(release))
	cancel()
	for _, timeout := range []time.Duration{0, forever} {
		if err := f.wait(ctx, timeout); err != os.ErrClosed || !f.Closed() {
			t.Errorf("error is %v", err)
		}
	}
	f.logged(t, "")
}

func TestContextEndsWait(t *testing.T) {
	testkit.NoLeaks(t)
	f := newFake()
	ctx, cancel := context.WithCancel(background)
	call := f.queue(t, ctx, forever, context.Canceled)
	cancel()
	call.Wait()
	f.logged(t, "arm, sleep, wake, disarm, drain")

	// In the queue.
	first := f.queue(t, background, forever, nil)
	ctx, cancel = context.WithCancel(background)
	second, third := f.queue(t, ctx, time.Hour, context.Canceled), f.queue(t, background, forever, nil)
	cancel()
	second.Wait()
	for _, call := range []*testkit.Call{first, third} {
		call.Blocked()
		f.slept <- 1
		call.Wait()
	}

	// Between the look and the block.
	f = newFake()
	ctx, f.taken = context.WithCancel(background)
	f.ready, f.LookFirst, f.strangers = 1, true, 1
	f.start(t, ctx, forever, context.Canceled).Wait()
	f.logged(t, "look, 1 of false")
}

// After an event that is not for the caller, a wait goes on for the rest of its time.
func TestStrangersDoNotExtendTimeout(t *testing.T) {
	f := newFake()
	var deadlines []sys.Deadline
	f.strangers, f.taken = 1, func() { deadlines = append(deadlines, f.deadline) }
	f.slept <- 1
	f.slept <- 1
	testkit.Check(t, f.wait(background, time.Hour))
	if len(deadlines) != 2 || deadlines[0] != deadlines[1] {
		t.Errorf("the deadlines are %v, want the same one twice", deadlines)
	}
}

// The next in the queue gets what the first had no room for.
func TestQueueGetsKept(t *testing.T) {
	testkit.NoLeaks(t)
	f := newFake()
	first, second := f.queue(t, background, forever, nil), f.queue(t, background, forever, nil)
	f.taken = func() { f.Kept, f.ready, f.taken = true, 1, nil }
	f.slept <- 1
	first.Wait()
	second.Wait()
	f.logged(t, "arm, sleep, disarm, 1 of true, look, 1 of false")
}

func TestQueue(t *testing.T) {
	testkit.NoLeaks(t)
	f := newFake()
	first := f.queue(t, background, forever, nil)
	testkit.Duration(t, 3*time.Millisecond, func() { testkit.Check(t, f.wait(background, 3*time.Millisecond)) })
	f.logged(t, "arm, sleep, look") // for what is there when the time is over
	f.ready = 1
	var rest []*testkit.Call
	for range 3 {
		rest = append(rest, f.queue(t, background, time.Hour, nil))
	}
	testkit.Check(t, f.wait(background, 300*time.Microsecond))
	f.logged(t, "look, 1 of false")
	for _, call := range slices.Insert(rest, 0, first) {
		f.slept <- 2
		call.Wait()
	}
	f.logged(t, "disarm, 2 of true"+strings.Repeat(", arm, sleep, disarm, 2 of true", 3))
}
