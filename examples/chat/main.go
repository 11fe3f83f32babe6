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
// Text is passed on line by line: nothing goes out before a newline comes, but for lines of more than 1,024 bytes and the last
// words of those who leave.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/socket"
)

const (
	maxLine = 1024 // bytes of a line; a longer one becomes several, between two characters

	// A client that leaves more than this many bytes unread is dropped: otherwise the server would have to store them, or
	// everybody to wait.
	maxUnsent = 64 << 10
)

func main() {
	flags := program.Flags("chat", "[-listen HOST:PORT] [-idle DURATION]")
	listen := flags.String("listen", "localhost:3490", "serve on `HOST:PORT`; port 0 picks a free one")
	idle := flags.Duration("idle", 10*time.Minute, "drop a client that has said nothing for this `DURATION`; 0 is for ever")
	program.Parse(flags)
	if *idle <= 0 {
		*idle = pyselect.Forever
	}
	signal.Ignore(syscall.SIGPIPE) // nobody has to read standard output
	program.Serve(*listen, func(ctx context.Context, server *socket.Socket) error {
		stdin, stdout, end, err := terminal(os.Stdin, os.Stdout)
		if err != nil {
			return err
		}
		defer end()
		c := &chat{server: server, stdin: stdin, stdout: stdout, idle: *idle}
		return c.serve(ctx)
	})
}

type chat struct {
	server   *socket.Socket
	stdin    io.Reader // waitable, or nil after its end
	stdout   io.Writer // waitable, or nil after its end
	idle     time.Duration
	clients  []*client
	acceptAt time.Time    // when to accept again after a failure
	typed    lines        // from standard input
	unshown  bytes.Buffer // for standard output
}

// A client is waitable, as it is a socket.
type client struct {
	*socket.Socket
	name   string
	heard  time.Time // when it last said something
	said   lines
	unsent bytes.Buffer
	leaves string // why it has to leave, or ""
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
	defer func() {
		for _, cl := range c.clients {
			cl.Close()
		}
	}()

	for {
		c.dropLeaving()
		inputs, outputs, timeout := c.waitFor()
		readable, writable, _, err := pyselect.Select(append(inputs, interrupted), outputs, nil, timeout)
		if err != nil {
			return err
		}
		for _, obj := range readable {
			switch obj {
			case interrupted:
				return nil
			case c.server:
				c.accept()
			case c.stdin:
				c.readTerminal()
			default:
				c.receive(obj.(*client))
			}
		}
		for _, obj := range writable {
			switch obj {
			case c.stdout:
				c.show()
			default:
				obj.(*client).send()
			}
		}
		c.timers()
	}
}

// waitFor returns what to wait for, and for how long: until the next timer is due.
func (c *chat) waitFor() (inputs, outputs []any, timeout time.Duration) {
	now := time.Now()
	timeout = pyselect.Forever
	if pause := c.acceptAt.Sub(now); pause > 0 {
		timeout = pause
	} else {
		inputs = append(inputs, c.server)
	}
	if c.stdin != nil {
		inputs = append(inputs, c.stdin)
	}
	if c.stdout != nil && c.unshown.Len() > 0 {
		outputs = append(outputs, c.stdout)
	}
	for _, cl := range c.clients {
		inputs = append(inputs, cl)
		if cl.unsent.Len() > 0 {
			outputs = append(outputs, cl)
		}
		timeout = min(timeout, max(0, c.idle-now.Sub(cl.heard)))
	}
	return inputs, outputs, timeout
}

// timers does what is due.
func (c *chat) timers() {
	now := time.Now()
	for _, cl := range c.clients {
		if now.Sub(cl.heard) >= c.idle {
			cl.leave(fmt.Sprintf("said nothing for %v", c.idle))
		}
	}
}

func (c *chat) accept() {
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
	cl := &client{Socket: sock, name: addr.String(), heard: time.Now()}
	c.clients = append(c.clients, cl)
	c.broadcast(cl, cl.name+" has joined")
}

