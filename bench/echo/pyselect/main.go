//go:build linux

// An echo server on the selectors of this library, with so many loops, which share the port. Usage: pyselect PORT LOOPS.
package main

import (
	"log"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

func main() {
	loops, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for range loops - 1 {
		go serve(os.Args[1])
	}
	serve(os.Args[1])
}

func serve(port string) {
	listener, err := socket.CreateServer("127.0.0.1:"+port, &socket.ServerConfig{Backlog: socket.SOMAXCONN, ReusePort: true})
	if err != nil {
		log.Fatal(err)
	}
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sel.Register(listener, selectors.EventRead, listener); err != nil {
		log.Fatal(err)
	}
	ready := make([]selectors.Ready, 1024)
	buf := make([]byte, 4096)
	for {
		n, err := sel.SelectInto(ready, pyselect.Forever)
		if err != nil {
			log.Fatal(err)
		}
		for _, r := range ready[:n] {
			if r.Key.Data != nil {
				accept(sel, r.Key.Fd)
			} else {
				echo(sel, r.Key.Fd, buf)
			}
		}
	}
}

func accept(sel *selectors.DefaultSelector, listener int) {
	conn, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return
	}
	if _, err := sel.Register(conn, selectors.EventRead, nil); err != nil {
		log.Fatal(err)
	}
}

func echo(sel *selectors.DefaultSelector, conn int, buf []byte) {
	size, err := unix.Read(conn, buf)
	if err == nil && size > 0 {
		if written, err := unix.Write(conn, buf[:size]); err == nil && written == size {
			return
		}
	}
	sel.Unregister(conn)
	unix.Close(conn)
}
