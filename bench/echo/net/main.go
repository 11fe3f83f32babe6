//go:build linux

// An echo server with a goroutine for each connection. Usage: net PORT.
package main

import (
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 512)
	for {
		size, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:size]); err != nil {
			return
		}
	}
}
