package socketserver

import (
	"errors"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/windows"

	"github.com/pyselect/pyselect/socket"
)

func executable() (string, error) { return os.Executable() }

// isScarce reports whether an error says that there are no more handles or memory now.
func isScarce(err error) bool {
	for _, errno := range []windows.Errno{
		windows.ERROR_TOO_MANY_OPEN_FILES, windows.ERROR_NO_SYSTEM_RESOURCES, windows.ERROR_NOT_ENOUGH_MEMORY, windows.ERROR_COMMITMENT_LIMIT,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// give has nothing to do before a process is started: to let it inherit a socket is not safe with all providers of sockets.
func give(*exec.Cmd, *socket.Socket) (given io.Closer, err error) { return io.NopCloser(nil), nil }

// share duplicates a socket for a process that has been started.
func share(child *exec.Cmd, sock *socket.Socket) (shared []byte, err error) {
	return sock.Share(child.Process.Pid)
}

func inherited(shared []byte) (*socket.Socket, error) { return socket.FromShare(shared) }
