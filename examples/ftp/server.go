//go:build unix || windows

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/pyselect/pyselect/examples/internal/program"
	"github.com/pyselect/pyselect/selectors"
	"github.com/pyselect/pyselect/socket"
)

const (
	// How often to look for connections that are idle.
	tick = time.Second

	// Descriptors reserved for everything but connections and their files.
	ownDescriptors = 20
)

var errGone = errors.New("the client has gone")

// A failure is what is not the client's fault.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

type server struct {
	sel            *selectors.DefaultSelector
	listener       *socket.Socket
	listening      bool      // the selector watches the listener
	acceptAt       time.Time // when to accept again after a failure
	root           *os.Root
	overwrite      bool // uploads may replace files
	timeout        time.Duration
	connections    map[*connection]bool
	maxConnections int
	buf            []byte // that all connections receive into
}

// A callback is the data of a key: what to do when it is ready.
type callback func(key *selectors.SelectorKey, events selectors.Event)

// A connection is either between two commands, or uploads, or downloads.
type connection struct {
	*socket.Socket
	peer   net.Addr
	active time.Time // when it has last made progress
	head   []byte    // of a command that is not complete
	unsent []byte    // of an answer

	upload   *incoming // or nil
	download *outgoing // or nil
	surplus  int64     // bytes that may come before the next command: messages that were too many
}

// serve is the command: it serves until it is interrupted.
func serve(ctx context.Context, listen, dir string, overwrite bool, timeout time.Duration) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	listener, addr, err := program.Listen(listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	listener.Setblocking(false)
	sel, err := selectors.NewDefaultSelector()
	if err != nil {
		return err
	}
	defer sel.Close()
	descriptors, err := program.Descriptors()
	if err != nil {
		return err
	}
	s := &server{
		sel:         sel,
		listener:    listener,
		root:        root,
		overwrite:   overwrite,
		timeout:     timeout,
		connections: make(map[*connection]bool),
		// Each may have a file open, which needs a descriptor too.
		maxConnections: max(1, (descriptors-ownDescriptors)/2),
		buf:            make([]byte, 64<<10),
	}
	defer func() {
		for c := range s.connections {
			s.close(c, errors.New("the server ends"))
		}
	}()

	fmt.Println(addr)
	wakeup := context.AfterFunc(ctx, func() { sel.Wakeup() })
	defer wakeup()
	for looked := time.Now(); ctx.Err() == nil; {
		if err := s.listen(!s.full() && time.Now().After(s.acceptAt)); err != nil {
			return err
		}
		events, err := sel.Select(tick)
		if err != nil {
			return err
		}
		for _, ready := range events {
			ready.Key.Data.(callback)(ready.Key, ready.Events)
		}
		if now := time.Now(); now.Sub(looked) >= tick {
			looked = now
			s.closeIdle(now)
		}
	}
	return nil
}

func (s *server) full() bool { return len(s.connections) >= s.maxConnections }

// listen sets whether the selector watches the listener.
func (s *server) listen(on bool) (err error) {
	switch {
	case on && !s.listening:
		_, err = s.sel.Register(s.listener, selectors.EventRead, callback(s.accept))
	case !on && s.listening:
		_, err = s.sel.Unregister(s.listener)
	}
	s.listening = on
	return err
}

func (s *server) accept(*selectors.SelectorKey, selectors.Event) {
	sock, peer, err := s.listener.Accept()
	if errors.Is(err, socket.ErrWouldBlock) {
		return
	}
	if err != nil {
		// The listener stays ready, and the loop would spin.
		program.LogAccept(err)
		s.acceptAt = time.Now().Add(program.AcceptDelay)
		return
	}
	sock.Setblocking(false)
	// A connection may be idle for long: this finds out whether there still is a client. It may fail when there is none already.
	sock.Setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
	c := &connection{Socket: sock, peer: peer, active: time.Now()}
	if _, err := s.sel.Register(c, selectors.EventRead, callback(s.serviceConnection)); err != nil {
		log.Print(program.PeerError(peer, err))
		sock.Close()
		return
	}
	s.connections[c] = true
	program.Logf("%v: connected", peer)
}

// close ends a connection. Of an upload that is not complete, nothing stays. The client sees a reset of it, and of a failure: it
// might take the end for success, as bytes that it has sent may be on the way.
func (s *server) close(c *connection, why error) {
	logf := program.Logf
	_, failed := errors.AsType[failure](why)
	if failed {
		logf = log.Printf
	}
	logf("%v; closed", program.PeerError(c.peer, why))
	s.sel.Unregister(c)
	delete(s.connections, c)
	if failed || c.upload != nil {
		c.SetLinger(true, 0)
	}
	c.Close()
	if c.upload != nil {
		c.upload.abort()
	}
	if c.download != nil {
		c.download.Close()
	}
}

// closeIdle closes the connections that stall. Those that are between two commands may be people who think, and stay as long as
// there is room for others.
func (s *server) closeIdle(now time.Time) {
	if s.timeout <= 0 {
		return
	}
	full := s.full()
	for c := range s.connections {
		if idle := now.Sub(c.active); idle >= s.timeout && (full || !c.betweenCommands()) {
			s.close(c, fmt.Errorf("idle for %v", idle.Round(time.Second)))
		}
	}
}

func (c *connection) betweenCommands() bool {
	return c.upload == nil && c.download == nil && len(c.head) == 0 && len(c.unsent) == 0
}

