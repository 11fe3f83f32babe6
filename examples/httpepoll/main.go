//go:build linux

// Httpepoll is a web server that says "Hello, world!": the one with a level-triggered epoll and a map each for connections,
// requests and responses, which tutorials of Python's select.epoll teach, ported to Go.
//
//	go run ./examples/httpepoll -listen localhost:8080
//	curl -i localhost:8080
//
// Like the original, it has no timeout for silent clients.
package main

import (
	"bytes"
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
	head     = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
	body     = "Hello, world!"
	tooLarge = "HTTP/1.0 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n"

	maxRequest = 8 << 10 // bytes of a request, with the empty line

	maxDrain = 4 << 20 // bytes that a client that has its response may still send
)

// The two ways in which an empty line ends a request.
var eol1, eol2 = []byte("\n\n"), []byte("\n\r\n")

func main() {
	flags := program.Flags("httpepoll", "[-listen HOST:PORT] [-v]")
	listen := flags.String("listen", "localhost:8080", "serve on `HOST:PORT`; port 0 picks a free one")
	program.Verbose(flags)
	program.Parse(flags)
	program.Serve(*listen, serve)
}

// serve is the loop, which ends when ctx is done.
func serve(ctx context.Context, serversocket *socket.Socket) error {
	serversocket.Setblocking(false)
	serverFileno, err := serversocket.Fileno()
	if err != nil {
		return err
	}
	epoll, err := pyselect.NewEpoll()
	if err != nil {
		return err
	}
	defer epoll.Close()
	if err := epoll.Register(serversocket, pyselect.EPOLLIN); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { epoll.Close() }) // which ends a Poll, and is no error of what comes before that
	defer stop()
	var acceptAgain func()
	acceptAgain = func() {
		if err := epoll.Modify(serversocket, pyselect.EPOLLIN); err != nil && !errors.Is(err, os.ErrClosed) {
			program.LogAccept(err)
			time.AfterFunc(program.AcceptDelay, acceptAgain)
		}
	}

	connections := make(map[int]*socket.Socket)
	peers := make(map[int]net.Addr)
	requests := make(map[int][]byte)  // of those that have not sent all of it
	responses := make(map[int][]byte) // what each of the others still has to get
	drained := make(map[int]int)      // how much those who have it have sent since
	var lingering program.Lingering
	closeConnection := func(fileno int) {
		program.Logf("%v: closed", peers[fileno])
		epoll.Unregister(fileno)
		connections[fileno].Close()
		delete(connections, fileno)
		delete(peers, fileno)
		delete(requests, fileno)
		delete(responses, fileno)
		delete(drained, fileno)
	}
	resetConnection := func(fileno int) {
		connections[fileno].SetLinger(true, 0)
		closeConnection(fileno)
	}
	complain := func(peer net.Addr, err error) {
		if !errors.Is(err, os.ErrClosed) {
			log.Print(program.PeerError(peer, err))
		}
	}
	modify := func(fileno int, mask pyselect.EpollMask) {
		if err := epoll.Modify(fileno, mask); err != nil {
			complain(peers[fileno], err)
			closeConnection(fileno)
		}
	}
	defer func() {
		for fileno := range connections {
			closeConnection(fileno)
		}
	}()

	buf := make([]byte, 1024)
	for {
		events, err := epoll.Poll(lingering.ResetLate(connections, closeConnection), -1)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, event := range events {
			fileno, mask := event.Fd, event.Events
			connection := connections[fileno]
			switch {
			case fileno == serverFileno:
				connection, peer, err := serversocket.Accept()
				if errors.Is(err, socket.ErrWouldBlock) {
					continue
				}
				if err != nil {
					// The server stays readable, and the loop would spin.
					program.LogAccept(err)
					if err := epoll.Modify(serversocket, 0); err != nil && !errors.Is(err, os.ErrClosed) {
						return err
					}
					time.AfterFunc(program.AcceptDelay, acceptAgain)
					continue
				}
				connection.Setblocking(false)
				fileno, err := connection.Fileno()
				if err == nil {
					err = epoll.Register(connection, pyselect.EPOLLIN)
				}
				if err != nil {
					complain(peer, err)
					connection.Close()
					continue
				}
				program.Logf("%v: connected", peer)
				connections[fileno] = connection
				peers[fileno] = peer
				requests[fileno] = nil

			case mask&pyselect.EPOLLIN != 0:
				n, err := connection.Recv(buf)
				if errors.Is(err, socket.ErrWouldBlock) {
					continue
				}
				if err != nil {
					program.Logf("%v", program.PeerError(peers[fileno], err))
				}
				if err != nil || n == 0 {
					closeConnection(fileno)
					continue
				}
				request, unanswered := requests[fileno]
				if !unanswered {
					// The body of the request, or what else comes after it.
					if drained[fileno] += n; drained[fileno] > maxDrain {
						resetConnection(fileno)
					}
					continue
				}
				request = append(request, buf[:n]...)
				request = request[:min(len(request), maxRequest)]
				requests[fileno] = request
				response := head + body
				switch {
				case bytes.Contains(request, eol1) || bytes.Contains(request, eol2):
					if bytes.HasPrefix(request, []byte("HEAD ")) {
						response = head
					}
				case len(request) == maxRequest:
					response = tooLarge
				default:
					continue
				}
				program.Logf("%v: %.200q: %s", peers[fileno], program.FirstLine(request), program.FirstLine([]byte(response)))
				delete(requests, fileno)
				responses[fileno] = []byte(response)
				modify(fileno, pyselect.EPOLLOUT)

			case mask&pyselect.EPOLLOUT != 0:
				n, err := connection.Send(responses[fileno])
				if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
					program.Logf("%v", program.PeerError(peers[fileno], err))
					closeConnection(fileno)
					continue
				}
				responses[fileno] = responses[fileno][n:]
				if len(responses[fileno]) == 0 {
					lingering.Add(fileno, connection)
					modify(fileno, pyselect.EPOLLIN)
				}

			case mask&(pyselect.EPOLLHUP|pyselect.EPOLLERR) != 0:
				closeConnection(fileno)
			}
		}
	}
}
