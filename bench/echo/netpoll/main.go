//go:build linux

// An echo server on github.com/cloudwego/netpoll, with one event loop. Usage: netpoll PORT.
package main

import (
	"context"
	"log"
	"os"

	"github.com/cloudwego/netpoll"
)

func main() {
	if err := netpoll.Configure(netpoll.Config{PollerNum: 1}); err != nil {
		log.Fatal(err)
	}
	listener, err := netpoll.CreateListener("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	loop, err := netpoll.NewEventLoop(echo)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(loop.Serve(listener))
}

func echo(_ context.Context, conn netpoll.Connection) error {
	in, out := conn.Reader(), conn.Writer()
	data, err := in.Next(in.Len())
	if err != nil {
		return err
	}
	buf, err := out.Malloc(len(data))
	if err != nil {
		return err
	}
	copy(buf, data)
	if err := in.Release(); err != nil {
		return err
	}
	return out.Flush()
}
