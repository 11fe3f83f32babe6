//go:build unix || windows

package ssl_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyselect/pyselect"
	"github.com/pyselect/pyselect/internal/progtest"
	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// A webSocketServer is a port of SimpleSSLWebSocketServer of dpallot/simple-websocket-server (MIT License, Copyright (c) 2013
// Dave P.), with its example that echoes: a loop on select that has TLS, in one file. The loop is the original's, step by step;
// what is not the loop is written anew. Where the original handles EAGAIN, an operation here can want something, and where the
// original shakes hands with a client, and all others wait, here the first Recv does so.
type webSocketServer struct {
	serversocket *ssl.Socket
	interval     time.Duration
	connections  map[*ssl.Socket]*webSocket
	listeners    []*ssl.Socket
	stop         atomic.Bool
}

// A webSocket is one of the connections.
type webSocket struct {
	client    *ssl.Socket
	upgraded  bool
	received  []byte   // and not handled
	message   []byte   // the parts of it that have come
	sendq     [][]byte // what is to be sent
	wantWrite bool     // to receive, it has to be writable
	closing   bool     // when all is sent
}

func newWebSocketServer(address string, config *tls.Config) (*webSocketServer, error) {
	sock, err := socket.CreateServer(address, nil)
	if err != nil {
		return nil, err
	}
	serversocket := ssl.Server(sock, config)
	return &webSocketServer{
		serversocket: serversocket,
		interval:     100 * time.Millisecond,
		connections:  map[*ssl.Socket]*webSocket{},
		listeners:    []*ssl.Socket{serversocket},
	}, nil
}

func (s *webSocketServer) serveForever() error {
	for !s.stop.Load() {
		var writers []*ssl.Socket
		for _, sock := range s.listeners[1:] {
			if ws := s.connections[sock]; len(ws.sendq) > 0 || ws.wantWrite {
				writers = append(writers, sock)
			}
		}
		rlist, wlist, xlist, err := pyselect.Select(s.listeners, writers, s.listeners, s.interval)
		if err != nil {
			return err
		}
		for _, ready := range wlist {
			if ws := s.connections[ready]; ws.wantWrite && ws.handleData() != nil || ws.sendQueue() != nil {
				s.remove(ready)
			}
		}
		for _, ready := range rlist {
			if ready == s.serversocket {
				sock, _, err := ready.Accept()
				if err != nil {
					continue
				}
				sock.Setblocking(false)
				s.connections[sock] = &webSocket{client: sock}
				s.listeners = append(s.listeners, sock)
			} else if ws := s.connections[ready]; ws != nil {
				if ws.handleData() != nil {
					s.remove(ready)
				}
			}
		}
		for _, failed := range xlist {
			if failed == s.serversocket {
				return errors.New("the server's socket has failed")
			}
			if s.connections[failed] != nil {
				s.remove(failed)
			}
		}
	}
	return nil
}

func (s *webSocketServer) remove(sock *ssl.Socket) {
	sock.Close()
	delete(s.connections, sock)
	s.listeners = slices.DeleteFunc(s.listeners, func(other *ssl.Socket) bool { return other == sock })
}

func (s *webSocketServer) close() {
	for _, sock := range s.listeners {
		sock.Close()
	}
}

var errRemoteClosed = errors.New("the remote socket is closed")

