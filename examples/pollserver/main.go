//go:build unix

// Pollserver says "hello world" to every client and closes the connection: the server with a poll object and a map from
// descriptors to sockets, which tutorials of Python's select module teach, ported to Go.
//
//	go run ./examples/pollserver -listen localhost:10001
//	nc localhost 10001
//
// It answers at once. What a client sends is not looked at, and no line ends the answer.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socket"
)

const (
	answer = "hello world"

	readOnly  = pyselect.POLLIN // POLLHUP and POLLERR come unasked
	writeOnly = pyselect.POLLOUT
	gone      = pyselect.POLLHUP | pyselect.POLLERR | pyselect.POLLNVAL

	maxDrain = 4 << 20 // bytes that a client that has its answer may still send
)

func main() {
	flags := program.Flags("pollserver", "[-listen HOST:PORT]")
	listen := flags.String("listen", "localhost:10001", "serve on `HOST:PORT`; port 0 picks a free one")
	program.Parse(flags)
	program.Serve(*listen, serve)
}

// serve is the loop, which ends when ctx is done.
func serve(ctx context.Context, server *socket.Socket) error {
	server.Setblocking(false)
	serverFd, err := server.Fileno()
	if err != nil {
		return err
	}

	// A pipe tells the poll what happens elsewhere. A byte means: accept again; end of file means: stop.
	wakeup, waker, err := os.Pipe()
	if err != nil {
		return err
	}
	defer wakeup.Close()
	defer waker.Close()
	stop := context.AfterFunc(ctx, func() { waker.Close() })
	defer stop()
	wakeupFd, err := pyselect.Fileno(wakeup)
	if err != nil {
		return err
	}
	acceptTimer := time.AfterFunc(0, func() { waker.Write([]byte{0}) })
	defer acceptTimer.Stop()

	poller := pyselect.NewPoll()
	if err := poller.Register(wakeupFd, readOnly); err != nil {
		return err
	}
	fdToSocket := map[int]*socket.Socket{serverFd: server}
	unsent := make(map[int]string) // what of the answer each client still has to get
	drained := make(map[int]int)   // how much those who have it have sent
	var lingering program.Lingering
	closeConnection := func(fd int) {
		poller.Unregister(fd)
		fdToSocket[fd].Close()
		delete(fdToSocket, fd)
		delete(unsent, fd)
		delete(drained, fd)
	}
	resetConnection := func(fd int) {
		fdToSocket[fd].SetLinger(true, 0)
		closeConnection(fd)
	}
	defer func() {
		for fd := range unsent {
			closeConnection(fd)
		}
	}()

	buf := make([]byte, 1024)
	for {
		events, err := poller.Poll(lingering.ResetLate(fdToSocket, closeConnection))
		if err != nil {
			return err
		}
		for _, event := range events {
			// More than one bit may be set: a client that is gone may have left something to read.
			fd, mask := event.Fd, event.Events
			s := fdToSocket[fd]
			switch {
			case fd == wakeupFd:
				if _, err := wakeup.Read(buf); err != nil {
					return nil
				}
				if err := poller.Register(server, readOnly); err != nil {
					return err
				}

			case s == server:
				connection, _, err := server.Accept()
				if errors.Is(err, socket.ErrWouldBlock) {
					continue
				}
				if err != nil {
					// The server stays readable, and the loop would spin.
					program.LogAccept(err)
					poller.Unregister(server)
					acceptTimer.Reset(program.AcceptDelay)
					continue
				}
				connection.Setblocking(false)
				fd, err := connection.Fileno()
				if err == nil {
					err = poller.Register(connection, writeOnly)
				}
				if err != nil {
					log.Print(err)
					connection.Close()
					continue
				}
				fdToSocket[fd] = connection
				unsent[fd] = answer

			case mask&readOnly != 0:
				n, err := s.Recv(buf)
				if errors.Is(err, socket.ErrWouldBlock) {
					continue
				}
				if err != nil || n == 0 {
					closeConnection(fd)
					continue
				}
				if drained[fd] += n; drained[fd] > maxDrain {
					resetConnection(fd)
				}

			case mask&writeOnly != 0:
				n, err := s.Send([]byte(unsent[fd]))
				if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
					closeConnection(fd)
					continue
				}
				unsent[fd] = unsent[fd][n:]
				if unsent[fd] == "" {
					poller.Modify(s, readOnly)
					lingering.Add(fd, s)
				}

			case mask&gone != 0:
				closeConnection(fd)
			}
		}
	}
}
