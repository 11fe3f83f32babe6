package main

import (
	"io"
	"os"

	"github.com/pyselect/pyselect/socket"
)

const maxShown = maxUnsent // a socket says how much it has taken

// terminal returns what stands for standard input and output, and what ends that. Select waits for nothing but sockets here: one
// goroutine sends what it reads from standard input to a socket, and another one writes to standard output what that receives.
func terminal(stdin, stdout *os.File) (in io.Reader, out io.Writer, end func(), err error) {
	ours, theirs, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	ours.Setblocking(false)
	go func() {
		io.Copy(stream{theirs}, stdin)
		theirs.Shutdown(socket.SHUT_WR)
	}()
	go func() {
		defer theirs.Close()
		io.Copy(stdout, stream{theirs})
		io.Copy(io.Discard, stream{theirs}) // if standard output is broken
	}()
	return stream{ours}, stream{ours}, func() { ours.Close() }, nil
}

// A stream is a socket that reads and writes as a file does. It is waitable.
type stream struct{ *socket.Socket }

func (s stream) Read(p []byte) (int, error) {
	n, err := s.Recv(p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (s stream) Write(p []byte) (int, error) { return s.Send(p) }
