package socketserver

import (
	"os/exec"

	"github.com/pyselect/pyselect/socket"
)

// startWith starts a process that gets a duplicate of a socket. To let it inherit the socket is not safe with all providers of sockets.
func startWith(child *exec.Cmd, sock *socket.Socket) (shared []byte, err error) {
	if err := child.Start(); err != nil {
		return nil, err
	}
	shared, err = sock.Share(child.Process.Pid)
	if err != nil {
		child.Process.Kill()
		child.Wait()
	}
	return shared, err
}

func inherited(shared []byte) (*socket.Socket, error) { return socket.FromShare(shared) }
