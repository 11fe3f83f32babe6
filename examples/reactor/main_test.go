//go:build unix || windows

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
)

func TestMain(m *testing.M) { progtest.Main(m, main) }

const fewFds = 20

func roundTrip(t *testing.T, c net.Conn, data []byte) {
	t.Helper()
	progtest.Exchange(t, c, data, data)
}

func wantRest(t *testing.T, c net.Conn, want []byte) {
	t.Helper()
	if rest, err := io.ReadAll(c); err != nil || !bytes.Equal(rest, want) {
		t.Errorf("%d bytes came until the end, want %d: %v", len(rest), len(want), err)
	}
}

func TestInterrupt(t *testing.T) {
	for _, sig := range progtest.Interrupts {
		t.Run(sig.String(), func(t *testing.T) {
			server, addr := progtest.Serve(t)
			c := progtest.Dial(t, addr)
			roundTrip(t, c, progtest.Random(1<<20))
			progtest.SendUntilStuck(t, progtest.Dial(t, addr))
			server.Stop(t, sig)
			wantRest(t, c, nil)
		})
	}
}

func TestPython(t *testing.T) {
	const script = `
import socket, sys, threading
data = bytes(range(256)) * 4096
with socket.create_connection((sys.argv[1], sys.argv[2])) as s:
    def send():
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    threading.Thread(target=send).start()
    back = b"".join(iter(lambda: s.recv(65536), b""))
print(back == data)
`
	server, addr := progtest.Serve(t)
	host, port, _ := net.SplitHostPort(addr)
	python := progtest.Run(t, "python3", "-c", script, host, port)
	if status, stdout, stderr := python.End(t); status != 0 || stdout != "True\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	server.Stop(t, os.Interrupt)
}

