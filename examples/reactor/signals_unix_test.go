//go:build unix

package main

import (
	"bytes"
	"log"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
)

// raise sends signals to this process.
func raise(t *testing.T, sigs ...syscall.Signal) {
	t.Helper()
	for _, sig := range sigs {
		testkit.Check(t, syscall.Kill(syscall.Getpid(), sig))
	}
}

func TestHangup(t *testing.T) {
	server, addr := progtest.Serve(t)
	for _, want := range []string{"reactor: connections: 1\n", "reactor: connections: 2\n"} {
		roundTrip(t, progtest.Dial(t, addr), []byte("hello"))
		server.Signal(t, syscall.SIGHUP)
		if line, err := server.Stderr.ReadString('\n'); line != want || err != nil {
			t.Errorf("at a hangup the server says %q, want %q: %v", line, want, err)
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestOnSignal(t *testing.T) {
	reactor, run := newReactor(t)
	var calls []string
	watch := func(sig os.Signal, name string, then func()) *SignalWatcher {
		return reactor.OnSignal(sig, func() {
			calls = append(calls, name)
			then()
		})
	}
	var c *SignalWatcher
	first := true
	a := watch(syscall.SIGHUP, "a", func() {
		if !first {
			raise(t, syscall.SIGUSR1)
			return
		}
		first = false
		c.Cancel()
		watch(syscall.SIGHUP, "d", func() {}) // from the next one on
		watch(syscall.SIGUSR1, "e", reactor.Stop)
		raise(t, syscall.SIGHUP)
	})
	b := watch(syscall.SIGHUP, "b", func() {})
	c = watch(syscall.SIGHUP, "c", func() {})
	watch(syscall.SIGHUP, "cancelled", func() {}).Cancel()
	watch(syscall.SIGUSR1, "cancelled, too", func() {}).Cancel()
	reactor.OnSignal(syscall.SIGHUP, func() { panic("a panic of a watcher") })
	var complaints bytes.Buffer
	log.SetOutput(&complaints)
	defer log.SetOutput(os.Stderr)
	raise(t, syscall.SIGHUP) // which waits for Run
	run()
	testkit.Equal(t, "the calls", calls, "a", "b", "a", "b", "d", "e")
	if a.Active() || b.Active() || c.Active() {
		t.Error("watchers are active at the end of the reactor")
	}
	b.Cancel()
	if n := strings.Count(complaints.String(), "unhandled error: a panic of a watcher\n"); n != 2 {
		t.Errorf("%d panics are logged, want 2: %s", n, &complaints)
	}
}

// Who watches interrupts has them, and gives them back.
func TestOnInterrupt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		reactor, run := newReactor(t)
		calls := 0
		var w *SignalWatcher
		w = reactor.OnSignal(sig, func() {
			if calls++; calls == 2 {
				w.Cancel()
			}
			raise(t, sig)
		})
		reactor.CallLater(0, func() { raise(t, sig) })
		run()
		if calls != 2 {
			t.Errorf("%v: %d calls, want 2", sig, calls)
		}
	}
}

// Signals that come while the reactor is busy are not lost, though several may be one.
func TestManySignals(t *testing.T) {
	reactor, run := newReactor(t)
	sigs := []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}
	var came []os.Signal
	for _, sig := range sigs {
		reactor.OnSignal(sig, func() {
			if !slices.Contains(came, os.Signal(sig)) {
				came = append(came, sig)
			}
			if len(came) == len(sigs) {
				reactor.Stop()
			}
		})
	}
	reactor.CallLater(testkit.Patience, func() {
		t.Errorf("of %v, only %v have come", sigs, came)
		reactor.Stop()
	})
	reactor.CallLater(0, func() {
		for range 1000 {
			raise(t, sigs...)
		}
	})
	run()
}

// Who cancels and watches again misses nothing that has come in the meantime.
func TestWatchAgain(t *testing.T) {
	reactor, run := newReactor(t)
	calls := 0
	var watch func()
	watch = func() {
		var w *SignalWatcher
		w = reactor.OnSignal(syscall.SIGUSR1, func() {
			w.Cancel()
			watch()
			if calls++; calls == 2 {
				reactor.Stop()
			}
		})
	}
	watch()
	for n := 1; n <= 2; n++ { // while the loop is busy
		raise(t, syscall.SIGUSR1)
		testkit.Eventually(t, "a call for each signal", func() bool {
			reactor.mu.Lock()
			defer reactor.mu.Unlock()
			return len(reactor.fromThread) == n
		})
	}
	reactor.CallLater(testkit.Patience, reactor.Stop)
	run()
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

// A signal that nobody watches any more does what it does otherwise: before Run, this one ends the program.
func TestCancelledSignal(t *testing.T) {
	const child = "REACTOR_CHILD"
	if os.Getenv(child) == "" {
		cmd := testkit.Itself(t, child+"=1", "-test.run", "^TestCancelledSignal$")
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
			t.Errorf("the program has ended with %v, want SIGTERM: %s", cmd.ProcessState, out)
		}
		return
	}
	reactor, _ := newReactor(t)
	for range 2 { // of the same catcher
		reactor.OnSignal(syscall.SIGTERM, func() {}).Cancel()
	}
	reactor.runUntilCurrent()
	raise(t, syscall.SIGTERM)
	time.Sleep(testkit.Patience)
}
