//go:build unix || windows

package sys

import "runtime"

// A Waker ends the sleep of a thread in the kernel: its descriptor, which the thread waits for too, is readable from Wake until
// Drain. Its methods are called by one goroutine at a time.
type Waker struct {
	r, w    int // the descriptor, and the one that is written to, which may be the same
	cleanup runtime.Cleanup
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

// Close closes the descriptor.
func (w *Waker) Close() {
	w.cleanup.Stop()
	closeWakerPair([2]int{w.r, w.w})
}
