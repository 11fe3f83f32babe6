//go:build unix

package pyselect_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// The errors of all packages are one type, and say the same in their fields as in their text.
func TestOpError(t *testing.T) {
	testkit.NoLeaks(t)
	closed, open := testkit.ClosedFd(t, 100), testkit.Readable(t)
	sel, err := selectors.NewSelectSelector()
	check(t, err)
	defer sel.Close()
	_, err = sel.Register(open, selectors.EventRead, nil)
	check(t, err)
	_, registered := sel.Register(open, selectors.EventRead, nil)
	_, _, _, selected := pyselect.Select([]int{open, open}, []int{open, closed}, nil, 0)
	_, _, _, negative := pyselect.Select([]int{open, -5}, nil, nil, 0)
	_, _, _, unwaitable := pyselect.Select(nil, nil, []any{"stdin"}, 0)
	_, adopted := socket.Adopt(open)
	_, fileno := pyselect.Fileno(2.5)

	for _, test := range []struct {
		err  error
		op   string
		fd   int
		is   error
		text string
	}{
		{selected, "select.select", closed, unix.EBADF, fmt.Sprintf("select.select: wlist[1]: fd %d: %v", closed, unix.EBADF)},
		{negative, "select.select", -1, os.ErrInvalid, "select.select: rlist[1]: descriptor -5, want 0 to 2147483647: invalid argument"},
		{unwaitable, "select.select", -1, pyselect.ErrNotWaitable, "select.select: xlist[0]: string: not a waitable object"},
		{pyselect.NewPoll().Modify(open, 0), "poll.modify", open, fs.ErrNotExist, fmt.Sprintf("poll.modify: fd %d: %v", open, unix.ENOENT)},
		{registered, "selectors.register", open, selectors.ErrRegistered, fmt.Sprintf("selectors.register: fd %d: already registered", open)},
		{adopted, "socket.socket", open, unix.ENOTSOCK, fmt.Sprintf("socket.socket: fd %d: %v", open, unix.ENOTSOCK)},
		{fileno, "fileno", -1, pyselect.ErrNotWaitable, "fileno: float64: not a waitable object"},
	} {
		t.Run(test.text, func(t *testing.T) {
			wantError(t, test.err, test.is)
			var e *pyselect.OpError
			if !errors.As(fmt.Errorf("wrapped: %w", test.err), &e) {
				t.Fatalf("%v is a %T", test.err, test.err)
			}
			if e.Op != test.op || e.Fd != test.fd || e.Error() != test.text || e.Timeout() {
				t.Errorf("operation %s, descriptor %d, text %q, timeout: %t", e.Op, e.Fd, e, e.Timeout())
			}
		})
	}
}

func TestOpErrorTimeout(t *testing.T) {
	testkit.NoLeaks(t)
	a, b, err := socket.Socketpair(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	check(t, err)
	defer a.Close()
	defer b.Close()
	for _, test := range []struct {
		blocking bool
		is       error
	}{{true, os.ErrDeadlineExceeded}, {false, socket.ErrWouldBlock}, {false, unix.EAGAIN}} {
		if check(t, a.Settimeout(1)); !test.blocking {
			a.Setblocking(false)
		}
		_, err := a.Recv(make([]byte, 1))
		wantError(t, err, test.is)
		if got := err.(*pyselect.OpError).Timeout(); got != test.blocking || os.IsTimeout(err) != got {
			t.Errorf("%v is a timeout: %t", err, got)
		}
	}
	for err, want := range map[error]bool{unix.ETIMEDOUT: true, unix.ECONNRESET: false, os.ErrClosed: false} {
		if got := (&pyselect.OpError{Op: "socket.recv", Fd: 7, Err: err}).Timeout(); got != want {
			t.Errorf("%v is a timeout: %t", err, got)
		}
	}
}
