//go:build unix

package testkit

import (
	"testing"

	"golang.org/x/sys/unix"
)

// numbers are those of the slots.
type numbers struct{ fds [Slots]int }

// reserve chooses high numbers, which nothing else gets.
func (w *World) reserve(base int) {
	for slot := range w.fds {
		w.fds[slot] = base + slot
	}
}

func connect(kind fileKind) (p [2]int, err error) {
	if kind == socket {
		p, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	} else {
		err = unix.Pipe(p[:])
	}
	for _, fd := range p {
		unix.SetNonblock(fd, true)
	}
	return p, err
}

func closeAll(p [2]int) {
	for _, fd := range p {
		unix.Close(fd)
	}
}

func (w *World) replace(slot, fd int) {
	w.t.Helper()
	if err := unix.Dup2(fd, w.fds[slot]); err != nil {
		w.t.Fatal(err)
	}
}

func (w *World) vacate(slot int) { unix.Close(w.fds[slot]) }

func cram(t testing.TB, fd int) int {
	t.Helper()
	return Fill(t, fd)
}

func (f *OpenFile) drain(_ testing.TB, fd int) {
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 && err != unix.ECONNRESET {
			return
		}
	}
}

// settle has nothing to wait for: what has been written has arrived.
func (w *World) settle() {}
