//go:build unix || windows

// Operator is a help desk: clients connect and say something, and whoever sits at the terminal answers one of them. It is the
// server whose operator lists clients and selects one, which tutorials of Python's socket module build with threads, ported to
// Go with sockets and standard input on one selector.
//
//	go run ./examples/operator -listen localhost:5000
//	nc localhost 5000
//
// What clients say is shown, with a number for each. The operator types:
//
//	list        who is there
//	2: hello    say hello to client 2
//	select 2    from now on, all other text is for client 2
//	hello       say hello to the client that is selected
//	quit        hang up on all; the end of the input is the same
//
// What begins with one of these words, or with a number and a colon, never goes to the client that is selected.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

const help = "type list, select NUMBER, NUMBER: TEXT or quit"

func main() {
	flags := program.Flags("operator", "[-listen HOST:PORT] [-v]")
	listen := flags.String("listen", "localhost:5000", "serve on `HOST:PORT`; port 0 picks a free one")
	program.Verbose(flags)
	program.Parse(flags)
	program.Serve(*listen, func(ctx context.Context, server *socket.Socket) error {
		terminal, err := program.NewTerminal(os.Stdin, os.Stdout)
		if err != nil {
			return err
		}
		defer terminal.Close()
		return serve(ctx, server, terminal)
	})
}

type desk struct {
	sel      *selectors.DefaultSelector
	server   *socket.Socket
	terminal *program.Terminal
	typed    program.Lines
	clients  map[int]*client // by number
	latest   int             // number
	selected *client         // or nil
	quit     bool
}

// A client is waitable, as it is a socket.
type client struct {
	*socket.Socket
	number int
	peer   net.Addr
	said   program.Lines
}

// serve is the loop, which ends when the operator wants it or ctx is done.
func serve(ctx context.Context, server *socket.Socket, terminal *program.Terminal) error {
	server.Setblocking(false)
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	d := &desk{sel: sel, server: server, terminal: terminal, clients: make(map[int]*client)}
	defer func() {
		for _, c := range d.clients {
			c.Close()
		}
		sel.Close()
	}()
	if err := errors.Join(d.watch(server, d.accept), d.watch(terminal.Typed, d.read)); err != nil {
		return err
	}
	for ready, err := range selectors.Events(ctx, sel) {
		if err != nil {
			return err
		}
		ready.Key.Data.(func())()
		if d.quit {
			return nil
		}
	}
	return nil
}

// watch lets the loop call f each time that obj is readable.
func (d *desk) watch(obj any, f func()) error {
	_, err := d.sel.Register(obj, selectors.EventRead, f)
	return err
}

func (d *desk) show(format string, args ...any) { fmt.Fprintf(d.terminal, format+"\n", args...) }

func (d *desk) accept() {
	sock, peer, err := d.server.Accept()
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	if err != nil {
		d.pause(err)
		return
	}
	sock.Setblocking(false)
	d.latest++
	c := &client{Socket: sock, number: d.latest, peer: peer}
	d.clients[c.number] = c
	program.Logf("%v: connected", peer)
	d.show("client %d is here: %v", c.number, peer)
	if err := d.watch(c, func() { d.receive(c) }); err != nil {
		d.drop(c, program.PeerError(peer, err).Error())
	}
}

// pause is for an accept that has failed: the server stays readable, and the loop would spin.
func (d *desk) pause(cause error) {
	program.LogAccept(cause)
	d.sel.Unregister(d.server)
	time.AfterFunc(program.AcceptDelay, func() {
		if err := d.watch(d.server, d.accept); err != nil && !errors.Is(err, os.ErrClosed) {
			d.pause(err)
		}
	})
}

// receive shows what a client says, at once: not all clients end their lines.
func (d *desk) receive(c *client) {
	var buf [program.MaxLine]byte
	n, err := c.Recv(buf[:])
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	if n > 0 {
		program.Logf("%v: received %d bytes", c.peer, n)
	}
	for _, line := range append(c.said.Add(buf[:n]), c.said.End()...) {
		d.show("%d: %s", c.number, line)
	}
	if n == 0 || err != nil {
		d.drop(c, "hung up")
	}
}

func (d *desk) drop(c *client, reason string) {
	d.sel.Unregister(c)
	c.Close()
	delete(d.clients, c.number)
	if d.selected == c {
		d.selected = nil
	}
	program.Logf("%v: closed", c.peer)
	d.show("client %d has gone: %s", c.number, reason)
}

// read does what is typed.
func (d *desk) read() {
	var buf [program.MaxLine]byte
	n, err := d.terminal.Typed.Recv(buf[:])
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	lines := d.typed.Add(buf[:n])
	if n == 0 || err != nil {
		lines = append(append(lines, d.typed.End()...), "quit")
	}
	for _, line := range lines {
		d.command(line)
		if d.quit {
			return
		}
	}
}

func (d *desk) command(line string) {
	words := strings.Fields(line)
	number, text, addressed := strings.Cut(line, ":")
	number = strings.TrimSpace(number)
	if _, err := strconv.Atoi(number); err != nil {
		addressed = false
	}
	switch command, arguments := words[0], words[1:]; {
	case command == "quit" && len(arguments) == 0:
		d.quit = true
	case command == "list" && len(arguments) == 0:
		if len(d.clients) == 0 {
			d.show("nobody is here")
		}
		for _, n := range slices.Sorted(maps.Keys(d.clients)) {
			d.show("client %d: %v", n, d.clients[n].peer)
		}
	case command == "select" && len(arguments) == 1:
		if c := d.find(arguments[0]); c != nil {
			d.selected = c
			d.show("client %d is selected", c.number)
		}
	case command == "list", command == "select", command == "quit":
		d.show(help)
	case addressed:
		if c := d.find(number); c != nil {
			d.tell(c, strings.TrimSpace(text))
		}
	case d.selected == nil:
		d.show("no client is selected: " + help)
	default:
		d.tell(d.selected, line)
	}
}

// find returns the client that has a number, or says that there is none and returns nil.
func (d *desk) find(number string) *client {
	n, _ := strconv.Atoi(number) // 0 is nobody's
	c := d.clients[n]
	if c == nil {
		d.show("there is no client %s", number)
	}
	return c
}

// tell sends a line to a client. The kernel has room for what an operator can type, unless the client does not read at all.
func (d *desk) tell(c *client, text string) {
	line := []byte(text + "\n")
	n, err := c.Send(line)
	if n > 0 {
		program.Logf("%v: sent %d bytes", c.peer, n)
	}
	switch {
	case errors.Is(err, socket.ErrWouldBlock), err == nil && n < len(line):
		d.drop(c, "does not read")
	case err != nil:
		d.drop(c, "hung up")
	}
}
