//go:build unix || windows

// Chat is a chat server whose terminal takes part: the one whose select waits for sockets and for standard input alike, which
// tutorials of Python's select module teach, ported to Go, and for its timers too.
//
//	go run ./examples/chat -listen localhost:3490 -idle 10m
//	nc localhost 3490
//
// What a client says goes to all others, under its address, and to standard output; what stands on standard input goes to all
// clients, as said by the server. A client that is silent for too long is dropped.
//
// Text is passed on line by line. A line ends at a newline, after 1,024 bytes, or when nothing follows for a moment, as some
// clients send no newlines.
package main

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socket"
)

// A client that has left more than this many bytes unread when there is news is dropped: otherwise the server would have to store
// them, or everybody to wait.
const maxUnsent = 64 << 10

// So many clients that wait for it can join in a turn of the loop, which looks at all who are there.
const acceptsPerTurn = 64

func main() {
	flags := program.Flags("chat", "[-listen HOST:PORT] [-idle DURATION] [-pause DURATION] [-v]")
	listen := flags.String("listen", "localhost:3490", "serve on `HOST:PORT`; port 0 picks a free one")
	idle := flags.Duration("idle", 10*time.Minute, "drop a client that has said nothing for this `DURATION`; 0 is for ever")
	pause := flags.Duration("pause", 200*time.Millisecond, "let a line end after a pause of this `DURATION`; 0 is never")
	program.Verbose(flags)
	program.Parse(flags)
	signal.Ignore(syscall.SIGPIPE) // nobody has to read standard output
	program.Serve(*listen, func(ctx context.Context, server *socket.Socket) error {
		terminal, err := program.NewTerminal(os.Stdin, os.Stdout)
		if err != nil {
			return err
		}
		defer terminal.Close()
		c := &chat{server: server, terminal: terminal, keyboard: newClient(terminal.Typed, "server"), idle: *idle, pause: *pause}
		return c.serve(ctx)
	})
}

type chat struct {
	server      *socket.Socket
	terminal    io.Writer // does not block
	keyboard    *client   // who says what is typed, and is not among the clients
	idle, pause time.Duration
	acceptAt    time.Time // when to accept again after a failure
	clients     list.List // of *client: who has been silent for longest comes first
	unfinished  list.List // of *client, whose lines have not ended, in the same order
	leaving     []*client // who are not among the clients any more

	inputs, outputs []any // of Select
}

// A client is waitable, as it is a socket.
type client struct {
	*socket.Socket
	name   string
	heard  time.Time // when it last said something
	said   program.Lines
	unsent bytes.Buffer
	leaves string // why it leaves, or ""

	inClients, inUnfinished *list.Element // or elements of no list
}

func newClient(sock *socket.Socket, name string) *client {
	return &client{Socket: sock, name: name, heard: time.Now(), inClients: new(list.Element), inUnfinished: new(list.Element)}
}

// serve is the loop, which ends when ctx is done.
func (c *chat) serve(ctx context.Context) error {
	c.server.Setblocking(false)
	interrupted, interrupt, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer interrupted.Close()
	defer interrupt.Close()
	stop := context.AfterFunc(ctx, func() { interrupt.Close() })
	defer stop()
	defer c.closeAll()

	now := time.Now()
	for {
		next := c.timers(now)
		c.dropLeaving()
		c.makeLists(now)
		timeout := max(0, next-time.Since(now))
		readable, writable, _, err := pyselect.Select(append(c.inputs, interrupted), c.outputs, nil, timeout)
		if err != nil {
			return err
		}
		now = time.Now() // before those who are not silent are heard
		for _, obj := range readable {
			switch obj {
			case interrupted:
				return nil
			case c.server:
				c.accept()
			default:
				c.receive(obj.(*client))
			}
		}
		for _, obj := range writable {
			c.send(obj.(*client))
		}
	}
}

func (c *chat) closeAll() {
	for e := c.clients.Front(); e != nil; e = e.Next() {
		e.Value.(*client).Close()
	}
	for _, cl := range c.leaving {
		cl.Close()
	}
}

// timers does what is due, and returns for how long nothing else is.
func (c *chat) timers(now time.Time) time.Duration {
	next := pyselect.Forever
	if pause := c.acceptAt.Sub(now); pause > 0 {
		next = pause
	}
	return min(next,
		silent(&c.unfinished, now, c.pause, func(cl *client) {
			c.unfinished.Remove(cl.inUnfinished)
			c.say(cl, cl.said.End())
		}),
		silent(&c.clients, now, c.idle, func(cl *client) {
			c.leave(cl, fmt.Sprintf("said nothing for %v", c.idle))
		}))
}

