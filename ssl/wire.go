//go:build unix || windows

package ssl

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/pyselect/pyselect/socket"
)

// A want is what an operation that cannot go on waits for.
type want int

const (
	nothing want = iota
	readable
	writable
)

// A wire is what crypto/tls has for a connection. It never waits: where it would have to, Read returns errNotNow, after which
// crypto/tls goes on later as if nothing had been. Write takes everything, and flush sends it, if it can be sent.
//
// Read never returns more than what belongs to one record, which the first bytes of the record tell, so that crypto/tls, which
// reads as much as it can get, does not take the next one away from selectors.
//
// Write has no error, whatever flush has: crypto/tls would not take the new key when it cannot answer that it does.
type wire struct {
	sock *socket.Socket

	// Of Read, which one goroutine at a time calls.
	shut   bool // nothing is to be received now
	header [5]byte
	had    int          // bytes of the header
	left   int          // bytes that are to come of the record
	wait   func() error // waits until the socket may be readable, instead of errNotNow; or nil
	failed error        // the last error that is not errNotNow

	mu    sync.Mutex
	out   *[]byte // written, or nil if nothing is; from the pool
	sent  int     // bytes of it
	err   error   // of sending
	ended bool    // close_notify is written
}

// pool has memory for what is written.
var pool = sync.Pool{New: func() any { return new([]byte) }}

// errNotNow is a net.Error that is temporary: crypto/tls does not take it for the end of the connection.
var errNotNow error = notNow{}

type notNow struct{}

func (notNow) Error() string   { return "not now" }
func (notNow) Timeout() bool   { return false }
func (notNow) Temporary() bool { return true }

// Read receives what may be received of the current record.
func (w *wire) Read(p []byte) (n int, err error) {
	for {
		n, err = w.receive(p)
		if errors.Is(err, socket.ErrWouldBlock) {
			if w.wait == nil {
				return 0, errNotNow
			}
			if err = w.wait(); err == nil {
				continue
			}
		}
		w.failed = err
		return n, err
	}
}

func (w *wire) receive(p []byte) (n int, err error) {
	switch {
	case w.shut:
		return 0, socket.ErrWouldBlock
	case w.left > 0:
		p = p[:min(len(p), w.left)]
	default:
		p = p[:min(len(p), len(w.header)-w.had)]
	}
	n, err = w.sock.Recv(p, socket.MSG_DONTWAIT)
	if err != nil {
		return 0, err
	}
	if n == 0 && len(p) > 0 {
		return 0, ErrEOF // and not io.EOF, which crypto/tls has for close_notify
	}
	if w.left > 0 {
		w.left -= n
		return n, nil
	}
	w.had += copy(w.header[w.had:], p[:n])
	if w.had == len(w.header) {
		w.had, w.left = 0, int(binary.BigEndian.Uint16(w.header[3:]))
	}
	return n, nil
}

// Write lets flush send p.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.ended {
		return len(p), nil
	}
	if w.out == nil {
		w.out = pool.Get().(*[]byte)
	}
	*w.out = append(*w.out, p...)
	return len(p), nil
}

// flush sends what has been written, and returns how much is left of it.
func (w *wire) flush() (left int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.out != nil {
		var n int
		n, w.err = w.sock.Send((*w.out)[w.sent:], socket.MSG_DONTWAIT)
		if errors.Is(w.err, socket.ErrWouldBlock) {
			w.err = nil
			return len(*w.out) - w.sent, nil
		}
		if w.sent += n; w.err != nil || w.sent == len(*w.out) {
			*w.out = (*w.out)[:0]
			pool.Put(w.out)
			w.out, w.sent = nil, 0
		}
	}
	return 0, w.err
}

// SetWriteDeadline is called by crypto/tls for close_notify, before and after which it sets one. After the latter, which has
// passed, it may still write answers, but the peer does not expect them, perhaps not even TLS.
func (w *wire) SetWriteDeadline(deadline time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = time.Until(deadline) <= 0
	return nil
}

// What else a net.Conn has.

func (w *wire) Close() error                    { return nil }
func (w *wire) LocalAddr() net.Addr             { return address(w.sock.Getsockname()) }
func (w *wire) RemoteAddr() net.Addr            { return address(w.sock.Getpeername()) }
func (w *wire) SetDeadline(time.Time) error     { return nil }
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// address returns an address that is not nil, which crypto/tls expects.
func address(addr net.Addr, err error) net.Addr {
	if err != nil {
		return socket.UnixAddr("")
	}
	return addr
}
