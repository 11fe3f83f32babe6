package tests

import (
	"context"
	"os"
	"testing"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/internal/wait"
)

func init() {
	contextWaits = append(contextWaits, contextWait{"Epoll", func(t *testing.T, fd int) func(context.Context) (int, error) {
		e := testkit.NewEpoll(t, 0, fd)
		return func(ctx context.Context) (int, error) {
			events, err := e.PollContext(ctx, -1)
			return len(events), err
		}
	}})
	for _, plain := range contextWaits[:3:3] {
		for name, way := range map[string]wait.Way{"in the kernel": wait.InKernel, "together": wait.Together} {
			contextWaits = append(contextWaits, contextWait{plain.name + ", " + name, func(t *testing.T, fd int) func(context.Context) (int, error) {
				testkit.Force(t, way)
				return plain.wait(t, fd)
			}})
		}
	}
}

func TestEpollContextClosed(t *testing.T) {
	testkit.NoLeaks(t)
	e := testkit.NewEpoll(t, 0)
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	call := testkit.Go(t, func() { _, err = e.PollContext(ctx, -1) }).Blocked()
	check(t, e.Close())
	call.Wait()
	wantError(t, err, os.ErrClosed, "epoll.poll")
	cancel()
	_, err = e.PollContext(ctx, -1)
	wantError(t, err, os.ErrClosed, "epoll.poll") // comes first
	_, err = e.PollContext(ctx, 0)
	wantError(t, err, os.ErrClosed)
	_, err = pyselect.NewPoll().PollContext(ctx)
	if err != context.Canceled {
		t.Errorf("error is %v", err)
	}
}
