//go:build unix || windows

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

// A person takes part in a chat.
type person struct {
	*net.TCPConn
	name string
	r    *bufio.Reader
}

func dial(t *testing.T, addr string) *person {
	t.Helper()
	c := progtest.Dial(t, addr)
	return &person{c, c.LocalAddr().String(), bufio.NewReader(c)}
}

// join waits until the terminal of the server shows that somebody has joined.
func join(t *testing.T, server *progtest.Program, addr string) *person {
	t.Helper()
	p := dial(t, addr)
	if line := server.Line(t); line != p.name+" has joined" {
		t.Fatalf("the terminal shows %q", line)
	}
	return p
}

func (p *person) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		t.Fatal(err)
	}
}

func (p *person) line(t *testing.T) string {
	t.Helper()
	line, err := p.r.ReadString('\n')
	if err != nil {
		t.Fatalf("after %q: %v", line, err)
	}
	return line[:len(line)-1]
}

// hears checks what somebody hears next.
func (p *person) hears(t *testing.T, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if line := p.line(t); line != want {
			t.Fatalf("%s hears %q, want %q", p.name, line, want)
		}
	}
}

// serveHere runs a server in this process, until the returned function is called or the test ends.
func serveHere(t *testing.T, stdin, stdout *os.File) (addr string, stop func()) {
	t.Helper()
	server, err := socket.CreateServer("127.0.0.1:0", &socket.ServerConfig{Backlog: socket.SOMAXCONN})
	if err != nil {
		t.Fatal(err)
	}
	name, err := server.Getsockname()
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := program.NewTerminal(stdin, stdout)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	served := testkit.Go(t, func() {
		defer server.Close()
		defer terminal.Close()
		c := &chat{server: server, terminal: terminal, keyboard: newClient(terminal.Typed, "server")}
		if err := c.serve(ctx); err != nil {
			t.Error(err)
		}
	})
	return name.String(), func() { interrupt(); served.Wait() }
}

func TestConversation(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		server, addr := progtest.Serve(t, "-pause", "0")
		anna := join(t, server, addr)
		bert := join(t, server, addr)
		anna.hears(t, bert.name+" has joined")
		cleo := join(t, server, addr)
		anna.hears(t, cleo.name+" has joined")
		bert.hears(t, cleo.name+" has joined")

		anna.say(t, "Hello!\r\n\r\nI am An")
		bert.hears(t, anna.name+": Hello!")
		bert.say(t, "Hello, Größe.\n")
		anna.hears(t, bert.name+": Hello, Größe.")
		anna.say(t, "na.\n")
		bert.hears(t, anna.name+": I am Anna.")
		cleo.hears(t, anna.name+": Hello!", bert.name+": Hello, Größe.", anna.name+": I am Anna.")

		bert.say(t, "I have to go")
		bert.CloseWrite()
		if rest, err := io.ReadAll(bert.r); len(rest) > 0 || err != nil {
			t.Errorf("before the end, somebody who leaves gets %q, %v", rest, err)
		}
		cleo.hears(t, bert.name+": I have to go", bert.name+" has left: hung up")

		for _, line := range []string{anna.name + ": Hello!", bert.name + ": Hello, Größe.", anna.name + ": I am Anna.",
			bert.name + ": I have to go", bert.name + " has left: hung up"} {
			if shown := server.Line(t); shown != line {
				t.Errorf("the terminal shows %q, want %q", shown, line)
			}
		}
		server.Stop(t, sig)
		if n, err := cleo.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("after the server's end: Read = %d, %v", n, err)
		}
	}
}

func TestTerminal(t *testing.T) {
	server, addr := progtest.Serve(t, "-pause", "0")
	anna := join(t, server, addr)
	io.WriteString(server.Stdin, "Welcome.\nThat is")
	anna.hears(t, "server: Welcome.")
	io.WriteString(server.Stdin, " all")
	server.Stdin.Close()
	anna.hears(t, "server: That is all")
	bert := join(t, server, addr)
	bert.say(t, "hello\n")
	anna.hears(t, bert.name+" has joined", bert.name+": hello")
	server.Stop(t, os.Interrupt)
}

