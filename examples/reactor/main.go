//go:build unix || windows

// Reactor is a small reactor in the manner of Twisted, whose loop has connections, timers, signals and calls from other
// goroutines, and on it the echo server that introduces Twisted.
//
//	go run ./examples/reactor -listen localhost:8000             # echoes until it is interrupted
//	go run ./examples/reactor -listen localhost:8000 -idle 1m    # and closes connections that send nothing for a minute
//	nc localhost 8000
//
// A SIGHUP, which Unix systems have, does not end it: it says how many connections there are. So it goes on when its terminal is
// closed, too.
package main

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

// A Protocol is what happens on a connection. The reactor calls its methods. A panic is logged and ends the connection.
type Protocol interface {
	// ConnectionMade is called first.
	ConnectionMade(transport *Transport)

	// DataReceived is called with what has come. The slice is the protocol's until it returns.
	DataReceived(data []byte)

	// ConnectionLost is called last. The reason is ErrConnectionDone, ErrConnectionAborted or what has gone wrong.
	ConnectionLost(reason error)
}

// A Factory makes the protocol of each connection.
type Factory interface {
	// BuildProtocol may return nil, and the connection is closed.
	BuildProtocol(peer net.Addr) Protocol
}

var (
	// ErrConnectionDone says that a connection was closed properly, by either side.
	ErrConnectionDone = errors.New("connection was closed cleanly")

	// ErrConnectionAborted says that a connection was closed by AbortConnection or at the end of the reactor.
	ErrConnectionAborted = errors.New("connection was aborted locally")
)

const (
	// A connection that has so much to send is not read from until its peer has taken some of it. In Twisted, a protocol
	// has to arrange for that as a producer.
	maxBuffered = 64 << 10
)

// A Reactor waits for events and calls what handles them, one after another. Except CallFromThread, call its
// methods only before Run or from what it calls.
type Reactor struct {
	selector *selectors.DefaultSelector
	delayed  delayedCalls
	calls    int // of CallLater
	ports    []*Port
	catchers map[os.Signal]*catcher
	stopped  bool
	buf      []byte // that all connections receive into

	mu         sync.Mutex
	fromThread []func()
}

// A selectable is what the reactor tells that its socket is ready.
type selectable interface{ doReady(events selectors.Event) }

// NewReactor returns a reactor that does not run yet.
func NewReactor() (*Reactor, error) {
	selector, err := selectors.NewDefaultSelector()
	if err != nil {
		return nil, err
	}
	return &Reactor{selector: selector, catchers: make(map[os.Signal]*catcher), buf: make([]byte, 64<<10)}, nil
}

// Run runs the reactor until Stop, an interrupt or a SIGTERM, and then closes everything. It cannot run again.
func (r *Reactor) Run() error {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		r.catch(sig).unwatched = r.Stop
	}
	defer func() {
		for _, c := range r.catchers {
			r.release(c)
		}
	}()
	defer r.disconnectAll()

	for r.runUntilCurrent(); !r.stopped; r.runUntilCurrent() {
		ready, err := r.selector.Select(r.timeout())
		if err != nil {
			return err
		}
		for _, ready := range ready {
			ready.Key.Data.(selectable).doReady(ready.Events)
		}
	}
	return nil
}

// Stop ends Run.
func (r *Reactor) Stop() { r.stopped = true }

func (r *Reactor) disconnectAll() {
	for key := range r.selector.Keys() {
		if t, ok := key.Data.(*Transport); ok {
			t.AbortConnection()
		}
	}
	for _, p := range r.ports {
		p.socket.Close()
	}
	r.selector.Close()
}

// runUntilCurrent makes the calls from other goroutines and the delayed calls that are due.
func (r *Reactor) runUntilCurrent() {
	r.mu.Lock()
	calls := r.fromThread
	r.fromThread = nil
	r.mu.Unlock()
	for _, f := range calls {
		logged(f)
	}
	for now := time.Now(); len(r.delayed) > 0 && !r.delayed[0].time.After(now); {
		logged(heap.Pop(&r.delayed).(*DelayedCall).f)
	}
}

// timeout returns the time to the next delayed call.
func (r *Reactor) timeout() time.Duration {
	if len(r.delayed) == 0 {
		return pyselect.Forever
	}
	return time.Until(r.delayed[0].time)
}

