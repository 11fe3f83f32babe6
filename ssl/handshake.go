//go:build unix || windows

package ssl

import (
	"os"
	"sync"
	"sync/atomic"
)

// A handshake is that of crypto/tls, a call that does not return before it is done. It has a goroutine of its own, which runs only while shake
// waits for it: when the handshake needs something to read, shake returns, and the next one lets it go on.
type handshake struct {
	mu     sync.Mutex // of shake
	begun  bool
	err    error
	done   atomic.Bool   // and flushed, without an error
	paused chan struct{} // the goroutine has no more to read
	ended  chan struct{} // closed when it has ended
	resume chan struct{} // it is to go on
}

func (h *handshake) init() {
	h.paused, h.ended, h.resume = make(chan struct{}), make(chan struct{}), make(chan struct{})
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
			c.wire.wait = c.pause
			go c.run()
		} else {
			select {
			case h.resume <- struct{}{}:
			case <-h.ended: // as the Socket is closed
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

// pause lets shake return, and waits for the next one.
func (c *conn) pause() error {
	select {
	case c.handshake.paused <- struct{}{}:
	case <-c.closed:
		return os.ErrClosed
	}
	select {
	case <-c.handshake.resume:
		return nil
	case <-c.closed:
		return os.ErrClosed
	}
}
