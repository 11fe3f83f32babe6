//go:build linux

// An echo server on github.com/panjf2000/gnet, with one event loop. Usage: gnet PORT.
package main

import (
	"log"
	"os"

	"github.com/panjf2000/gnet/v2"
)

type server struct{ *gnet.BuiltinEventEngine }

func main() {
	log.Fatal(gnet.Run(server{}, "tcp://127.0.0.1:"+os.Args[1], gnet.WithNumEventLoop(1)))
}

func (server) OnTraffic(conn gnet.Conn) gnet.Action {
	data, err := conn.Next(-1)
	if err == nil {
		_, err = conn.Write(data)
	}
	if err != nil {
		return gnet.Close
	}
	return gnet.None
}
