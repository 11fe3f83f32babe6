//go:build unix

package tests

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
)

// A contextWait waits until a descriptor is readable.
type contextWait struct {
	name string
	wait func(t *testing.T, fd int) func(ctx context.Context) (n int, err error)
}

var contextWaits = []contextWait{
	{"Select", func(_ *testing.T, fd int) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			r, _, _, err := pyselect.SelectContext(ctx, []int{fd}, nil, nil)
			return len(r), err
		}
	}},
	{"Poll", func(t *testing.T, fd int) func(context.Context) (int, error) {
		p := testkit.NewPoll(t, fd)
		return func(ctx context.Context) (int, error) {
			events, err := p.PollContext(ctx)
			return len(events), err
		}
	}},
}

func TestContexts(t *testing.T) {
	for _, test := range contextWaits {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, w := testkit.Pipe(t)
			wait := test.wait(t, r)
			wants := func(ctx context.Context, n int, want error) {
				t.Helper()
				if got, err := wait(ctx); got != n || err != want {
					t.Errorf("%d ready, %v, want %d, %v", got, err, n, want)
				}
			}

			// In the meantime, several times, and then with something that is ready.
			for range 3 {
				ctx, cancel := context.WithCancel(context.Background())
				call := testkit.Go(t, func() { wants(ctx, 0, context.Canceled) }).Blocked()
				cancel()
				call.Wait()
			}
			ctx, cancel := context.WithCancel(context.Background())
			call := testkit.Go(t, func() { wants(ctx, 1, nil) }).Blocked()
			testkit.Write(t, w, "x")
			call.Wait()
			wants(ctx, 1, nil)

			// One that is done does not look.
			cancel()
			wants(ctx, 0, context.Canceled)
			testkit.Drain(t, r)

			const timeout = 10 * time.Millisecond
			testkit.Duration(t, timeout, func() {
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				defer cancel()
				wants(ctx, 0, context.DeadlineExceeded)
			})
		})
	}
}

// A lateContext is done when a wait has begun, and what it calls then is late.
type lateContext struct {
	context.Context
	done  chan struct{}
	asked atomic.Bool // since it is done
}

func (c *lateContext) Done() <-chan struct{} { return c.done }

func (c *lateContext) Err() error {
	select {
	case <-c.done:
		if !c.asked.Swap(true) { // by the wait, which holds the lock
			for range 100 {
				runtime.Gosched() // to what is called, which needs the lock
			}
		}
		return context.Canceled
	default:
		return nil
	}
}

func (c *lateContext) AfterFunc(f func()) (stop func() bool) {
	close(c.done)
	go f()
	return func() bool { return false }
}

// A context does no harm to a later wait, which may use the same memory.
func TestContextIsLate(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the call comes when this goroutine waits again
	for _, test := range contextWaits {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, w := testkit.Pipe(t)
			wait := test.wait(t, r)
			for range 10 {
				late := &lateContext{Context: context.Background(), done: make(chan struct{})}
				if n, err := wait(late); n != 0 || err != context.Canceled {
					t.Fatalf("%d ready, %v, want the context's error", n, err)
				}
				go func() {
					runtime.Gosched()
					testkit.Write(t, w, "x")
				}()
				if n, err := wait(context.Background()); n != 1 || err != nil {
					t.Fatalf("%d ready, %v, want 1", n, err)
				}
				testkit.Drain(t, r)
			}
		})
	}
}
