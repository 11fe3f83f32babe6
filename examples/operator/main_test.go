//go:build unix || windows

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

// come connects a client that the operator sees under a number.
func come(t *testing.T, server *progtest.Program, addr string, number int) *net.TCPConn {
	t.Helper()
	c := progtest.Dial(t, addr)
	shows(t, server, fmt.Sprintf("client %d is here: %v", number, c.LocalAddr()))
	return c
}

// shows checks what the operator sees next.
func shows(t *testing.T, server *progtest.Program, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if line := server.Line(t); line != want {
			t.Fatalf("the operator sees %q, want %q", line, want)
		}
	}
}

func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// hears checks what a client hears next.
func hears(t *testing.T, c *net.TCPConn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if n, err := io.ReadFull(c, buf); string(buf) != want {
		t.Fatalf("a client hears %q, %v, want %q", buf[:n], err, want)
	}
}

// atEnd checks that a client hears nothing any more.
func atEnd(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("at the end, a client hears %q, %v", rest, err)
	}
}

func TestOperator(t *testing.T) {
	server, addr := progtest.Serve(t)
	say(t, server.Stdin, "list\nhello?\nselect 1\n0: hello?\n")
	shows(t, server, "nobody is here", "no client is selected: "+help, "there is no client 1", "there is no client 0")

	anna := come(t, server, addr, 1)
	bert := come(t, server, addr, 2)
	say(t, anna, "My printer is on fire.\n")
	shows(t, server, "1: My printer is on fire.")
	say(t, bert, "hello") // without a newline, as in the tutorials
	shows(t, server, "2: hello")
	say(t, server.Stdin, "list\n1: Take water.\n")
	shows(t, server, fmt.Sprint("client 1: ", anna.LocalAddr()), fmt.Sprint("client 2: ", bert.LocalAddr()))
	hears(t, anna, "Take water.\n")

	say(t, server.Stdin, "select 2\nWe open at 10:30.\nselect x\n1: And?\nBye.\n")
	shows(t, server, "client 2 is selected", "there is no client x")
	hears(t, bert, "We open at 10:30.\nBye.\n")
	hears(t, anna, "And?\n")

	say(t, bert, "Thank you.\r\nBye.")
	shows(t, server, "2: Thank you.", "2: Bye.")
	bert.Close()
	shows(t, server, "client 2 has gone: hung up")
	cleo := come(t, server, addr, 3) // does not get what is for bert
	say(t, server.Stdin, "Are you there?\n2: Are you there?\n3: Hello.\n")
	shows(t, server, "no client is selected: "+help, "there is no client 2")
	hears(t, cleo, "Hello.\n")

	say(t, server.Stdin, "quit\nlist\n")
	atEnd(t, anna)
	atEnd(t, cleo)
	if status, stdout, stderr := server.End(t); status != 0 || stdout != "" || stderr != "" {
		t.Errorf("after quit: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

// What is typed carelessly does not go to the wrong client.
func TestCommandsAndTexts(t *testing.T) {
	server, addr := progtest.Serve(t)
	anna := come(t, server, addr, 1)
	say(t, server.Stdin, "select 1\n")
	shows(t, server, "client 1 is selected")
	bert := come(t, server, addr, 2)
	for _, typed := range []string{"2:secret", " 2: secret", "2 :  secret"} {
		say(t, server.Stdin, typed+"\n")
		hears(t, bert, "secret\n")
	}
	say(t, server.Stdin, "3:secret\n")
	shows(t, server, "there is no client 3")
	for _, typed := range []string{"select", "select none of them", " select", "list all", "quit now"} {
		say(t, server.Stdin, typed+"\n")
		shows(t, server, help)
	}
	say(t, server.Stdin, "  list\n")
	shows(t, server, fmt.Sprint("client 1: ", anna.LocalAddr()), fmt.Sprint("client 2: ", bert.LocalAddr()))
	say(t, server.Stdin, "The list: select one.\n quit\n")
	hears(t, anna, "The list: select one.\n")
	atEnd(t, anna)
	if status, stdout, stderr := server.End(t); status != 0 || stdout != "" || stderr != "" {
		t.Errorf("after quit: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

// The end of the input is the end, and everything before it counts.
func TestEndOfInput(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := come(t, server, addr, 1)
	say(t, server.Stdin, strings.Repeat("list\n", 1000)+"1: Bye.")
	server.Stdin.Close()
	hears(t, c, "Bye.\n")
	atEnd(t, c)
	want := strings.Repeat(fmt.Sprintf("client 1: %v\n", c.LocalAddr()), 1000)
	if status, stdout, stderr := server.End(t); status != 0 || stdout != want || stderr != "" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

func TestInterrupt(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		server, addr := progtest.Serve(t)
		c := come(t, server, addr, 1)
		server.Stop(t, sig)
		atEnd(t, c)
	}
}

func TestInterruptClosesAll(t *testing.T) {
	testkit.NoLeaks(t)
	server, err := socket.CreateServer("127.0.0.1:0", nil)
	testkit.Check(t, err)
	defer server.Close()
	addr, err := server.Getsockname()
	testkit.Check(t, err)
	stdin, keys := io.Pipe()
	defer keys.Close()
	screen, stdout := io.Pipe()
	terminal, err := program.NewTerminal(stdin, stdout)
	testkit.Check(t, err)
	ctx, interrupt := context.WithCancel(t.Context())
	served := testkit.Go(t, func() {
		defer terminal.Close()
		testkit.Check(t, serve(ctx, server, terminal))
	})
	c := progtest.Dial(t, addr.String())
	if line, err := bufio.NewReader(screen).ReadString('\n'); line != fmt.Sprintf("client 1 is here: %v\n", c.LocalAddr()) {
		t.Errorf("the operator sees %q, %v", line, err)
	}
	interrupt()
	served.Wait()
}

// Whatever comes in, what is shown is text.
func TestGarbage(t *testing.T) {
	server, addr := progtest.Serve(t)
	c := come(t, server, addr, 1)
	say(t, c, "\x1b[2J\nGr\xc3")
	shows(t, server, "1:  [2J", "1: Gr")
	say(t, c, "\xb6\xc3\x9fe")
	shows(t, server, "1: öße")
	server.Stop(t, os.Interrupt)
}

// Who does not read is dropped, and nobody waits.
func TestClientThatDoesNotRead(t *testing.T) {
	server, addr := progtest.Serve(t)
	come(t, server, addr, 1)
	c := come(t, server, addr, 2)
	say(t, server.Stdin, "select 1\n")
	shows(t, server, "client 1 is selected")
	gone := make(chan string)
	go func() {
		line, _ := server.Stdout.ReadString('\n')
		gone <- line
	}()
	text := strings.Repeat("x", 1000) + "\n"
	for i := 0; ; i++ {
		say(t, server.Stdin, fmt.Sprintf("%s2: %d\n", text, i))
		hears(t, c, fmt.Sprintf("%d\n", i))
		select {
		case line := <-gone:
			if line != "client 1 has gone: does not read\n" {
				t.Errorf("the operator sees %q", line)
			}
			server.Stop(t, os.Interrupt)
			return
		default:
		}
	}
}

// More connections are reset than the server has descriptors, and another one lives through it all.
func TestReset(t *testing.T) {
	const fds = 20
	server := progtest.StartWith(t, fds, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	other := come(t, server, addr, 1)
	for i := range 2 * fds {
		c := come(t, server, addr, i+2)
		say(t, server.Stdin, fmt.Sprintf("%d: hello\n", i+2))
		hears(t, c, "hello\n")
		progtest.Reset(c)
		shows(t, server, fmt.Sprintf("client %d has gone: hung up", i+2))
		say(t, server.Stdin, "1: hello\n")
		hears(t, other, "hello\n")
	}
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	const people = 1000
	testkit.NeedFds(t, people+50)
	server, addr := progtest.Serve(t)
	var clients [people]*net.TCPConn
	for i := range clients {
		clients[i] = come(t, server, addr, i+1)
	}
	for i, c := range clients {
		say(t, server.Stdin, fmt.Sprintf("%d: hello\n", i+1))
		hears(t, c, "hello\n")
	}
	server.Stop(t, os.Interrupt)
}

func TestOutOfDescriptors(t *testing.T) {
	progtest.OutOfDescriptors(t, program.AcceptDelay, func(c *net.TCPConn) {
		say(t, c, "hello\n")
		c.CloseWrite()
		atEnd(t, c)
		c.Close()
	})
}

func TestVerbose(t *testing.T) {
	server, addr := progtest.Serve(t, "-v")
	progtest.Verbose(t, server, addr, "operator", func(c *net.TCPConn) {
		shows(t, server, fmt.Sprintf("client 1 is here: %v", c.LocalAddr()))
		say(t, server.Stdin, "1: Hello!\n")
		hears(t, c, "Hello!\n")
		say(t, c, "hello\n")
	}, "connected", "sent 7 bytes", "received 6 bytes", "closed")
}

func TestUsage(t *testing.T) { progtest.Usage(t, "operator") }

// The client of the tutorials says something and waits for what it is told.
func TestPython(t *testing.T) {
	const script = `
import socket, sys
s = socket.socket()
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(b"hello")
while True:
    data = s.recv(1024)
    if not data:
        break
    s.send(b"you said " + data)
`
	server, addr := progtest.Serve(t)
	host, port, _ := net.SplitHostPort(addr)
	python := progtest.Run(t, "python3", "-c", script, host, port)
	if line := server.Line(t); !strings.HasPrefix(line, "client 1 is here: ") {
		t.Fatalf("the operator sees %q", line)
	}
	shows(t, server, "1: hello")
	say(t, server.Stdin, "select 1\nworld\n")
	shows(t, server, "client 1 is selected", "1: you said world")
	say(t, server.Stdin, "quit\n")
	for _, p := range []*progtest.Program{server, python} {
		if status, stdout, stderr := p.End(t); status != 0 || stdout != "" || stderr != "" {
			t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
	}
}