// Standard input and output may be anything.
func TestFiles(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close() // w is broken
	for _, test := range []struct {
		name          string
		stdin, stdout *os.File
	}{
		{"null", null, null},
		{"files", testkit.File(t), testkit.File(t)},
		{"broken pipe", null, w},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr, stop := serveHere(t, test.stdin, test.stdout)
			defer stop()
			anna := dial(t, addr)
			anna.say(t, "hello?\n")
			bert := dial(t, addr)
			bert.say(t, "hello\n")
			for _, want := range []string{bert.name + " has joined", bert.name + ": hello"} {
				line := anna.line(t)
				if line == "server: content" { // of the file, which anna hears if she was there in time
					line = anna.line(t)
				}
				if line != want {
					t.Fatalf("anna hears %q, want %q", line, want)
				}
			}
		})
	}
}

func TestInterruptClosesAll(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	testkit.NoLeaks(t)
	addr, stop := serveHere(t, r, w) // what is shown is typed again
	anna := dial(t, addr)
	anna.hears(t, "server: "+anna.name+" has joined")
	stop()
	if err := errors.Join(w.Close(), r.Close()); err != nil {
		t.Errorf("standard input and output are not the caller's any more: %v", err)
	}
}

func TestIdle(t *testing.T) {
	const idle = 2 * time.Second
	server, addr := progtest.Serve(t, "-idle", idle.String())
	testkit.Duration(t, idle, func() {
		silent := join(t, server, addr)
		if rest, err := io.ReadAll(silent); len(rest) > 0 || err != nil {
			t.Errorf("before the end, somebody who is silent gets %q, %v", rest, err)
		}
		if line := server.Line(t); line != silent.name+" has left: said nothing for 2s" {
			t.Errorf("the terminal shows %q", line)
		}
	})
	talker := join(t, server, addr)
	time.Sleep(idle / 4)
	testkit.Duration(t, idle, func() {
		talker.say(t, "Is anybody here?\n")
		io.ReadAll(talker)
	})
	server.Stop(t, os.Interrupt)
}

// What comes without a newline is a line after a pause, but for a character that is not complete.
func TestPause(t *testing.T) {
	const pause = 200 * time.Millisecond
	server, addr := progtest.Serve(t)
	anna := join(t, server, addr)
	bert := join(t, server, addr)
	anna.hears(t, bert.name+" has joined")
	cleo := join(t, server, addr)
	anna.hears(t, cleo.name+" has joined")
	bert.hears(t, cleo.name+" has joined")
	for _, said := range []string{"hello", "I am bert", "Gr\xc3"} {
		testkit.Duration(t, pause, func() {
			bert.say(t, said)
			anna.hears(t, bert.name+": "+strings.TrimSuffix(said, "\xc3"))
		})
	}
	bert.say(t, "\xb6\xc3\x9fe\n")
	anna.hears(t, bert.name+": öße")
	testkit.Duration(t, pause, func() {
		io.WriteString(server.Stdin, "hello")
		anna.hears(t, "server: hello")
	})
	cleo.hears(t, bert.name+": hello", bert.name+": I am bert", bert.name+": Gr", bert.name+": öße", "server: hello")
	server.Stop(t, os.Interrupt)
}

