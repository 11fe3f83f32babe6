package sys

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Waker is a descriptor that Wake makes readable until Drain. Its owner keeps the other methods from running beside Close.
type Waker struct{ fd int }

// NewWaker wraps eventfd(2).
func NewWaker() (*Waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &Waker{fd}, nil
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

// Close closes the descriptor.
func (w *Waker) Close() { unix.Close(w.fd) }
