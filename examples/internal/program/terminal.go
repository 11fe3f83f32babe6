//go:build unix || windows

package program

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/pyselect/pyselect/socket"
)

const (
	maxUnwritten = 10000       // pieces of output that nobody takes; more are dropped, and counted
	flushTime    = time.Second // that the end of the program waits for somebody to take them
)

// A Terminal is standard input, standard output and the log of a program whose loop waits for none of them. The loop would wait
// if it read and wrote itself, even when Select says that it can: another process may be faster to read what is typed, and a
// terminal may have less room than is written. To make the terminal non-blocking would make it so for the shell too, and on
// Windows Select takes nothing but sockets. So goroutines read and write.
type Terminal struct {
	Typed          *socket.Socket // receives what is typed, and then the end; non-blocking
	stdout, stderr *output
	log            io.Writer // what it was before
}

// NewTerminal lets goroutines read standard input and write standard output and the log, until Close. The one that reads ends
// when there is something to read after that.
func NewTerminal(stdin io.Reader, stdout io.Writer) (*Terminal, error) {
	typed, feed, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	typed.Setblocking(false)
	t := &Terminal{Typed: typed, stdout: newOutput(stdout), stderr: newOutput(log.Writer()), log: log.Writer()}
	log.SetOutput(t.stderr)
	go func() {
		defer feed.Close()
		buf := make([]byte, 4096)
		for {
			n, err := stdin.Read(buf)
			if n > 0 && feed.Sendall(buf[:n]) != nil {
				return
			}
			if err != nil {
				if err != io.EOF {
					log.Print(err)
				}
				return
			}
		}
	}()
	return t, nil
}

// Write lets p be written to standard output. If nobody takes what is written there, p is dropped in the end; what is written
// next says how many lines were. It is for one goroutine at a time.
func (t *Terminal) Write(p []byte) (int, error) { return t.stdout.Write(p) }

// Close waits until all is written, but only for a moment. It must be the last call.
func (t *Terminal) Close() {
	log.SetOutput(t.log)
	t.Typed.Close()
	deadline := time.Now().Add(flushTime)
	t.stdout.close(deadline)
	t.stderr.close(deadline)
}

// An output writes in a goroutine of its own.
type output struct {
	pieces  chan []byte
	ended   chan struct{}
	dropped int // lines, since the last piece
}

func newOutput(w io.Writer) *output {
	o := &output{pieces: make(chan []byte, maxUnwritten), ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		for p := range o.pieces {
			w.Write(p) // nobody has to take it
		}
		if o.dropped > 0 {
			w.Write(o.withDropped(nil))
		}
	}()
	return o
}

func (o *output) Write(p []byte) (int, error) {
	select {
	case o.pieces <- o.withDropped(p):
		o.dropped = 0
		return len(p), nil
	default:
		o.dropped += bytes.Count(p, []byte("\n"))
		return 0, socket.ErrWouldBlock
	}
}

// withDropped returns a copy of p, after a line that says how many were dropped before it, if any were.
func (o *output) withDropped(p []byte) []byte {
	if o.dropped == 0 {
		return bytes.Clone(p)
	}
	return fmt.Appendf(nil, "(lines dropped: %d)\n%s", o.dropped, p)
}

func (o *output) close(deadline time.Time) {
	close(o.pieces)
	select {
	case <-o.ended:
	case <-time.After(time.Until(deadline)):
	}
}
