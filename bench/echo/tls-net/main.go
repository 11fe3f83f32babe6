//go:build linux

// An echo server over TLS, with a goroutine for each connection. Usage: tls-net PORT LOOPS CERTIFICATE.
package main

import (
	"crypto/tls"
	"log"
	"net"
	"os"
)

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[3], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, DynamicRecordSizingDisabled: true}
	listener, err := tls.Listen("tcp", "127.0.0.1:"+os.Args[1], config)
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
		if size == len(buf) { // a message that does not fit
			buf = make([]byte, 16<<10)
		}
	}
}