// readTerminal passes on what was typed.
func (c *chat) readTerminal() {
	var buf [maxLine]byte
	n, err := c.stdin.Read(buf[:])
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	for _, line := range c.typed.add(buf[:n], err != nil) {
		c.tellClients(nil, "server: "+line)
	}
	if err != nil {
		c.stdin = nil
		if err != io.EOF {
			log.Print(err)
		}
	}
}

// receive passes on what a client says.
func (c *chat) receive(cl *client) {
	var buf [maxLine]byte
	n, err := cl.Recv(buf[:])
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	cl.heard = time.Now()
	ends := n == 0 || err != nil
	for _, line := range cl.said.add(buf[:n], ends) {
		c.broadcast(cl, cl.name+": "+line)
	}
	if ends {
		cl.leave("hung up")
	}
}

// dropLeaving closes the connections of those that have to leave, which may make others leave: those who do not read the news.
func (c *chat) dropLeaving() {
	for {
		i := slices.IndexFunc(c.clients, func(cl *client) bool { return cl.leaves != "" })
		if i < 0 {
			return
		}
		cl := c.clients[i]
		c.clients = slices.Delete(c.clients, i, i+1)
		cl.Close()
		c.broadcast(cl, cl.name+" has left: "+cl.leaves)
	}
}

// broadcast tells all clients but one, and the terminal.
func (c *chat) broadcast(but *client, line string) {
	c.tellClients(but, line)
	if c.stdout != nil && c.unshown.Len() < maxUnsent {
		c.unshown.WriteString(line + "\n")
	}
}

func (c *chat) tellClients(but *client, line string) {
	line += "\n"
	for _, cl := range c.clients {
		if cl != but {
			cl.tell(line)
		}
	}
}

// show writes what standard output can take.
func (c *chat) show() {
	n, err := c.stdout.Write(c.unshown.Bytes()[:min(c.unshown.Len(), maxShown)])
	c.unshown.Next(n)
	if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
		c.stdout = nil
	}
}

func (cl *client) tell(line string) {
	if cl.leaves != "" {
		return
	}
	cl.unsent.WriteString(line)
	if cl.unsent.Len() > maxUnsent {
		cl.send()
	}
	if cl.unsent.Len() > maxUnsent {
		cl.leave("reads too slowly")
	}
}

func (cl *client) send() {
	n, err := cl.Send(cl.unsent.Bytes())
	cl.unsent.Next(n)
	if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
		cl.leave("hung up")
	}
}

// leave makes a client leave soon, for the first reason that it gets.
func (cl *client) leave(reason string) {
	if cl.leaves == "" {
		cl.leaves = reason
	}
}

// lines are made of bytes: these are what has come of a line that has not ended.
type lines []byte

// add adds bytes, which may be the last, and returns the lines that have ended, but for empty ones. Control characters, which
// could do harm in the terminals of others, become spaces.
func (l *lines) add(p []byte, last bool) (ended []string) {
	end := func(n int) {
		line := strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return ' '
		}, string((*l)[:n]))
		if line = strings.TrimRight(line, " "); line != "" {
			ended = append(ended, line)
		}
		*l = slices.Delete(*l, 0, n)
	}
	for _, b := range p {
		if b == '\n' {
			end(len(*l))
			continue
		}
		*l = append(*l, b)
		if len(*l) == maxLine {
			end(wholeRunes(*l))
		}
	}
	if last {
		end(len(*l))
	}
	return ended
}

// wholeRunes returns how many bytes there are without the last character, if that is not complete.
func wholeRunes(p []byte) int {
	last := len(p) - 1
	for last > len(p)-utf8.UTFMax && !utf8.RuneStart(p[last]) {
		last--
	}
	if utf8.FullRune(p[last:]) {
		return len(p)
	}
	return last
}
