//go:build unix

package socketserver

import (
	"os"
	"os/exec"

	"github.com/pyselect/pyselect/socket"
)

const inheritedFd = 3 // the first of exec.Cmd's ExtraFiles

// startWith starts a process that inherits a socket. All others are close-on-exec.
func startWith(child *exec.Cmd, sock *socket.Socket) (shared []byte, err error) {
	sock, err = sock.Dup()
	if err != nil {
		return nil, err
	}
	fd, err := sock.Detach()
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "request")
	defer file.Close()
	child.ExtraFiles = []*os.File{file}
	return nil, child.Start()
}

func inherited([]byte) (*socket.Socket, error) { return socket.Adopt(inheritedFd) }
