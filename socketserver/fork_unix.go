//go:build unix

package socketserver

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect/socket"
)

// executable returns the program that runs. On Linux it can be started also when its file is removed or replaced.
func executable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// isScarce reports whether an error says that there are no more descriptors, processes or memory now.
func isScarce(err error) bool {
	for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

const givenFd = 3 // the first of exec.Cmd's ExtraFiles

// give lets a process that is to be started inherit a socket. All others are close-on-exec.
func give(child *exec.Cmd, sock *socket.Socket) (given io.Closer, err error) {
	sock, err = sock.Dup()
	if err != nil {
		return nil, err
	}
	fd, err := sock.Detach()
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "request")
	child.ExtraFiles = []*os.File{file}
	return file, nil
}

// share has nothing to do for a process that has been started.
func share(*exec.Cmd, *socket.Socket) (shared []byte, err error) { return nil, nil }

func inherited([]byte) (*socket.Socket, error) { return socket.Adopt(givenFd) }