// logged calls f. Its panic is logged and becomes an error.
func logged(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Printf("unhandled error: %v\n%s", p, debug.Stack())
			err = fmt.Errorf("unhandled error: %v", p)
		}
	}()
	f()
	return nil
}

// CallFromThread lets the reactor call f soon. It may be called by any goroutine.
func (r *Reactor) CallFromThread(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fromThread = append(r.fromThread, f)
	r.selector.Wakeup()
}

// CallLater lets the reactor call f after a delay.
func (r *Reactor) CallLater(delay time.Duration, f func()) *DelayedCall {
	r.calls++
	d := &DelayedCall{reactor: r, time: time.Now().Add(delay), order: r.calls, f: f}
	heap.Push(&r.delayed, d)
	return d
}

// A DelayedCall is a call that CallLater has arranged.
type DelayedCall struct {
	reactor *Reactor
	time    time.Time
	order   int // among those of the same time
	index   int // in the heap, or -1
	f       func()
}

// Active reports whether the call is still to come.
func (d *DelayedCall) Active() bool { return d.index >= 0 }

// Cancel prevents the call, if it is active.
func (d *DelayedCall) Cancel() {
	if d.Active() {
		heap.Remove(&d.reactor.delayed, d.index)
	}
}

// Reset lets the call come after a delay from now, if it is active.
func (d *DelayedCall) Reset(delay time.Duration) {
	if d.Active() {
		d.time = time.Now().Add(delay)
		heap.Fix(&d.reactor.delayed, d.index)
	}
}

// delayedCalls is a heap: its first element is due next.
type delayedCalls []*DelayedCall

func (q delayedCalls) Len() int { return len(q) }

func (q delayedCalls) Less(i, j int) bool {
	if c := q[i].time.Compare(q[j].time); c != 0 {
		return c < 0
	}
	return q[i].order < q[j].order
}

func (q delayedCalls) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *delayedCalls) Push(x any) {
	d := x.(*DelayedCall)
	d.index = len(*q)
	*q = append(*q, d)
}

func (q *delayedCalls) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	d.index = -1
	return d
}

// OnSignal lets the reactor call f for each signal sig. While a signal is watched, that is all that it does: an interrupt, for
// instance, does not end Run. Those who watch the same signal are called in the order of OnSignal.
//
// No signal goes unnoticed while the reactor is busy, but several of the same kind that come in the meantime may be one call,
// as the kernel, and package signal, have it.
func (r *Reactor) OnSignal(sig os.Signal, f func()) *SignalWatcher {
	c := r.catch(sig)
	w := &SignalWatcher{r, c, f}
	c.watchers = append(c.watchers, w)
	return w
}

// A SignalWatcher watches a signal, as OnSignal has arranged.
type SignalWatcher struct {
	reactor *Reactor
	catcher *catcher
	f       func()
}

// Active reports whether calls are still to come: until Cancel or the end of the reactor.
func (w *SignalWatcher) Active() bool { return slices.Contains(w.catcher.watchers, w) }

// Cancel prevents the calls that are still to come. A signal that nobody watches any more does soon what it does otherwise: from
// the next turn of the loop on, so that none is lost on who cancels and watches again.
func (w *SignalWatcher) Cancel() {
	if c := w.catcher; w.Active() {
		c.watchers = slices.DeleteFunc(c.watchers, func(other *SignalWatcher) bool { return other == w })
		w.reactor.CallFromThread(func() {
			if len(c.watchers) == 0 && c.unwatched == nil && w.reactor.catchers[c.sig] == c {
				w.reactor.release(c)
			}
		})
	}
}

// A catcher catches a signal, in place of what that does otherwise.
type catcher struct {
	sig       os.Signal
	signals   chan os.Signal
	watchers  []*SignalWatcher
	unwatched func() // what to call when there are no watchers, or nil
}

// catch returns the catcher of a signal.
func (r *Reactor) catch(sig os.Signal) *catcher {
	if c := r.catchers[sig]; c != nil {
		return c
	}
	c := &catcher{sig: sig, signals: make(chan os.Signal, 1)} // has room for the next one while one is being told
	r.catchers[sig] = c
	signal.Notify(c.signals, sig)
	go func() {
		for range c.signals {
			r.CallFromThread(c.signalled)
		}
	}()
	return c
}

