//go:build unix || windows

// Queueserver answers every message in upper case: the server with lists of inputs and outputs and a queue of messages for
// each connection, which tutorials of Python's select module teach, ported to Go.
//
//	go run ./examples/queueserver -listen localhost:10000
//	nc localhost 10000
package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socket"
)

const (
	messageSize = 1024

	// A client with this many messages in its queue is not read from until it has taken them all.
	queueSize = 64
)

func main() {
	flags := program.Flags("queueserver", "[-listen HOST:PORT] [-v]")
	listen := flags.String("listen", "localhost:10000", "serve on `HOST:PORT`; port 0 picks a free one")
	program.Verbose(flags)
	program.Parse(flags)
	program.Serve(*listen, serve)
}

// serve is the loop, which ends when ctx is done.
func serve(ctx context.Context, server *socket.Socket) error {
	server.Setblocking(false)

	// A socket tells Select what happens elsewhere. A byte means: accept again; end of file means: stop.
	wakeup, waker, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer wakeup.Close()
	defer waker.Close()
	stop := context.AfterFunc(ctx, func() { waker.Close() })
	defer stop()

	acceptTimer := time.AfterFunc(0, func() { waker.Send([]byte{0}) })
	defer acceptTimer.Stop()

	inputs := []*socket.Socket{wakeup}                 // and the server, when it is time to accept
	outputs := []*socket.Socket{}                      // those whose queues are not empty
	messageQueues := make(map[*socket.Socket][][]byte) // an empty message is the last one
	peers := make(map[*socket.Socket]net.Addr)
	closeConnection := func(s *socket.Socket) {
		program.Logf("%v: closed", peers[s])
		inputs = remove(inputs, s)
		outputs = remove(outputs, s)
		delete(messageQueues, s)
		delete(peers, s)
		s.Close()
	}
	dropConnection := func(s *socket.Socket, err error) {
		program.Logf("%v", program.PeerError(peers[s], err))
		closeConnection(s)
	}
	defer func() {
		for s := range messageQueues {
			closeConnection(s)
		}
	}()

	buf := make([]byte, messageSize)
	for {
		readable, writable, exceptional, err := pyselect.Select(inputs, outputs, inputs, pyselect.Forever)
		if err != nil {
			return err
		}

		for _, s := range readable {
			switch s {
			case wakeup:
				if n, _ := wakeup.Recv(buf); n == 0 {
					return nil
				}
				inputs = append(inputs, server)

			case server:
				connection, peer, err := server.Accept()
				switch {
				case errors.Is(err, socket.ErrWouldBlock):
				case err != nil:
					// The server stays readable, and the loop would spin.
					program.LogAccept(err)
					inputs = remove(inputs, server)
					acceptTimer.Reset(program.AcceptDelay)
				default:
					program.Logf("%v: connected", peer)
					connection.Setblocking(false)
					inputs = append(inputs, connection)
					messageQueues[connection] = nil
					peers[connection] = peer
				}

			default:
				n, err := s.Recv(buf)
				if errors.Is(err, socket.ErrWouldBlock) {
					continue
				}
				if err != nil {
					dropConnection(s, err)
					continue
				}
				if n > 0 {
					program.Logf("%v: received %d bytes", peers[s], n)
				}
				queue := append(messageQueues[s], upper(buf[:n]))
				messageQueues[s] = queue
				if len(queue) == 1 {
					outputs = append(outputs, s)
				}
				// Who sends no more still gets the answers.
				if n == 0 || len(queue) == queueSize {
					inputs = remove(inputs, s)
				}
			}
		}

		for _, s := range writable {
			queue, open := messageQueues[s]
			if !open {
				continue // it was also readable, and that was its end
			}
			nextMsg := queue[0]
			if len(nextMsg) == 0 {
				closeConnection(s)
				continue
			}
			n, err := s.Send(nextMsg)
			if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
				dropConnection(s, err)
				continue
			}
			if n > 0 {
				program.Logf("%v: sent %d bytes", peers[s], n)
			}
			if n < len(nextMsg) {
				queue[0] = nextMsg[n:]
				continue
			}
			queue = queue[1:]
			messageQueues[s] = queue
			if len(queue) == 0 {
				outputs = remove(outputs, s)
				if !slices.Contains(inputs, s) {
					inputs = append(inputs, s)
				}
			}
		}

		// Urgent data is the exception that TCP has.
		for _, s := range exceptional {
			if _, open := messageQueues[s]; open {
				closeConnection(s)
			}
		}
	}
}

// remove returns the list without a socket.
func remove(list []*socket.Socket, s *socket.Socket) []*socket.Socket {
	return slices.DeleteFunc(list, func(other *socket.Socket) bool { return other == s })
}

// upper returns a copy of p in upper case. As in Python's bytes.upper, only the letters of ASCII have it: a message may begin
// or end within a character.
func upper(p []byte) []byte {
	p = slices.Clone(p)
	for i, c := range p {
		if 'a' <= c && c <= 'z' {
			p[i] = c - 'a' + 'A'
		}
	}
	return p
}
