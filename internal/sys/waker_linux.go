package sys

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Waker ends the sleep of a thread in the kernel: its descriptor, which that waits for too, is readable from Wake until
// Drain. Its owner lets no other method but Enter and Leave run beside Close.
type Waker struct {
	fd     int
	closed bool
	asleep sync.Mutex
}

// NewWaker wraps eventfd(2).
func NewWaker() (*Waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &Waker{fd: fd}, nil
}

// Fd returns the descriptor to wait for.
func (w *Waker) Fd() int { return w.fd }

// Wake makes the descriptor readable. A write can only fail where the counter is full, and then it is readable.
func (w *Waker) Wake() {
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(w.fd), uintptr(unsafe.Pointer(&one)), 8)
}

// Drain makes the descriptor unreadable again.
func (w *Waker) Drain() {
	var count uint64
	unix.RawSyscall(unix.SYS_READ, uintptr(w.fd), uintptr(unsafe.Pointer(&count)), 8)
}

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
	unix.Close(w.fd)
}
