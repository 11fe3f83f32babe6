package socketserver

import (
	"io"
	"os"
	"os/exec"

	"github.com/pyselect/pyselect/socket"
)

func executable() (string, error) { return os.Executable() }

// give has nothing to do before a process is started: to let it inherit a socket is not safe with all providers of sockets.
func give(*exec.Cmd, *socket.Socket) (given io.Closer, err error) { return io.NopCloser(nil), nil }

// share duplicates a socket for a process that has been started.
func share(child *exec.Cmd, sock *socket.Socket) (shared []byte, err error) {
	return sock.Share(child.Process.Pid)
}

func inherited(shared []byte) (*socket.Socket, error) { return socket.FromShare(shared) }
