//go:build unix || windows

// Package program is what all examples have in common: how they begin, how they end, what they log, and what they do when accept
// fails.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/socket"
)

// Flags returns the flags of the program, which are still to be defined, and names the program in what it logs. The usage is
// what the arguments look like.
func Flags(name, usage string) *flag.FlagSet {
	log.SetFlags(0)
	log.SetPrefix(name + ": ")
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: %s %s\n", name, usage)
		flags.PrintDefaults()
	}
	return flags
}

var verbose bool

// Verbose defines the flag -v of a server: to log, with Logf, who comes and goes and what is transferred.
func Verbose(flags *flag.FlagSet) {
	flags.BoolVar(&verbose, "v", false, "log who comes and goes")
}

// Logf logs if the program was started with -v.
func Logf(format string, args ...any) {
	if verbose {
		log.Printf(format, args...)
	}
}

// PeerError returns the error of an operation on a connection, with the address of the peer in place of the descriptor.
func PeerError(peer net.Addr, err error) error {
	if op, ok := errors.AsType[*pyselect.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("%v: %w", peer, err)
}

// Parse parses the arguments of the program, which must be flags.
func Parse(flags *flag.FlagSet) {
	flags.Parse(os.Args[1:])
	if flags.NArg() > 0 {
		UsageError(flags, "unexpected argument %q", flags.Arg(0))
	}
}

// UsageError says what is wrong with the arguments, and ends the program.
func UsageError(flags *flag.FlagSet, format string, args ...any) {
	log.Printf(format, args...)
	flags.Usage()
	os.Exit(2)
}

// Run calls the main function of the program. An interrupt ends its context, and so does a SIGTERM, or a SIGHUP unless it is
// ignored, as nohup does; an error ends the program.
func Run(main func(ctx context.Context) error) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	err := main(ctx)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// Serve runs a server until it is interrupted: it listens at an address, prints which that is, and serves.
func Serve(address string, serve func(ctx context.Context, server *socket.Socket) error) {
	Run(func(ctx context.Context) error {
		server, addr, err := Listen(address)
		if err != nil {
			return err
		}
		defer server.Close()
		fmt.Println(addr)
		return serve(ctx, server)
	})
}

// Listen returns a socket that listens at an address, and which that is.
func Listen(address string) (*socket.Socket, net.Addr, error) {
	server, err := socket.CreateServer(address, &socket.ServerConfig{Backlog: socket.SOMAXCONN}) // many clients may come at once
	if err != nil {
		return nil, nil, err
	}
	addr, err := server.Getsockname()
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	return server, addr, nil
}

// Dial connects to a server, as socket.CreateConnection does, but an interrupt ends it.
func Dial(ctx context.Context, address string, timeout time.Duration) (*socket.Socket, error) {
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	sock, err := socket.FromConn(conn.(*net.TCPConn))
	if err != nil {
		return nil, err
	}
	return sock, sock.Settimeout(timeout)
}

// AcceptDelay is how long a program does not accept after accept has failed, because it is out of descriptors for instance. The
// listener stays readable meanwhile: a program that went on watching it would spin.
const AcceptDelay = time.Second

// LogAccept logs why accept has failed.
func LogAccept(err error) { log.Printf("%v; next try in %v", err, AcceptDelay) }
