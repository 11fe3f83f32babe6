//go:build unix || windows

// Socketserver is the service that tutorials of Python's socketserver module write on ThreadingTCPServer: it greets a client,
// answers 0 in one way and anything else in another, and ends the connection at exit.
//
//	go run ./examples/socketserver -listen localhost:8009                  # a goroutine for each client
//	go run ./examples/socketserver -listen localhost:8009 -mode forking    # a process for each client
//	nc localhost 8009
//
// What one recv returns is a request, as in the originals, whose clients send no newline. If it has several lines, which nc
// may send together, each of them is one.
//
// At most 40 processes serve clients at once, which is Python's default: with 60 silent clients, 20 wait until others leave.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socketserver"
)

// MyServer is the service: the handler of a client.
type MyServer struct {
	socketserver.BaseRequestHandler
}

func newMyServer() socketserver.RequestHandler { return &MyServer{} }

// Handle serves a client.
func (s *MyServer) Handle() error {
	program.Logf("%v: connected", s.ClientAddress)
	defer program.Logf("%v: closed", s.ClientAddress)
	conn := s.Request
	if err := conn.Sendall([]byte("Welcome. Send 0 for an operator, exit to leave.\n")); err != nil {
		return err
	}
	data := make([]byte, 1024)
	for {
		n, err := conn.Recv(data)
		if n == 0 || err != nil {
			return err
		}
		for line := range strings.Lines(string(data[:n])) {
			answer := "Please try again.\n"
			switch strings.TrimSpace(line) {
			case "":
				continue
			case "exit":
				return nil
			case "0":
				answer = "This call may be recorded.\n"
			}
			if err := conn.Sendall([]byte(answer)); err != nil {
				return err
			}
		}
	}
}

func main() {
	flags := program.Flags("socketserver", "[-listen HOST:PORT] [-mode threading|forking] [-block-on-close] [-v]")
	listen := flags.String("listen", "localhost:8009", "serve on `HOST:PORT`; port 0 picks a free one")
	mode := flags.String("mode", "threading", "`threading` or forking: what handles each client")
	blockOnClose := flags.Bool("block-on-close", false, "at the first interrupt, wait until all clients have gone")
	program.Verbose(flags)
	program.Parse(flags)
	socketserver.ServeForked(newMyServer)

	newServer := socketserver.NewThreadingTCPServer
	switch *mode {
	case "threading":
	case "forking":
		newServer = socketserver.NewForkingTCPServer
	default:
		program.UsageError(flags, "unknown mode %q", *mode)
	}
	server, err := newServer(*listen, newMyServer)
	if err == nil {
		err = serve(server, *blockOnClose)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve serves until the program is interrupted, and with blockOnClose until all clients have gone or the next interrupt.
func serve(server *socketserver.Server, blockOnClose bool) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts
		server.Shutdown()
		<-interrupts
		server.EndRequests()
	}()
	fmt.Println(server.ServerAddress())
	err := server.ServeForever(500 * time.Millisecond)
	if !blockOnClose {
		server.EndRequests()
	}
	return errors.Join(err, server.ServerClose())
}
