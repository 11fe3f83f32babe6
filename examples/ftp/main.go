//go:build unix || windows

// Ftp uploads and downloads files, of any number of clients at once: the exercise that tutorials of Python's selectors module
// set at their end, ported to Go. Clients and servers in Python that keep to its protocol can talk to it.
//
//	mkdir -p /tmp/x
//	go run ./examples/ftp serve -listen localhost:9000 -dir /tmp/x
//	go run ./examples/ftp put -connect localhost:9000 README.md LICENSE
//	go run ./examples/ftp get -connect localhost:9000 -dir /tmp README.md LICENSE
//	go run ./examples/ftp shell -connect localhost:9000 -upload . -download /tmp
//
// The shell reads commands, as the clients of the tutorials do: put NAME..., get NAME..., ls, help and quit. A name with blanks
// stands in quotation marks.
//
// A file is replaced only with -overwrite: that of the server lets uploads replace files, that of a client downloads. A file
// that is not complete has a name that begins with .ftp-. When a program is killed, one may stay.
//
// # Protocol
//
//	client             server
//	put|NAME|SIZE
//	                   OK, or the end of the connection if there can be no such file
//	SIZE bytes
//
//	get|NAME|0
//	                   YES|SIZE, or NO|0 if there is no such file
//	a message
//	                   the next 1024 bytes, or what is left
//
// After a transfer there may be another command. What is not understood closes the connection.
//
// Nothing says where a message ends: in the originals, each is what one recv returns. Here a command may come in pieces, as far
// as its number. That is decimal digits and nothing else. It ends with the line, as nc sends it, or else with what one recv has
// returned. So send a command at once, and wait for the answer before you send more, unless the command ends a line.
//
// If one recv returns several OKs, each is a message; anything else is one. A client need not wait for each piece: second_active,
// the message of some originals, asks for all that is left, and so does any message after get|NAME|1, which is what the client
// here sends. Other servers do not look at that number, and may send a piece for each message. So the client sends more messages
// while what it has asked for comes, and not more. Messages that come together are one for such a server, unless each has the 1024
// bytes that it receives at a time: of these the client has up to 64 on the way. If the answers are fewer then, or the connection
// ends, it begins again and sends one message after the other. What comes after a download and is no command is dropped: a
// message that was one too many, or that for an empty file.
//
// Nothing says that an upload has arrived, either. After it, the client ends its side of the connection, and says that the
// upload has succeeded when the server has ended the other side and nothing is unacknowledged. Where the client cannot ask for
// that, which is so on all systems but Linux, the server must not end its side first. The server here resets the connection
// when an upload fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
)

const usage = `usage: ftp serve -dir DIR [-listen HOST:PORT] [-overwrite] [-timeout DURATION] [-v]
       ftp put [-connect HOST:PORT] [-timeout DURATION] FILE...
       ftp get [-connect HOST:PORT] [-timeout DURATION] [-dir DIR] [-overwrite] NAME...
       ftp shell [-connect HOST:PORT] [-timeout DURATION] [-upload DIR] [-download DIR] [-overwrite]
`

func main() {
	command, args := "", os.Args[1:]
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	signal.Ignore(syscall.SIGPIPE) // nobody has to read what it says
	log.SetOutput(printableLog{os.Stderr})
	flags := program.Flags("ftp", "")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	switch command {
	case "serve":
		listen := flags.String("listen", "localhost:9000", "serve on `HOST:PORT`; port 0 picks a free one")
		dir := flags.String("dir", "", "the `DIR` of the files")
		overwrite := flags.Bool("overwrite", false, "let an upload replace a file")
		timeout := flags.Duration("timeout", time.Minute,
			"close a connection that stalls for this `DURATION`, or is idle when others wait; 0 is never")
		program.Verbose(flags)
		if operands := parse(flags, args); len(operands) > 0 {
			program.UsageError(flags, "unexpected argument %q", operands[0])
		}
		if *dir == "" {
			program.UsageError(flags, "serve needs -dir")
		}
		program.Run(func(ctx context.Context) error { return serve(ctx, *listen, *dir, *overwrite, *timeout) })
	case "put":
		c := clientFlags(flags)
		paths := parse(flags, args)
		if len(paths) == 0 {
			program.UsageError(flags, "put needs a FILE")
		}
		c.run(flags, func(ctx context.Context) error { return each(ctx, paths, c.put) })
	case "get":
		c := clientFlags(flags)
		dir := flags.String("dir", ".", "where to put the files, a `DIR`")
		flags.BoolVar(&c.overwrite, "overwrite", false, "replace files")
		names := parse(flags, args)
		if len(names) == 0 {
			program.UsageError(flags, "get needs a NAME")
		}
		c.run(flags, func(ctx context.Context) error {
			root, err := os.OpenRoot(*dir)
			if err != nil {
				return err
			}
			defer root.Close()
			return each(ctx, names, func(ctx context.Context, name string) error { return c.get(ctx, root, name) })
		})
	case "shell":
		c := clientFlags(flags)
		upload := flags.String("upload", ".", "the `DIR` of the files that put takes")
		download := flags.String("download", ".", "where get puts files, a `DIR`")
		flags.BoolVar(&c.overwrite, "overwrite", false, "let get replace files")
		if operands := parse(flags, args); len(operands) > 0 {
			program.UsageError(flags, "unexpected argument %q", operands[0])
		}
		c.run(flags, func(ctx context.Context) error { return shell(ctx, c, *upload, *download) })
	case "help", "-h", "-help", "--help":
		flags.Usage()
	case "":
		flags.Usage()
		os.Exit(2)
	default:
		program.UsageError(flags, "unknown command %q", command)
	}
}

// parse parses flags, which may stand anywhere, and returns the other arguments. After -- there are no flags.
func parse(flags *flag.FlagSet, args []string) (operands []string) {
	for {
		flags.Parse(args)
		rest := flags.Args()
		if n := len(args) - len(rest); len(rest) == 0 || n > 0 && args[n-1] == "--" {
			return append(operands, rest...)
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

// clientFlags returns a client, which has what the flags of all clients say.
func clientFlags(flags *flag.FlagSet) *client {
	c := new(client)
	flags.StringVar(&c.addr, "connect", "localhost:9000", "talk to the server on `HOST:PORT`")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "wait for the server for this `DURATION`")
	return c
}
