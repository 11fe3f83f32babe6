//go:build unix || windows

package sys

import (
	"runtime"
	"sync"
)

// A Waker ends the sleep of a thread in the kernel: its descriptor, which that waits for too, is readable from Wake until
// Drain. Its owner lets no other method but Enter and Leave run beside Close.
type Waker struct {
	r, w    int // the descriptor, and the one that is written to, which may be the same
	cleanup runtime.Cleanup
	closed  bool
	asleep  sync.Mutex
}

// NewWaker returns a Waker. One that becomes unreachable is closed.
func NewWaker() (*Waker, error) {
	if err := StartGoPoller(); err != nil { // whoever has a Waker may have timers
		return nil, err
	}
	r, w, err := wakerPair()
	if err != nil {
		return nil, err
	}
	waker := &Waker{r: r, w: w}
	waker.cleanup = runtime.AddCleanup(waker, closeWakerPair, [2]int{r, w})
	return waker, nil
}

func closeWakerPair(pair [2]int) {
	closeWaker(pair[0])
	if pair[1] != pair[0] {
		closeWaker(pair[1])
	}
}

// Fd returns the descriptor to wait for.
func (w *Waker) Fd() int { return w.r }

// Enter begins a sleep, unless Close has been called. Between Enter and Leave, the descriptor is open.
func (w *Waker) Enter() bool {
	w.asleep.Lock()
	if w.closed {
		w.asleep.Unlock()
		return false
	}
	return true
}

// Leave ends a sleep.
func (w *Waker) Leave() { w.asleep.Unlock() }

// Close ends the sleep that is on, waits for its end and closes the descriptor.
func (w *Waker) Close() {
	w.Wake()
	w.asleep.Lock()
	defer w.asleep.Unlock()
	w.closed = true
	w.cleanup.Stop()
	closeWakerPair([2]int{w.r, w.w})
}
