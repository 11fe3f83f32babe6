//go:build linux

// An echo server on github.com/lesismal/nbio, with one event loop. Usage: nbio PORT.
package main

import (
	"log"
	"os"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"
)

func main() {
	logging.SetLevel(logging.LevelError)
	engine := nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: []string{"127.0.0.1:" + os.Args[1]}, NPoller: 1})
	engine.OnData(echo)
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	select {}
}

func echo(conn *nbio.Conn, data []byte) { conn.Write(data) }
