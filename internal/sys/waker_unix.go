//go:build unix

package sys

import "golang.org/x/sys/unix"

// Wake makes the descriptor readable. The write can only fail because nothing more fits in, and then it is readable.
func (w *Waker) Wake() {
	var one [8]byte // what an eventfd takes
	one[0] = 1
	unix.Write(w.w, one[:])
}

// Drain makes the descriptor unreadable again.
func (w *Waker) Drain() {
	var buf [64]byte
	for {
		if n, _ := unix.Read(w.r, buf[:]); n < len(buf) {
			return
		}
	}
}

func closeWaker(fd int) { unix.Close(fd) }
