package selectors_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

const soError = 0x1007 // SO_ERROR

// What is no socket can be registered with a SelectSelector, as in Python, but not waited for. It is named; Wine has
// another error than WSAENOTSOCK for a file at times.
func TestNoSocket(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, k kind) {
		a, _ := testkit.Socketpair(t)
		register(t, sel, a, write, nil)
		file, err := os.Open(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if k.kernel {
			_, err := sel.Register(file, read, nil)
			wantError(t, err, errBadFd, "selectors.register", "fd ")
			selects(t, sel, pyselect.Forever, a, write)
			return
		}
		key := register(t, sel, file, read, nil)
		_, err = sel.Select(pyselect.Forever)
		if text := fmt.Sprintf("fd %d:", key.Fd); !errors.As(err, new(*pyselect.OpError)) || !strings.Contains(err.Error(), text) {
			t.Errorf("error is %v, want %q in it", err, text)
		}
		unregister(t, sel, file)
		selects(t, sel, pyselect.Forever, a, write)
	})
}

// A connect that fails makes its socket writable, as on other systems.
func TestFailedConnect(t *testing.T) {
	each(t, func(t *testing.T, sel selectors.BaseSelector, _ kind) {
		s := testkit.Refused(t)
		register(t, sel, s, write, nil)
		selects(t, sel, pyselect.Forever, s, write)
		errno, err := windows.GetsockoptInt(windows.Handle(s), windows.SOL_SOCKET, soError)
		if err != nil || syscall.Errno(errno) != windows.WSAECONNREFUSED {
			t.Errorf("the error of the socket is %d, %v, want %d", errno, err, windows.WSAECONNREFUSED)
		}
	})
}
