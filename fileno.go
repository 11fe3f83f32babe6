package pyselect

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"reflect"
	"syscall"

	"github.com/pyselect/pyselect/internal/wait"
)

// Fileno returns the descriptor of a waitable object, which is the first of these that fileobj is:
//
//   - something with a method Fileno() (int, error) or Fileno() int, like a Python object with a fileno method;
//   - a [syscall.Conn]: a net.Conn, a net.Listener, an *os.File and others;
//   - something with a method Fd() uintptr;
//   - the descriptor itself, as an int, an int32 or a uintptr, or of a type that is defined as one of these, like
//     windows.Handle. Integers of other types are no descriptors: a time.Duration is not, nor is an os.FileMode.
//
// It never changes the blocking mode of fileobj. Pass an *os.File itself, not the result of its Fd method, which may switch it
// to blocking mode. A *tls.Conn is not waitable: pass its NetConn, and mind what TLS has buffered.
//
// The error is os.ErrClosed for an object that has been closed, os.ErrInvalid for a nil pointer and for a number that is
// negative or larger than a descriptor can be, and ErrNotWaitable for anything else that is not in this list. Other errors
// of the methods are wrapped. Fileno may be called concurrently if the methods of fileobj may; this package calls it with
// no lock held.
func Fileno(fileobj any) (int, error) {
	fd, err := fileno(fileobj)
	return fd, opError("fileno", -1, err)
}

// fileno is Fileno for an operation that has a name of its own. Its error is what the OpError of Fileno wraps.
func fileno(fileobj any) (int, error) {
	if fd, ok := fileobj.(int); ok {
		return checkFd(fd)
	}
	v := reflect.ValueOf(fileobj)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return -1, invalid("nil %T", fileobj)
	}
	switch obj := fileobj.(type) {
	case interface{ Fileno() (int, error) }:
		fd, err := obj.Fileno()
		if err != nil {
			return -1, fmt.Errorf("%T.Fileno: %w", fileobj, closedError(err))
		}
		return checkFd(fd)
	case interface{ Fileno() int }:
		return checkFd(obj.Fileno())
	case syscall.Conn:
		return connFd(obj)
	case interface{ Fd() uintptr }:
		fd, err := checkFd(obj.Fd())
		if err != nil {
			return -1, fmt.Errorf("%T.Fd: %w", fileobj, err)
		}
		return fd, nil
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int32:
		return checkFd(v.Int())
	case reflect.Uintptr:
		return checkFd(v.Uint())
	}
	return -1, fmt.Errorf("%T: %w", fileobj, ErrNotWaitable)
}

func checkFd[T int | int64 | uint64 | uintptr](fd T) (int, error) {
	if fd < 0 || uint64(fd) > math.MaxInt32 {
		return -1, invalid("descriptor %d, want 0 to %d", fd, math.MaxInt32)
	}
	return int(fd), nil
}

func connFd(c syscall.Conn) (int, error) {
	fd := -1
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(v uintptr) { fd = int(v) })
	}
	if err != nil {
		return -1, fmt.Errorf("%T: %w", c, closedError(err))
	}
	return checkFd(fd)
}

// closedError returns an error that is also os.ErrClosed if err means "closed", and err itself otherwise.
func closedError(err error) error {
	// The RawConn of an *os.File returns internal/poll.ErrFileClosing as it is, which has no other mark than its text.
	if errors.Is(err, net.ErrClosed) || err.Error() == "use of closed file" {
		return fmt.Errorf("%w: %w", os.ErrClosed, err)
	}
	return err
}

// begin returns the descriptor of an object for an operation on a set, and the lock of the set held.
func begin(set *wait.Waits, op string, obj any) (fd int, err error) {
	fd, err = fileno(obj)
	set.Lock()
	switch {
	case set.Closed():
		return -1, opError(op, -1, os.ErrClosed)
	case err != nil:
		return -1, opError(op, -1, err)
	}
	return fd, nil
}

// objects keeps registered objects alive, by descriptor. An object that the garbage collector finds unused closes its descriptor.
type objects map[int]any

func (o *objects) keep(fd int, obj any) {
	if _, ok := obj.(int); ok {
		return
	}
	if *o == nil {
		*o = make(objects)
	}
	(*o)[fd] = obj
}

func (o *objects) drop(fd int) { delete(*o, fd) }
