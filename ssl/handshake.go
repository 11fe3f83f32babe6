//go:build unix || windows

package ssl

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/pyselect/pyselect/socket"
)

// A handshake is that of crypto/tls, a call that does not return before it is done. It has a goroutine of its own, which runs
// only while shake waits for it: when the handshake needs something to read, shake returns, and the next one lets it go on.
type handshake struct {
	mu      sync.Mutex // of shake
	begun   bool
	running atomic.Bool   // the goroutine is there
	done    atomic.Bool   // and flushed, without an error
	waiters sync.RWMutex  // those who wait for it read
	settled atomic.Bool   // it is done, and nobody waits any more
	paused  chan struct{} // the goroutine has no more to read
	resume  chan error    // it is to go on, or to end with an error
	ended   chan struct{} // closed when it has ended
	err     error         // then
}

func (h *handshake) init() {
	h.paused, h.resume, h.ended = make(chan struct{}), make(chan error), make(chan struct{})
}

// shake takes the handshake as far as it goes without waiting.
func (c *conn) shake([]byte) (n int, w want, err error) {
	h := &c.handshake
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done.Load() {
		return 0, nothing, nil
	}
	for {
		left, err := c.wire.flush()
		if left > 0 {
			return 0, writable, nil
		}
		select {
		case <-h.ended:
			if h.err != nil {
				err = h.err
			}
			h.done.Store(err == nil)
			return 0, nothing, err
		default:
		}
		if !h.begun {
			if typ := c.wire.sock.Type(); typ != 0 && typ != socket.SOCK_STREAM { // 0 is that of the zero Socket
				return 0, nothing, fmt.Errorf("a socket of type %d, want SOCK_STREAM: %w", typ, os.ErrInvalid)
			}
			h.begun = true
			h.running.Store(true)
			c.wire.wait = c.pause
			go c.run()
		} else {
			select {
			case h.resume <- err:
			case <-c.ctx.Done():
				return 0, nothing, os.ErrClosed
			}
		}
		select {
		case <-h.paused:
			if left, err := c.wire.flush(); left == 0 && err == nil {
				return 0, readable, nil
			}
		case <-h.ended:
		case <-c.ctx.Done(): // a function of the config may take its time
			return 0, nothing, os.ErrClosed
		}
		c.kick() // others may wait for what has been read
	}
}

func (c *conn) run() {
	h := &c.handshake
	defer func() {
		h.running.Store(false)
		close(h.ended)
	}()
	h.err = errors.New("a function of the config has ended the goroutine of the handshake")
	err := c.tls.HandshakeContext(c.ctx)
	switch {
	case c.isClosed():
		err = os.ErrClosed
	case err != nil && err != c.wire.failed: // whatever it is, if it is that of a function of the config
		err = ofTLS(err)
	}
	h.err = err
	c.wire.wait = nil
}

// pause lets shake return, and waits for the next one.
func (c *conn) pause() error {
	select {
	case c.handshake.paused <- struct{}{}:
	case <-c.ctx.Done():
		return os.ErrClosed
	}
	select {
	case err := <-c.handshake.resume:
		return err
	case <-c.ctx.Done():
		return os.ErrClosed
	}
}
