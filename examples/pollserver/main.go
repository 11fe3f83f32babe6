//go:build unix

// Pollserver says "hello world" to every client that says something and closes the connection: the server with a poll object
// and a map from descriptors to sockets, which tutorials of Python's select module teach, ported to Go. It waits until a client
// is readable, and from then on until it is writable.
//
//	go run ./examples/pollserver -listen localhost:10001
//	nc localhost 10001
//
// What a client says is not looked at, and no line ends the answer. Those who say nothing may stay for ever.
package main

import (
	"context"
	"errors"
	"log"
	"net"
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
	flags := program.Flags("pollserver", "[-listen HOST:PORT] [-v]")
	listen := flags.String("listen", "localhost:10001", "serve on `HOST:PORT`; port 0 picks a free one")
	program.Verbose(flags)
	program.Parse(flags)
	program.Serve(*listen, serve)
}

// A client is what is known of one beside its socket.
type client struct {
	peer    net.Addr
	unsent  string // what of the answer it still has to get
	drained int    // bytes that it has sent since it has it all
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
	clients := make(map[int]*client)
	var lingering program.Lingering
	closeConnection := func(fd int) {
		program.Logf("%v: closed", clients[fd].peer)
		poller.Unregister(fd)
		fdToSocket[fd].Close()
		delete(fdToSocket, fd)
		delete(clients, fd)
	}
	dropConnection := func(fd int, err error) {
		program.Logf("%v", program.PeerError(clients[fd].peer, err))
		closeConnection(fd)
	}
	modify := func(fd int, mask pyselect.PollMask) {
		if err := poller.Modify(fd, mask); err != nil {
			log.Print(program.PeerError(clients[fd].peer, err))
			closeConnection(fd)
		}
	}
	defer func() {
		for fd := range clients {
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
			s, c := fdToSocket[fd], clients[fd]
			switch {
			case fd == wakeupFd:
				if _, err := wakeup.Read(buf); err != nil {
					return nil
				}
				if err := poller.Register(server, readOnly); err != nil {
					return err
				}

			case s == server:
				connection, peer, err := server.Accept()
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
					err = poller.Register(connection, readOnly)
				}
				if err != nil {
					log.Print(program.PeerError(peer, err))
					connection.Close()
					continue
				}
				program.Logf("%v: connected", peer)
				fdToSocket[fd] = connection
				clients[fd] = &client{peer: peer, unsent: answer}

			case mask&readOnly != 0:
				n, err := s.Recv(buf)
				if errors.Is(err, socket.ErrWouldBlock) {
					continue
				}
				if err != nil {
					dropConnection(fd, err)
					continue
				}
				if n == 0 {
					closeConnection(fd)
					continue
				}
				program.Logf("%v: received %d bytes", c.peer, n)
				if c.unsent != "" {
					modify(fd, writeOnly)
				} else if c.drained += n; c.drained > maxDrain {
					s.SetLinger(true, 0)
					closeConnection(fd)
				}

			case mask&writeOnly != 0:
				n, err := s.Send([]byte(c.unsent))
				if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
					dropConnection(fd, err)
					continue
				}
				if n > 0 {
					program.Logf("%v: sent %d bytes", c.peer, n)
				}
				c.unsent = c.unsent[n:]
				if c.unsent == "" {
					lingering.Add(fd, s)
					modify(fd, readOnly)
				}

			case mask&gone != 0:
				closeConnection(fd)
			}
		}
	}
}
