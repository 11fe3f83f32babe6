//go:build linux

// An echo server over TLS, on the selectors of this library. Usage: tls-pyselect PORT LOOPS CERTIFICATE.
package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log"
	"os"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[3], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	sock, err := socket.CreateServer("127.0.0.1:"+os.Args[1], &socket.ServerConfig{Backlog: socket.SOMAXCONN})
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, DynamicRecordSizingDisabled: true}
	listener := ssl.Server(sock, config)
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sel.Register(listener, selectors.EventRead, nil); err != nil {
		log.Fatal(err)
	}
	ready := make([]selectors.Ready, 1024)
	buf := make([]byte, 16<<10)
	for {
		n, err := sel.SelectInto(ready, pyselect.Forever)
		if err != nil {
			log.Fatal(err)
		}
		for _, r := range ready[:n] {
			if c, ok := r.Key.Data.(*connection); ok {
				c.serve(buf)
			} else {
				accept(sel, listener)
			}
		}
	}
}

// A connection echoes one message after the other.
type connection struct {
	*ssl.Socket
	sel    *selectors.DefaultSelector
	events selectors.Event // that it waits for
	unsent []byte          // what there was no room for
}

func accept(sel *selectors.DefaultSelector, listener *ssl.Socket) {
	sock, _, err := listener.Accept()
	if err != nil {
		return
	}
	sock.Setblocking(false)
	if err := sock.Setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); err != nil { // as package net does
		log.Fatal(err)
	}
	c := &connection{Socket: sock, sel: sel, events: selectors.EventRead}
	if _, err := sel.Register(sock, c.events, c); err != nil {
		log.Fatal(err)
	}
}

func (c *connection) serve(buf []byte) {
	data := c.unsent
	if data == nil {
		n, err := c.Recv(buf)
		if n == 0 {
			c.wait(err)
			return
		}
		data = buf[:n]
	}
	switch _, err := c.Send(data); { // one record, all or nothing
	case err == nil && c.unsent == nil:
	case err == nil:
		c.unsent = nil
		c.wait(ssl.ErrWantRead)
	default:
		c.unsent = bytes.Clone(data)
		c.wait(err)
	}
}

// wait waits for what an operation wants, or ends the connection.
func (c *connection) wait(err error) {
	events := selectors.EventRead
	switch {
	case errors.Is(err, ssl.ErrWantRead):
	case errors.Is(err, ssl.ErrWantWrite):
		events = selectors.EventWrite
	default:
		c.sel.Unregister(c)
		c.Close()
		return
	}
	if c.events == events {
		return
	}
	c.events = events
	if _, err := c.sel.Modify(c, events, c); err != nil {
		log.Fatal(err)
	}
}