// Whatever comes in, what goes out is lines of text that are not too long.
func TestGarbage(t *testing.T) {
	server, addr := progtest.Serve(t, "-pause", "0")
	bert := join(t, server, addr)
	anna := dial(t, addr)
	bert.hears(t, anna.name+" has joined")
	for _, test := range []string{
		string(progtest.Random(30000)),
		strings.Repeat("\x1b[2J", 5000),
		strings.Repeat("\n", 30000),
		strings.Repeat("endless ", 4000),
		strings.Repeat("\xe2\x82", 10000),
	} {
		anna.say(t, test+"\nend of garbage\n")
		for {
			line, found := strings.CutPrefix(bert.line(t), anna.name+": ")
			long := utf8.RuneCountInString(line) > program.MaxLine
			if !found || long || !utf8.ValidString(line) || strings.IndexFunc(line, unicode.IsControl) >= 0 {
				t.Fatalf("garbage has become %q", line)
			}
			if strings.HasSuffix(line, "end of garbage") {
				break
			}
		}
	}
	anna.say(t, strings.Repeat("x", program.MaxLine+1)+"\n")
	bert.hears(t, anna.name+": "+strings.Repeat("x", program.MaxLine), anna.name+": x")
	for _, char := range []string{"ö", "€", "😀"} {
		for before := 1; before < len(char); before++ {
			long := strings.Repeat("x", program.MaxLine-before)
			anna.say(t, long+char+"\n")
			bert.hears(t, anna.name+": "+long, anna.name+": "+char)
		}
		long := strings.Repeat("x", program.MaxLine-len(char)) + char
		anna.say(t, long+char+"\n")
		bert.hears(t, anna.name+": "+long, anna.name+": "+char)
	}
	server.Stop(t, os.Interrupt)
}

// Who does not read is dropped, and nobody misses anything. Nobody looks at the terminal either.
func TestClientThatDoesNotRead(t *testing.T) {
	server, addr := progtest.Serve(t)
	anna := join(t, server, addr)
	bert := join(t, server, addr)
	stuck := join(t, server, addr)
	bert.hears(t, stuck.name+" has joined")
	text := strings.Repeat("x", 1000)
	for dropped := false; !dropped; {
		anna.say(t, strings.Repeat(text+"\n", 50))
		for said := 0; said < 50; {
			switch line := bert.line(t); line {
			case anna.name + ": " + text:
				said++
			case stuck.name + " has left: reads too slowly":
				dropped = true
			default:
				t.Fatalf("bert hears %.200q", line)
			}
		}
	}
	server.Stop(t, os.Interrupt)
}

// More connections are reset than the server has descriptors, and others live through it all.
func TestReset(t *testing.T) {
	const fds = 20
	server := progtest.StartWith(t, fds, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	anna := join(t, server, addr)
	bert := join(t, server, addr)
	anna.hears(t, bert.name+" has joined")
	for range 2 * fds {
		c := dial(t, addr)
		anna.hears(t, c.name+" has joined")
		c.say(t, "I am about to be cut o")
		progtest.Reset(c.TCPConn)
		bert.say(t, "Who was that?\n")
		for heard := map[string]bool{}; len(heard) < 2; {
			line := anna.line(t)
			switch line {
			case bert.name + ": Who was that?", c.name + " has left: hung up":
				heard[line] = true
			case c.name + ": I am about to be cut o":
			default:
				t.Fatalf("anna hears %q", line)
			}
		}
	}
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	testkit.NotOnWine(t, "so much talk takes too long")
	const people = 1000
	testkit.NeedFds(t, people+50)
	server, addr := progtest.Serve(t)
	var all [people]*person
	for i := range all {
		all[i] = join(t, server, addr)
	}
	first := all[0]
	for i, p := range all {
		for _, later := range all[i+1:] {
			p.hears(t, later.name+" has joined")
		}
	}
	first.say(t, "hello, all\n")
	for _, p := range all[1:] {
		p.hears(t, first.name+": hello, all")
	}
	server.Stop(t, os.Interrupt)
}

// A turn of the loop allocates nothing but what Select returns, and to drop everybody at once takes no time for each pair of
// them.
func TestManyAtOnce(t *testing.T) {
	c := crowd(t, 1000)
	testkit.WantAllocs(t, "a turn of the loop", 0, func() {
		c.timers(time.Now())
		c.dropLeaving()
		c.makeLists(time.Now())
	})
	const limit = 10 * time.Second // a hundred times as long as it takes
	c = crowd(t, 100_000)
	begin := time.Now()
	c.dropAll()
	if d := time.Since(begin); d > limit {
		t.Errorf("to drop a crowd takes %v", d)
	}
}

// crowd returns a chat with so many clients, who all have the same connection.
func crowd(t testing.TB, size int) *chat {
	t.Helper()
	a, b, err := socket.Socketpair(socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
	testkit.Check(t, err)
	testkit.Check(t, b.Close())
	t.Cleanup(func() { a.Close() })
	c := &chat{server: a, terminal: io.Discard, keyboard: newClient(a, "server"), idle: time.Hour}
	for range size {
		cl := newClient(a, "somebody")
		cl.inClients = c.clients.PushBack(cl)
	}
	return c
}

// dropAll drops all clients because of their silence.
func (c *chat) dropAll() {
	c.idle = 1
	c.timers(time.Now().Add(1))
	c.dropLeaving()
}

// The time for each client is the same, however many there are.
func BenchmarkDropAll(b *testing.B) {
	for _, size := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				c := crowd(b, size)
				b.StartTimer()
				c.dropAll()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/client")
		})
	}
}

