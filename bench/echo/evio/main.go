//go:build linux

// An echo server on github.com/tidwall/evio, with one event loop. Usage: evio PORT.
package main

import (
	"log"
	"os"

	"github.com/tidwall/evio"
)

func main() {
	log.Fatal(evio.Serve(evio.Events{NumLoops: 1, Data: echo}, "tcp://127.0.0.1:"+os.Args[1]))
}

func echo(_ evio.Conn, in []byte) (out []byte, action evio.Action) { return in, evio.None }
