//go:build unix || windows

package sys

import "sync"

// A Waker ends the sleep of a thread in the kernel: its descriptor, which that waits for too, is readable from Wake until
// Drain. Its owner lets no other method but Enter and Leave run beside Close.
type Waker struct {
	r, w   int // the descriptor, and the one that is written to
	closed bool
	asleep sync.Mutex
}

// NewWaker returns a Waker.
func NewWaker() (*Waker, error) {
	r, w, err := wakerPair()
	if err != nil {
		return nil, err
	}
	return &Waker{r: r, w: w}, nil
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
	closeWaker(w.r)
	if w.w != w.r {
		closeWaker(w.w)
	}
}