// silent calls late, which takes it from the list, for each client that has been silent for a time, unless that is 0. It
// returns how long the next one has.
func silent(clients *list.List, now time.Time, limit time.Duration, late func(*client)) time.Duration {
	if limit <= 0 {
		return pyselect.Forever
	}
	for e := clients.Front(); e != nil; e = clients.Front() {
		cl := e.Value.(*client)
		if left := limit - now.Sub(cl.heard); left > 0 {
			return left
		}
		late(cl)
	}
	return pyselect.Forever
}

// makeLists makes the lists of Select, which has to be told everything each time. So each turn of the loop looks at all
// clients, as Select does itself. Nothing else looks at all of them, but to tell them something.
func (c *chat) makeLists(now time.Time) {
	clear(c.inputs) // which may keep alive who has left
	clear(c.outputs)
	c.inputs, c.outputs = c.inputs[:0], c.outputs[:0]
	if !now.Before(c.acceptAt) {
		c.inputs = append(c.inputs, c.server)
	}
	if c.keyboard.leaves == "" {
		c.inputs = append(c.inputs, c.keyboard)
	}
	for e := c.clients.Front(); e != nil; e = e.Next() {
		c.inputs = append(c.inputs, e.Value)
		if e.Value.(*client).unsent.Len() > 0 {
			c.outputs = append(c.outputs, e.Value)
		}
	}
}

func (c *chat) accept() {
	for range acceptsPerTurn {
		sock, addr, err := c.server.Accept()
		if errors.Is(err, socket.ErrWouldBlock) {
			return
		}
		if err != nil {
			// The server stays readable, and the loop would spin.
			program.LogAccept(err)
			c.acceptAt = time.Now().Add(program.AcceptDelay)
			return
		}
		sock.Setblocking(false)
		cl := newClient(sock, addr.String())
		program.Logf("%s: connected", cl.name)
		cl.inClients = c.clients.PushBack(cl)
		c.broadcast(cl, cl.name+" has joined\n")
	}
}

// receive passes on what a client says, or what is typed.
func (c *chat) receive(cl *client) {
	var buf [program.MaxLine]byte
	n, err := cl.Recv(buf[:])
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	if n == 0 || err != nil {
		c.leave(cl, "hung up")
	} else if cl != c.keyboard {
		program.Logf("%s: received %d bytes", cl.name, n)
	}
	cl.heard = time.Now()
	c.clients.MoveToBack(cl.inClients)
	c.unfinished.Remove(cl.inUnfinished)
	lines := cl.said.Add(buf[:n])
	if cl.leaves != "" {
		lines = append(lines, cl.said.End()...)
	} else if len(cl.said) > 0 {
		cl.inUnfinished = c.unfinished.PushBack(cl)
	}
	c.say(cl, lines)
}

func (c *chat) say(cl *client, lines []string) {
	for _, line := range lines {
		c.broadcast(cl, cl.name+": "+line+"\n")
	}
}

// broadcast tells all others, and the terminal, what somebody says, or what nobody does.
func (c *chat) broadcast(from *client, text string) {
	if from != c.keyboard {
		io.WriteString(c.terminal, text)
	}
	for e := c.clients.Front(); e != nil; {
		cl := e.Value.(*client)
		e = e.Next() // cl may leave
		if cl != from {
			c.tell(cl, text)
		}
	}
}

func (c *chat) tell(cl *client, text string) {
	if cl.unsent.Len() > maxUnsent {
		c.send(cl)
	}
	if cl.unsent.Len() > maxUnsent {
		c.leave(cl, "reads too slowly")
	}
	cl.unsent.WriteString(text)
}

func (c *chat) send(cl *client) {
	n, err := cl.Send(cl.unsent.Bytes())
	if n > 0 {
		program.Logf("%s: sent %d bytes", cl.name, n)
	}
	cl.unsent.Next(n)
	if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
		c.leave(cl, "hung up")
	}
}

// leave lets a client leave soon, for the first reason that it gets. The keyboard just falls silent.
func (c *chat) leave(cl *client, reason string) {
	if cl.leaves != "" {
		return
	}
	cl.leaves = reason
	if cl != c.keyboard {
		c.clients.Remove(cl.inClients)
		c.unfinished.Remove(cl.inUnfinished)
		c.leaving = append(c.leaving, cl)
	}
}

// dropLeaving closes the connections of all that leave, and then tells the others, which may make more leave: those who do not
// read.
func (c *chat) dropLeaving() {
	for len(c.leaving) > 0 {
		var news strings.Builder
		for _, cl := range c.leaving {
			cl.Close()
			program.Logf("%s: closed", cl.name)
			fmt.Fprintf(&news, "%s has left: %s\n", cl.name, cl.leaves)
		}
		c.leaving = nil
		c.broadcast(nil, news.String())
	}
}
