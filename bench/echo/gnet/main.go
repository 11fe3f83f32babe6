//go:build linux

// An echo server on github.com/panjf2000/gnet, with so many event loops. Usage: gnet PORT LOOPS.
package main

import (
	"log"
	"os"
	"strconv"

	"github.com/panjf2000/gnet/v2"
)

type server struct{ *gnet.BuiltinEventEngine }

func main() {
	loops, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(gnet.Run(server{}, "tcp://127.0.0.1:"+os.Args[1], gnet.WithNumEventLoop(loops), gnet.WithReusePort(loops > 1)))
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