func TestOutOfDescriptors(t *testing.T) {
	progtest.OutOfDescriptors(t, program.AcceptDelay, func(c *net.TCPConn) {
		fmt.Fprintln(c, "hello")
		c.CloseWrite()
		if _, err := io.ReadAll(c); err != nil {
			t.Error(err)
		}
		c.Close()
	})
}

func TestVerbose(t *testing.T) {
	server, addr := progtest.Serve(t, "-v")
	progtest.Verbose(t, server, addr, "chat", func(c *net.TCPConn) {
		io.WriteString(server.Stdin, "Hello!\n")
		progtest.Exchange(t, c, nil, []byte("server: Hello!\n"))
		io.WriteString(c, "hello\n")
	}, "connected", "sent 15 bytes", "received 6 bytes", "closed")
}

func TestUsage(t *testing.T) { progtest.Usage(t, "chat") }

// The client of the tutorials sends no newlines.
func TestPython(t *testing.T) {
	const script = `
import select, socket, sys
def connect():
    return socket.create_connection((sys.argv[1], sys.argv[2]))
def name(s):
    return "%s:%d" % s.getsockname()
def hears(s, text):
    heard = ""
    while heard != text:
        select.select([s], [], [])
        heard += s.recv(2048).decode()
        assert text.startswith(heard), heard
anna = connect()
bert = connect()
hears(anna, name(bert) + " has joined\n")
anna.send(b"hello")
hears(bert, name(anna) + ": hello\n")
bert.send(b"world")
hears(anna, name(bert) + ": world\n")
print("done")
`
	server, addr := progtest.Serve(t)
	host, port, _ := net.SplitHostPort(addr)
	python := progtest.Run(t, "python3", "-c", script, host, port)
	if status, stdout, stderr := python.End(t); status != 0 || stdout != "done\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	server.Stop(t, os.Interrupt)
}

func TestNetcat(t *testing.T) {
	server, addr := progtest.Serve(t)
	anna := join(t, server, addr)
	host, port, _ := net.SplitHostPort(addr)
	nc := progtest.Run(t, "nc", host, port)
	name, found := strings.CutSuffix(anna.line(t), " has joined")
	if !found {
		t.Fatalf("netcat is %q", name)
	}
	anna.say(t, "hello\n")
	if line := nc.Line(t); line != anna.name+": hello" {
		t.Errorf("netcat hears %q", line)
	}
	io.WriteString(nc.Stdin, "world\n")
	anna.hears(t, name+": world")
	server.Stop(t, os.Interrupt)
}
