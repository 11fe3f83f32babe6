//go:build unix || windows

package ssl

import (
	"os"
	"sync"
	"sync/atomic"
)

// A handshake is that of crypto/tls, a call that does not return before it is done. It has a goroutine of its own, which runs only while step
// waits for it: when the handshake needs something to read, step returns, and the next one lets it go on.
type handshake struct {
	mu     sync.Mutex // of step
	begun  bool
	err    error
	done   atomic.Bool   // and flushed, without an error
	paused chan struct{} // the goroutine has no more to read
	ended  chan struct{} // closed when it has ended
	resume chan struct{} // it is to go on

	abandoned chan struct{} // closed when it is to end
	abandon   func()
}

func (h *handshake) init() {
	h.paused, h.ended, h.resume = make(chan struct{}), make(chan struct{}), make(chan struct{})
	h.abandoned = make(chan struct{})
	h.abandon = sync.OnceFunc(func() { close(h.abandoned) })
}

// shake takes the handshake as far as it goes without waiting.
func (c *conn) shake() (want, error) {
	h := &c.handshake
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done.Load() {
		return nothing, nil
	}
	for {
		left, err := c.wire.flush()
		switch {
		case left > 0:
			return writable, nil
		case err != nil && h.err == nil:
			h.err = err // which the goroutine would meet
		}
		select {
		case <-h.ended:
			if h.err == nil {
				h.done.Store(true)
			}
			return nothing, h.err
		default:
		}
		if !h.begun {
			h.begun = true
			c.wire.wait = h.pause
			go c.run()
		} else {
			select {
			case h.resume <- struct{}{}:
			case <-h.ended: // it was abandoned
				continue
			}
		}
		select {
		case <-h.paused:
			if left, _ := c.wire.flush(); left == 0 {
				return readable, nil
			}
		case <-h.ended:
		}
	}
}

func (c *conn) run() {
	defer close(c.handshake.ended)
	if err := c.tls.Handshake(); c.handshake.err == nil {
		c.handshake.err = err
	}
	c.wire.wait = nil
}

// pause lets step return, and waits for the next one.
func (h *handshake) pause() error {
	select {
	case h.paused <- struct{}{}:
	case <-h.abandoned:
		return os.ErrClosed
	}
	select {
	case <-h.resume:
		return nil
	case <-h.abandoned:
		return os.ErrClosed
	}
}