// handleData receives once, as the original does, and then what select does not know of, as the original does not.
func (ws *webSocket) handleData() error {
	size := 2048
	if ws.upgraded {
		size = 16384
	}
	buf := make([]byte, size)
	for again := true; again; again = ws.client.Pending() > 0 {
		n, err := ws.client.Recv(buf)
		if ws.wantWrite = errors.Is(err, ssl.ErrWantWrite); ws.wantWrite || errors.Is(err, ssl.ErrWantRead) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errRemoteClosed
		}
		ws.received = append(ws.received, buf[:n]...)
		if !ws.upgraded {
			err = ws.upgrade()
		}
		for more := ws.upgraded; more && err == nil; {
			more, err = ws.parseMessage()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (ws *webSocket) sendQueue() error {
	for len(ws.sendq) > 0 {
		n, err := ws.client.Send(ws.sendq[0])
		if errors.Is(err, socket.ErrWouldBlock) {
			return nil
		}
		if err != nil {
			return err
		}
		if ws.sendq[0] = ws.sendq[0][n:]; len(ws.sendq[0]) == 0 {
			ws.sendq = ws.sendq[1:]
		}
	}
	if ws.closing {
		return errRemoteClosed
	}
	return nil
}

// upgrade answers the request with which a WebSocket begins, when all of it has come.
func (ws *webSocket) upgrade() error {
	end := bytes.Index(ws.received, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(ws.received[:end+4])))
	if err != nil {
		return err
	}
	ws.received, ws.upgraded = ws.received[end+4:], true
	ws.sendq = append(ws.sendq, []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+webSocketAccept(request.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n"))
	return nil
}

func webSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// The kinds of frames, as in RFC 6455.
const (
	streamFrame, textFrame, binaryFrame      = 0x0, 0x1, 0x2
	closeFrame, pingFrame, pongFrame         = 0x8, 0x9, 0xa
	finBit                              byte = 0x80
)

// parseMessage handles the next frame, if all of it has come.
func (ws *webSocket) parseMessage() (more bool, err error) {
	first, payload, n := parseFrame(ws.received)
	if n == 0 {
		return false, nil
	}
	ws.received = ws.received[n:]
	switch opcode := first &^ finBit; opcode {
	case closeFrame:
		ws.sendq, ws.closing = append(ws.sendq, webSocketFrame(finBit|closeFrame, payload)), true
	case pingFrame:
		ws.sendq = append(ws.sendq, webSocketFrame(finBit|pongFrame, payload))
	case streamFrame, textFrame, binaryFrame:
		if ws.message = append(ws.message, payload...); first&finBit != 0 {
			ws.sendq = append(ws.sendq, webSocketFrame(finBit|textFrame, ws.message)) // the example is an echo
			ws.message = nil
		}
	case pongFrame:
	default:
		return false, fmt.Errorf("frame of the unknown kind %#x", opcode)
	}
	return true, nil
}

// webSocketFrame returns a frame without a mask.
func webSocketFrame(first byte, payload []byte) []byte {
	frame := []byte{first}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	return append(frame, payload...)
}

// parseFrame takes a frame apart. If it is not complete, n is 0.
func parseFrame(p []byte) (first byte, payload []byte, n int) {
	if len(p) < 2 {
		return 0, nil, 0
	}
	n, size := 2, uint64(p[1]&0x7f)
	switch {
	case size == 126 && len(p) >= 4:
		n, size = 4, uint64(binary.BigEndian.Uint16(p[2:]))
	case size == 127 && len(p) >= 10:
		n, size = 10, binary.BigEndian.Uint64(p[2:])
	case size >= 126:
		return 0, nil, 0
	}
	mask := make([]byte, 4)
	if p[1]&0x80 != 0 {
		if len(p) < n+4 {
			return 0, nil, 0
		}
		n += copy(mask, p[n:])
	}
	if uint64(len(p)) < uint64(n)+size {
		return 0, nil, 0
	}
	payload = bytes.Clone(p[n : n+int(size)])
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return p[0], payload, n + int(size)
}

// masked returns a frame as clients send it.
func masked(first byte, payload string) []byte {
	frame := webSocketFrame(first, []byte(payload))
	head := len(frame) - len(payload)
	mask := []byte{1, 2, 3, 4}
	for i := range frame[head:] {
		frame[head+i] ^= mask[i%4]
	}
	frame[1] |= 0x80
	return slices.Insert(frame, head, mask...)
}

func TestPortOfWebSocketServer(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorld(t)
	server, err := newWebSocketServer("127.0.0.1:0", w.serverConfig(0))
	testkit.Check(t, err)
	served := testkit.Go(t, func() { testkit.Check(t, server.serveForever()) })
	t.Cleanup(func() {
		server.stop.Store(true)
		served.Wait()
		server.close()
	})
	name, err := server.serversocket.Getsockname()
	testkit.Check(t, err)
	addr := name.String()
	config := w.clientConfig(0)
	config.ServerName = "localhost"
	config.DynamicRecordSizingDisabled = true // from the first record on, what is written together is one

	progtest.Dial(t, addr) // and this one does not shake hands
	long := strings.Repeat("spam", 50000)
	var all sync.WaitGroup
	for range 50 {
		c := tls.Client(progtest.Dial(t, addr), config)
		all.Go(func() { talkWebSocket(t, c, long) })
	}
	all.Wait()
}

func talkWebSocket(t *testing.T, c *tls.Conn, long string) {
	defer c.Close()
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	request := "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key +
		"\r\nX: " + strings.Repeat("x", 3000) + "\r\n\r\n"
	// The record has more than the server receives first, and select does not know of the rest.
	if _, err := c.Write(append([]byte(request), masked(finBit|textFrame, "first")...)); err != nil {
		t.Error(err)
		return
	}
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, nil)
	if err != nil || response.StatusCode != 101 || response.Header.Get("Sec-WebSocket-Accept") != webSocketAccept(key) {
		t.Errorf("the response is %v, %v", response, err)
		return
	}
	var received []byte
	expect := func(first byte, payload string) {
		for {
			gotFirst, got, n := parseFrame(received)
			if n > 0 {
				if gotFirst != first || string(got) != payload {
					t.Errorf("a frame is %#x %.100q, want %#x %.100q", gotFirst, got, first, payload)
				}
				received = received[n:]
				return
			}
			buf := make([]byte, 1<<14)
			m, err := r.Read(buf)
			if err != nil {
				t.Error(err)
				return
			}
			received = append(received, buf[:m]...)
		}
	}
	expect(finBit|textFrame, "first")
	for _, text := range []string{"", "spam", long[:126], long[:1<<16], long} {
		sent := progtest.Send(c, masked(finBit|textFrame, text), func() error { return nil })
		expect(finBit|textFrame, text)
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	for _, frame := range [][]byte{
		masked(textFrame, "a"), masked(finBit|pingFrame, "ping"), masked(streamFrame, "b"), masked(finBit|streamFrame, "c"),
		masked(finBit|closeFrame, "\x03\xe8"),
	} {
		if _, err := c.Write(frame); err != nil {
			t.Error(err)
		}
	}
	expect(finBit|pongFrame, "ping")
	expect(finBit|textFrame, "abc")
	expect(finBit|closeFrame, "\x03\xe8")
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("instead of the end came %.100q, %v", rest, err)
	}
}
