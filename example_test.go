//go:build linux

package pyselect_test

import (
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/pyselect/pyselect"
)

func ExampleSelect() {
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	defer w.Close()

	readable, _, _, err := pyselect.Select([]*os.File{r}, nil, nil, 10*time.Millisecond)
	fmt.Println(len(readable), err)

	fmt.Fprint(w, "spam")
	readable, writable, _, err := pyselect.Select([]*os.File{r}, []*os.File{w}, nil, pyselect.Forever)
	fmt.Println(readable[0] == r, writable[0] == w, err)
	// Output:
	// 0 <nil>
	// true true <nil>
}

func ExamplePoll() {
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	p := pyselect.NewPoll()
	if err := p.Register(r, pyselect.POLLIN); err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(w, "spam")
	w.Close()

	events, err := p.Poll(pyselect.Forever)
	if err != nil {
		log.Fatal(err)
	}
	for _, event := range events {
		fmt.Println(event.Events)
	}
	// Output:
	// POLLIN|POLLHUP
}

func ExampleEpoll() {
	e, err := pyselect.NewEpoll()
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	if err := e.Register(listener, pyselect.EPOLLIN); err != nil {
		log.Fatal(err)
	}

	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	events, err := e.Poll(pyselect.Forever, -1)
	if err != nil {
		log.Fatal(err)
	}
	for _, event := range events {
		fd, _ := pyselect.Fileno(listener)
		fmt.Println("a client to accept:", event.Fd == fd, event.Events)
	}
	// Output:
	// a client to accept: true EPOLLIN
}

func ExampleFileno() {
	fmt.Println(pyselect.Fileno(7))
	fmt.Println(pyselect.Fileno(os.Stdin))
	fmt.Println(pyselect.Fileno("stdin"))

	f, err := os.Open(os.DevNull)
	if err != nil {
		log.Fatal(err)
	}
	f.Close()
	fmt.Println(pyselect.Fileno(f))
	// Output:
	// 7 <nil>
	// 0 <nil>
	// -1 fileno: string: not a waitable object
	// -1 fileno: *os.File: file already closed: use of closed file
}