func TestHalfClose(t *testing.T) {
	server, addr := progtest.Serve(t)
	for _, size := range []int{0, 1, maxBuffered, 3 << 20} {
		c := progtest.Dial(t, addr)
		data := progtest.Random(size)
		sent := progtest.Send(c, data, c.CloseWrite)
		wantRest(t, c, data)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	server.Stop(t, os.Interrupt)
}

// More connections are reset than the server has descriptors, and another one lives through it all.
func TestReset(t *testing.T) {
	server := progtest.StartWith(t, fewFds, "-listen", "127.0.0.1:0")
	addr := server.Line(t)
	progtest.Resets(t, server, addr, func(c *net.TCPConn, data []byte) { roundTrip(t, c, data) })
}

func TestNeverReads(t *testing.T) {
	server, addr := progtest.Serve(t)
	other := progtest.Dial(t, addr)
	for range 3 {
		c := progtest.Dial(t, addr)
		sent := progtest.SendUntilStuck(t, c)
		roundTrip(t, other, progtest.Random(1<<20))
		c.CloseWrite()
		wantRest(t, c, sent)
	}
	server.Stop(t, os.Interrupt)
}

func TestManyClients(t *testing.T) {
	server, addr := progtest.Serve(t, "-idle", "1h")
	clients := progtest.DialMany(t, addr, 1000, func(c *net.TCPConn) { roundTrip(t, c, []byte("hello\n")) })
	for i, c := range clients {
		roundTrip(t, c, fmt.Appendf(nil, "I am client %d\n", i))
	}
	server.Stop(t, os.Interrupt)
}

// More clients than the server has descriptors wait until others are gone.
func TestOutOfDescriptors(t *testing.T) {
	progtest.OutOfDescriptors(t, program.AcceptDelay, func(c *net.TCPConn) {
		roundTrip(t, c, []byte("hello"))
		c.Close()
	})
}

func TestIdle(t *testing.T) {
	const idle = time.Second
	big := progtest.Random(64 << 20) // more than the buffers of the sockets
	server, addr := progtest.Serve(t, "-idle", idle.String())
	active, silent, neverReads := progtest.Dial(t, addr), progtest.Dial(t, addr), progtest.Dial(t, addr)
	sent := progtest.Send(neverReads, big, func() error { return nil })
	var last time.Time
	for begin := time.Now(); time.Since(begin) < 2*idle; {
		last = time.Now()
		roundTrip(t, active, []byte("hello"))
	}
	wantRest(t, active, nil)
	if d := time.Since(last); d < idle {
		t.Errorf("a connection that was idle for %v is closed, want %v", d, idle)
	}
	wantRest(t, silent, nil)
	if err := <-sent; err == nil {
		t.Errorf("the server has taken %d bytes from a client that does not read", len(big))
	}
	server.Stop(t, os.Interrupt)
}

func TestUsage(t *testing.T) {
	progtest.Usage(t, "reactor")
	const want = "invalid value \"long\" for flag -idle: parse error\nusage: "
	status, stdout, stderr := progtest.Start(t, "-idle", "long").End(t)
	if status != 2 || stdout != "" || !strings.HasPrefix(stderr, want) {
		t.Errorf("status %d, stdout %q, stderr %q, want 2, nothing and %q...", status, stdout, stderr, want)
	}
}

func TestVerbose(t *testing.T) {
	server, addr := progtest.Serve(t, "-v")
	progtest.Verbose(t, server, addr, "reactor", func(c *net.TCPConn) { roundTrip(t, c, []byte("hello")) },
		"connected", "received 5 bytes", "sent 5 bytes", "closed")
}

// newReactor returns a reactor, and a function that runs it and waits for its end.
func newReactor(t *testing.T) (reactor *Reactor, run func()) {
	t.Helper()
	// Package signal has a goroutine from its first use on.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	signal.Stop(signals)
	testkit.NoLeaks(t)
	reactor, err := NewReactor()
	if err != nil {
		t.Fatal(err)
	}
	return reactor, func() {
		t.Helper()
		if err := reactor.Run(); err != nil {
			t.Error(err)
		}
	}
}

func TestCallLater(t *testing.T) {
	reactor, run := newReactor(t)
	const tick = 20 * time.Millisecond
	var calls []string
	begin := time.Now()
	later := func(ticks time.Duration, name string) *DelayedCall {
		return reactor.CallLater(ticks*tick, func() {
			if d := time.Since(begin); d < ticks*tick {
				t.Errorf("%s is called after %v, want %v", name, d, ticks*tick)
			}
			calls = append(calls, name)
		})
	}
	c := later(3, "c")
	later(2, "b")
	a := later(0, "a")
	later(1, "cancelled").Cancel()
	later(1, "put off").Reset(time.Hour)
	reactor.CallLater(10*time.Millisecond, func() { panic("a panic of a delayed call") })
	reactor.CallLater(4*tick, func() {
		if a.Active() || c.Active() {
			t.Error("calls that were made are active")
		}
		a.Cancel()
		a.Reset(0)
		later(0, "d")
		later(0, "e")
		later(2, "end").f = reactor.Stop // not before, or a slow machine makes it overdue together with this call
	})
	var complaints bytes.Buffer
	log.SetOutput(&complaints)
	defer log.SetOutput(os.Stderr)
	run()
	if want := []string{"a", "b", "c", "d", "e"}; !slices.Equal(calls, want) {
		t.Errorf("the calls are %q, want %q", calls, want)
	}
	if !strings.Contains(complaints.String(), "unhandled error: a panic of a delayed call\n") {
		t.Errorf("the complaints are %q", &complaints)
	}
}

func TestCallFromThread(t *testing.T) {
	reactor, run := newReactor(t)
	const callers, each = 10, 100
	sum := 0
	for range callers {
		go func() {
			for range each {
				reactor.CallFromThread(func() {
					if sum++; sum == callers*each {
						reactor.Stop()
					}
				})
			}
		}()
	}
	run()
	if sum != callers*each {
		t.Errorf("%d calls, want %d", sum, callers*each)
	}
}

// A script is a protocol that does what it is sent, and says why its connections are lost.
type script struct {
	transport *Transport
	lost      chan error
}

var manyBytes = progtest.Random(8 << 20)

func (s *script) BuildProtocol(net.Addr) Protocol { return &script{lost: s.lost} }

func (s *script) ConnectionMade(transport *Transport) { s.transport = transport }

func (s *script) DataReceived(data []byte) {
	switch string(data) {
	case "lose":
		s.transport.Write(manyBytes)
		s.transport.LoseConnection()
		s.transport.Write([]byte("too late"))
	case "abort":
		s.transport.Write(manyBytes)
		s.transport.AbortConnection()
		s.transport.Write([]byte("too late"))
	case "panic":
		panic("a panic of a protocol")
	case "stop":
		s.transport.reactor.Stop()
	default:
		s.transport.Write(data)
	}
}

func (s *script) ConnectionLost(reason error) { s.lost <- reason }

// runScript runs a reactor that says on a channel why connections are lost.
func runScript(t *testing.T) (addr string, lost <-chan error, running *testkit.Call) {
	t.Helper()
	reactor, run := newReactor(t)
	reasons := make(chan error, 10)
	port, err := reactor.ListenTCP("127.0.0.1:0", &script{lost: reasons})
	if err != nil {
		t.Fatal(err)
	}
	host, err := port.GetHost()
	if err != nil {
		t.Fatal(err)
	}
	return host.String(), reasons, testkit.Go(t, run)
}

func TestConnectionLost(t *testing.T) {
	var complaints bytes.Buffer
	log.SetOutput(&complaints)
	defer log.SetOutput(os.Stderr)
	addr, lost, running := runScript(t)
	other := progtest.Dial(t, addr)
	for _, test := range []struct {
		send   string
		then   func(c *net.TCPConn)
		rest   []byte
		reason func(error) bool
	}{
		{"lose", func(c *net.TCPConn) {}, manyBytes, func(err error) bool { return err == ErrConnectionDone }},
		{"abort", func(c *net.TCPConn) {}, nil, func(err error) bool { return err == ErrConnectionAborted }},
		{"panic", func(c *net.TCPConn) {}, nil, func(err error) bool {
			return err.Error() == "unhandled error: a panic of a protocol"
		}},
		{"hello", func(c *net.TCPConn) { c.CloseWrite() }, []byte("hello"), func(err error) bool { return err == ErrConnectionDone }},
	} {
		c := progtest.Dial(t, addr)
		c.Write([]byte(test.send))
		test.then(c)
		wantRest(t, c, test.rest)
		if reason := <-lost; !test.reason(reason) {
			t.Errorf("%s: the reason is %v", test.send, reason)
		}
		roundTrip(t, other, []byte("spam"))
	}
	other.Write([]byte("stop"))
	if reason := <-lost; reason != ErrConnectionAborted {
		t.Errorf("at the end of the reactor the reason is %v, want %v", reason, ErrConnectionAborted)
	}
	running.Wait()
	other.Close()
	if !strings.Contains(complaints.String(), "unhandled error: a panic of a protocol\n") {
		t.Errorf("the complaints are %q", &complaints)
	}
}

func TestConnectionReset(t *testing.T) {
	testkit.NotOnWine(t, "a reset looks like the end")
	addr, lost, running := runScript(t)
	c, other := progtest.Dial(t, addr), progtest.Dial(t, addr)
	roundTrip(t, c, []byte("spam"))
	progtest.Reset(c)
	if reason := <-lost; !errors.Is(reason, socket.ErrConnectionReset) {
		t.Errorf("the reason is %v, want %v", reason, socket.ErrConnectionReset)
	}
	other.Write([]byte("stop"))
	running.Wait()
	other.Close()
}
