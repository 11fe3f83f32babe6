//go:build unix || windows

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// The echo server of the documentation of Python's selectors module.
func Example() {
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		log.Fatal(err)
	}
	defer sel.Close()
	server, err := socket.CreateServer("localhost:0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.Setblocking(false)

	read := func(conn *socket.Socket) {
		buf := make([]byte, 1000)
		n, err := conn.Recv(buf)
		if n > 0 && err == nil {
			fmt.Printf("echoing %q\n", buf[:n])
			conn.Send(buf[:n])
		} else {
			fmt.Println("closing")
			sel.Unregister(conn)
			conn.Close()
		}
	}
	accept := func(server *socket.Socket) {
		conn, _, err := server.Accept()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("accepted")
		conn.Setblocking(false)
		sel.Register(conn, selectors.EventRead, read)
	}
	if _, err := sel.Register(server, selectors.EventRead, accept); err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	addr, _ := server.Getsockname()
	go func() {
		defer cancel()
		conn, err := socket.CreateConnection(addr.String(), &socket.ConnectionConfig{Timeout: 10 * time.Second})
		if err != nil {
			log.Fatal(err)
		}
		conn.Sendall([]byte("spam"))
		buf := make([]byte, 100)
		conn.Recv(buf)
		conn.Shutdown(socket.SHUT_WR)
		conn.Recv(buf) // the end
		conn.Close()
	}()
	for ready, err := range selectors.Events(ctx, sel) {
		if err != nil {
			log.Fatal(err)
		}
		callback := ready.Key.Data.(func(*socket.Socket))
		callback(ready.Key.Fileobj.(*socket.Socket))
	}
	// Output:
	// accepted
	// echoing "spam"
	// closing
}

func ExampleSocket_Recv() {
	a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	buf := make([]byte, 100)

	a.Setblocking(false)
	_, err = a.Recv(buf)
	fmt.Println(errors.Is(err, socket.ErrWouldBlock))

	a.Setblocking(true)
	b.Send([]byte("spam"))
	n, err := a.Recv(buf)
	fmt.Println(string(buf[:n]), err)

	b.Close()
	n, err = a.Recv(buf)
	fmt.Println(n, err)
	// Output:
	// true
	// spam <nil>
	// 0 <nil>
}

func ExampleCreateServer() {
	server, err := socket.CreateServer("127.0.0.1:0", &socket.ServerConfig{Backlog: 5})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	name, err := server.Getsockname()
	if err != nil {
		log.Fatal(err)
	}
	client, err := socket.CreateConnection(name.String(), &socket.ConnectionConfig{Timeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	conn, peer, err := server.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(peer.(socket.InetAddr).Addr(), client.Gettimeout())
	// Output: 127.0.0.1 10s
}
