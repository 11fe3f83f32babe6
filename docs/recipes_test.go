//go:build unix || windows

package docs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// loop calls what a file was registered with when the file is ready, until that returns an error or ctx is done.
func loop(ctx context.Context, sel selectors.BaseSelector) error {
	for ready, err := range selectors.Events(ctx, sel) {
		if err != nil {
			return err
		}
		if err := ready.Key.Data.(func() error)(); err != nil {
			return err
		}
	}
	return nil
}

// after returns a socket that is readable, at its end, when wait has returned.
func after(wait func()) (*socket.Socket, error) {
	r, w, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	go func() {
		defer w.Close()
		wait()
	}()
	return r, nil
}

// onEnd calls ended with how the child has ended.
func onEnd(sel selectors.BaseSelector, child *exec.Cmd, ended func(error) error) error {
	result := make(chan error, 1)
	end, err := after(func() { result <- child.Wait() })
	if err != nil {
		return err
	}
	_, err = sel.Register(end, selectors.EventRead, func() error {
		sel.Unregister(end)
		end.Close()
		return ended(<-result)
	})
	if err != nil {
		end.Close()
	}
	return err
}

// signals returns a socket that receives the number of each signal as a byte, and the end when ctx is done.
func signals(ctx context.Context, wanted ...os.Signal) (*socket.Socket, error) {
	r, w, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	c := make(chan os.Signal, 16)
	signal.Notify(c, wanted...)
	go func() {
		defer w.Close()
		defer signal.Stop(c)
		for {
			select {
			case s := <-c:
				w.Send([]byte{byte(s.(syscall.Signal))})
			case <-ctx.Done():
				return
			}
		}
	}()
	return r, nil
}

// errSeen ends the loop of a test that has seen what it wanted.
var errSeen = errors.New("seen")

// newSelector returns a selector that is closed at the end of the test, when nothing else may be left behind.
func newSelector(t *testing.T) selectors.BaseSelector {
	testkit.NoLeaks(t)
	sel, err := selectors.NewDefaultSelector()
	testkit.Check(t, err)
	t.Cleanup(func() { sel.Close() })
	return sel
}

// runs checks that the loop runs until a function returns errSeen.
func runs(t *testing.T, sel selectors.BaseSelector) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := loop(ctx, sel); err != errSeen {
		t.Fatalf("the loop ended with %v, %v", err, context.Cause(ctx))
	}
}

func TestEnd(t *testing.T) {
	sel := newSelector(t)
	child := testkit.Itself(t, "PYSELECT_CHILD=1", "-test.run=no such test")
	if err := child.Start(); err != nil {
		t.Skipf("no program can be started: %v", err)
	}
	testkit.Check(t, onEnd(sel, child, func(err error) error {
		if err != nil || child.ProcessState.ExitCode() != 0 {
			t.Errorf("%v, %v", child.ProcessState, err)
		}
		return errSeen
	}))
	runs(t, sel)
}

func TestEndOnClosedSelector(t *testing.T) {
	percent := debug.SetGCPercent(-1) // the garbage collector closes what is left behind, sooner or later
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	sel := newSelector(t)
	testkit.Check(t, sel.Close())
	child := testkit.Itself(t, "PYSELECT_CHILD=1", "-test.run=no such test")
	if err := child.Start(); err != nil {
		t.Skipf("no program can be started: %v", err)
	}
	if err := onEnd(sel, child, nil); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestSignals(t *testing.T) {
	testkit.NotOn(t, "windows", "way to interrupt oneself")
	sel := newSelector(t)
	ctx, cancel := context.WithCancel(t.Context())
	interrupts, err := signals(ctx, os.Interrupt)
	testkit.Check(t, err)
	defer interrupts.Close()
	var got []byte
	_, err = sel.Register(interrupts, selectors.EventRead, func() error {
		buf := make([]byte, 10)
		n, err := interrupts.Recv(buf)
		if n == 0 {
			return errSeen
		}
		got = append(got, buf[:n]...)
		cancel()
		return err
	})
	testkit.Check(t, err)
	itself, err := os.FindProcess(os.Getpid())
	testkit.Check(t, err)
	defer itself.Release()
	testkit.Check(t, itself.Signal(os.Interrupt))
	runs(t, sel)
	testkit.Equal(t, "signals", got, byte(syscall.SIGINT))
}