func (c *catcher) signalled() {
	if len(c.watchers) == 0 && c.unwatched != nil {
		c.unwatched()
	}
	for _, w := range slices.Clone(c.watchers) {
		if w.Active() { // a call before this one may have changed that
			logged(w.f)
		}
	}
}

func (r *Reactor) release(c *catcher) {
	signal.Stop(c.signals)
	close(c.signals)
	c.watchers = nil
	delete(r.catchers, c.sig)
}

// A Port is a listening socket, each connection of which gets a protocol from the factory.
type Port struct {
	reactor *Reactor
	socket  *socket.Socket
	factory Factory
}

// ListenTCP listens at an address of the form host:port.
func (r *Reactor) ListenTCP(address string, factory Factory) (*Port, error) {
	s, err := socket.CreateServer(address, &socket.ServerConfig{Backlog: socket.SOMAXCONN})
	if err != nil {
		return nil, err
	}
	s.Setblocking(false)
	p := &Port{r, s, factory}
	if err := p.startReading(); err != nil {
		s.Close()
		return nil, err
	}
	r.ports = append(r.ports, p)
	return p, nil
}

// GetHost returns the address that the port listens at.
func (p *Port) GetHost() (net.Addr, error) { return p.socket.Getsockname() }

func (p *Port) startReading() error {
	_, err := p.reactor.selector.Register(p.socket, selectors.EventRead, p)
	return err
}

// pause stops accepting for a while: as long as accept fails the socket stays ready, and the loop would spin.
func (p *Port) pause(cause error) {
	program.LogAccept(cause)
	p.reactor.selector.Unregister(p.socket)
	p.reactor.CallLater(program.AcceptDelay, func() {
		if err := p.startReading(); err != nil {
			p.pause(err)
		}
	})
}

func (p *Port) doReady(selectors.Event) {
	s, peer, err := p.socket.Accept()
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	if err != nil {
		p.pause(err)
		return
	}
	var protocol Protocol
	logged(func() { protocol = p.factory.BuildProtocol(peer) })
	if protocol == nil {
		s.Close()
		return
	}
	s.Setblocking(false)
	t := &Transport{reactor: p.reactor, socket: s, peer: peer, protocol: protocol, events: selectors.EventRead}
	if _, err := t.reactor.selector.Register(s, t.events, t); err != nil {
		log.Print(program.PeerError(peer, err))
		s.Close()
		return
	}
	program.Logf("%v: connected", peer)
	t.call(func() { protocol.ConnectionMade(t) })
}

// A Transport is a connection.
type Transport struct {
	reactor       *Reactor
	socket        *socket.Socket
	peer          net.Addr
	protocol      Protocol
	events        selectors.Event // that the selector waits for
	dataBuffer    bytes.Buffer    // what is still to be sent
	disconnecting bool            // once that has gone
	disconnected  bool
}

// Write sends data, sooner or later, unless the connection is closed or about to be. It keeps a copy.
func (t *Transport) Write(data []byte) {
	if !t.disconnecting {
		t.dataBuffer.Write(data)
		t.watch()
	}
}

// LoseConnection closes the connection when all that was written before is sent. No more is received.
func (t *Transport) LoseConnection() {
	t.disconnecting = true
	t.watch()
}

// AbortConnection closes the connection.
func (t *Transport) AbortConnection() { t.connectionLost(ErrConnectionAborted) }

// watch lets the selector wait for what the connection needs now.
func (t *Transport) watch() {
	if t.disconnected {
		return
	}
	var events selectors.Event
	if !t.disconnecting && t.dataBuffer.Len() < maxBuffered {
		events |= selectors.EventRead
	}
	if t.disconnecting || t.dataBuffer.Len() > 0 {
		events |= selectors.EventWrite
	}
	if events == t.events {
		return
	}
	t.events = events
	if _, err := t.reactor.selector.Modify(t.socket, events, t); err != nil {
		t.connectionLost(err)
	}
}

