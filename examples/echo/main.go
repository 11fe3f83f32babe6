//go:build unix

// Echo is the echo server of the documentation of Python's selectors module, and a client for it with several connections,
// ported to Go.
//
//	go run ./examples/echo                            # both at work, ends by itself
//	go run ./examples/echo -listen localhost:1234     # the server, until it is interrupted
//	go run ./examples/echo -connect localhost:1234    # the client
//
// The server is in server.go, the client in client.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("echo: ")
	flags := flag.NewFlagSet("echo", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: echo [-listen HOST:PORT | -connect HOST:PORT]")
		flags.PrintDefaults()
	}
	listenAddr := flags.String("listen", "", "serve on `HOST:PORT` until interrupted; port 0 picks a free one")
	connectAddr := flags.String("connect", "", "be a client of the server on `HOST:PORT`")
	flags.Parse(os.Args[1:])
	usageError := func(message string) {
		log.Print(message)
		flags.Usage()
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	var err error
	switch {
	case flags.NArg() > 0:
		usageError(fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	case flags.NFlag() == 0:
		err = demo(ctx)
	case flags.NFlag() > 1:
		usageError("-listen and -connect exclude each other")
	case *listenAddr != "":
		err = listen(ctx, *listenAddr)
	case *connectAddr != "":
		err = connect(ctx, *connectAddr)
	default:
		usageError("the address is empty")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func listen(ctx context.Context, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	return serve(ctx, listener)
}

// demo runs the client against a server in the same process.
func demo(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())

	serverCtx, stopServer := context.WithCancel(ctx)
	defer stopServer()
	served := make(chan error, 1)
	go func() { served <- serve(serverCtx, listener) }()

	err = connect(ctx, listener.Addr().String())
	stopServer()
	return errors.Join(err, <-served)
}

// again reports whether a call has found nothing to do yet. The selector says when to repeat it.
func again(err error) bool { return err == unix.EAGAIN || err == unix.EINTR }