func (c *connection) mustSend() bool {
	return len(c.unsent) > 0 || c.download != nil && c.download.sent < c.download.asked
}

// serviceConnection sends what is left to send, or else receives. A client that is gone is no news.
func (s *server) serviceConnection(key *selectors.SelectorKey, _ selectors.Event) {
	c := key.Fileobj.(*connection)
	err := s.exchange(c)
	next := selectors.EventRead
	if c.mustSend() {
		next = selectors.EventWrite // and nothing more comes in until then
	}
	if err == nil && next != key.Events {
		_, err = s.sel.Modify(c, next, key.Data)
	}
	if err != nil {
		s.close(c, err)
	}
}

func (s *server) exchange(c *connection) (err error) {
	if !c.mustSend() {
		err = s.receive(c)
	}
	if err == nil && c.mustSend() {
		err = s.send(c)
	}
	if errors.Is(err, socket.ErrWouldBlock) {
		return nil
	}
	return err
}

func (s *server) receive(c *connection) error {
	buf := s.buf
	switch {
	case c.upload != nil:
		buf = buf[:min(int64(len(buf)), c.upload.left)]
	case c.download != nil:
		buf = buf[:pieceSize] // as much as the originals take for a message
	}
	n, err := c.Recv(buf)
	if err != nil {
		return err
	}
	if n == 0 {
		return errGone
	}
	for data := buf[:n]; len(data) > 0 && err == nil; {
		switch {
		case c.upload != nil:
			data, err = c.receiveUpload(data)
		case c.download != nil:
			c.download.ask(data)
			data = nil
		default:
			data, err = s.receiveCommand(c, data)
		}
	}
	return err
}

func (s *server) send(c *connection) error {
	if len(c.unsent) == 0 {
		return c.sendDownload()
	}
	n, err := c.Send(c.unsent)
	if err != nil {
		return err
	}
	c.active = time.Now()
	c.unsent = c.unsent[n:]
	return nil
}

func (c *connection) sendDownload() error {
	n, err := c.download.send(c.Socket)
	if err == nil && n == 0 { // the file has become shorter than it was said to be
		err = failure{fmt.Errorf("%s: %w", c.download.name, io.ErrUnexpectedEOF)}
	}
	if err != nil {
		return err
	}
	c.active = time.Now()
	c.endDownload()
	return nil
}

// endDownload ends a download that is complete.
func (c *connection) endDownload() {
	if c.download.sent < c.download.size {
		return
	}
	program.Logf("%v: get %s: %d bytes", c.peer, c.download.name, c.download.size)
	c.surplus = c.download.size + pieceSize // more than a message for each piece
	c.download.Close()
	c.download = nil
}

func (c *connection) receiveUpload(data []byte) (rest []byte, err error) {
	c.active = time.Now()
	n, err := c.upload.Write(data)
	if err != nil {
		return nil, failure{err}
	}
	return data[n:], c.endUpload()
}

// endUpload ends an upload that is complete.
func (c *connection) endUpload() error {
	if c.upload.left > 0 {
		return nil
	}
	file := c.upload
	c.upload = nil
	if err := file.commit(); err != nil {
		return failure{err}
	}
	program.Logf("%v: put %s: %d bytes", c.peer, file.name, file.size)
	return nil
}

// receiveCommand begins what a command asks for, if all of it is there.
func (s *server) receiveCommand(c *connection, data []byte) (rest []byte, err error) {
	data = append(c.head, data...)
	c.head = fromCommand(data)
	if c.surplus -= int64(len(data) - len(c.head)); c.surplus < 0 {
		return nil, errNotUnderstood
	}
	command, name, size, rest, err := parseCommand(c.head)
	if err == errIncomplete {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.head, c.surplus = nil, 0
	if command == "put" {
		return rest, s.beginUpload(c, name, size)
	}
	return rest, s.beginDownload(c, name, size > 0)
}

// beginUpload refuses what cannot be a new file by ending the connection: the protocol has no other answer for it.
func (s *server) beginUpload(c *connection, name string, size int64) error {
	if !validName(name) {
		return fmt.Errorf("put refused: %q is no name of a file", name)
	}
	if err := checkVacant(s.root, name, s.overwrite); err != nil {
		return fmt.Errorf("put refused: %w", err)
	}
	if !s.overwrite && s.underWay(name) {
		return fmt.Errorf("put refused: another upload of %s is under way", name)
	}
	file, err := newIncoming(s.root, name, size, s.overwrite)
	if err != nil {
		return failure{err}
	}
	c.upload = file
	c.unsent = append(c.unsent, "OK"...)
	return c.endUpload()
}

// underWay reports whether somebody uploads a file of that name.
func (s *server) underWay(name string) bool {
	for c := range s.connections {
		if c.upload != nil && c.upload.name == name {
			return true
		}
	}
	return false
}

func (s *server) beginDownload(c *connection, name string, whole bool) error {
	file, err := openOutgoing(s.root, name)
	if program.OutOfDescriptors(err) {
		return failure{err}
	}
	if err != nil {
		program.Logf("%v: get %q: %v", c.peer, name, err)
		c.unsent = append(c.unsent, "NO|0"...)
		return nil
	}
	file.whole = whole
	c.download = file
	c.unsent = fmt.Appendf(c.unsent, "YES|%d", file.size)
	c.endDownload()
	return nil
}