// doReady does what is possible, of what is still wanted: a call before this one may have changed that.
func (t *Transport) doReady(events selectors.Event) {
	if !t.disconnected && events&t.events&selectors.EventRead != 0 {
		t.doRead()
	}
	if !t.disconnected && events&t.events&selectors.EventWrite != 0 {
		t.doWrite()
	}
}

func (t *Transport) doRead() {
	switch n, err := t.socket.Recv(t.reactor.buf); {
	case errors.Is(err, socket.ErrWouldBlock):
	case err != nil:
		t.connectionLost(err)
	case n == 0:
		// Twisted forgets what is still to be sent, unless the protocol takes care of it.
		t.LoseConnection()
	default:
		program.Logf("%v: received %d bytes", t.peer, n)
		t.call(func() { t.protocol.DataReceived(t.reactor.buf[:n]) })
	}
}

func (t *Transport) doWrite() {
	if t.dataBuffer.Len() > 0 {
		n, err := t.socket.Send(t.dataBuffer.Bytes())
		if err != nil && !errors.Is(err, socket.ErrWouldBlock) {
			t.connectionLost(err)
			return
		}
		if n > 0 {
			program.Logf("%v: sent %d bytes", t.peer, n)
		}
		t.dataBuffer.Next(n)
	}
	if t.disconnecting && t.dataBuffer.Len() == 0 {
		t.connectionLost(ErrConnectionDone)
		return
	}
	t.watch()
}

// call calls the protocol.
func (t *Transport) call(method func()) {
	if err := logged(method); err != nil {
		t.connectionLost(err)
	}
}

func (t *Transport) connectionLost(reason error) {
	if t.disconnected {
		return
	}
	if reason != ErrConnectionDone {
		program.Logf("%v", program.PeerError(t.peer, reason))
	}
	program.Logf("%v: closed", t.peer)
	t.disconnected, t.disconnecting = true, true
	t.reactor.selector.Unregister(t.socket)
	t.socket.Close()
	logged(func() { t.protocol.ConnectionLost(reason) })
}

// Echo is the protocol that sends back what it receives.
type Echo struct {
	factory   *EchoFactory
	transport *Transport
	timeout   *DelayedCall // or nil
}

// ConnectionMade begins to wait for data.
func (e *Echo) ConnectionMade(transport *Transport) {
	e.factory.connections++
	e.transport = transport
	if e.factory.Idle > 0 {
		e.timeout = e.factory.Reactor.CallLater(e.factory.Idle, transport.AbortConnection)
	}
}

// DataReceived sends data back.
func (e *Echo) DataReceived(data []byte) {
	e.transport.Write(data)
	if e.timeout != nil {
		e.timeout.Reset(e.factory.Idle)
	}
}

// ConnectionLost ends the wait for data.
func (e *Echo) ConnectionLost(error) {
	e.factory.connections--
	if e.timeout != nil {
		e.timeout.Cancel()
	}
}

// EchoFactory makes Echo protocols.
type EchoFactory struct {
	Reactor *Reactor
	Idle    time.Duration // after which without data a connection is closed; 0 is never

	connections int
}

// BuildProtocol returns an Echo.
func (f *EchoFactory) BuildProtocol(net.Addr) Protocol { return &Echo{factory: f} }

func main() {
	flags := program.Flags("reactor", "[-listen HOST:PORT] [-idle DURATION] [-v]")
	listen := flags.String("listen", "localhost:8000", "serve on `HOST:PORT`; port 0 picks a free one")
	idle := flags.Duration("idle", 0, "close a connection that has sent nothing for this `DURATION`; 0 is never")
	program.Verbose(flags)
	program.Parse(flags)
	if err := run(*listen, *idle); err != nil {
		log.Fatal(err)
	}
}

func run(listen string, idle time.Duration) error {
	reactor, err := NewReactor()
	if err != nil {
		return err
	}
	factory := &EchoFactory{Reactor: reactor, Idle: idle}
	port, err := reactor.ListenTCP(listen, factory)
	if err != nil {
		return err
	}
	host, err := port.GetHost()
	if err != nil {
		return err
	}
	reactor.OnSignal(syscall.SIGHUP, func() { log.Printf("connections: %d", factory.connections) })
	reactor.CallLater(0, func() { fmt.Println(host) }) // when an interrupt is caught already
	return reactor.Run()
}
